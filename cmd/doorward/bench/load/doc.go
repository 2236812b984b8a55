// Package load calls a function as many clients would, at a fixed rate or as fast as
// it answers, and says what they saw. Start with [Plan.Run].
//
// At a fixed rate a call is due at a moment that does not depend on the answers
// before it, and its time counts from then on. A server that stops for a second is
// charged for every call that was due meanwhile, instead of for the few that were
// under way: what Gil Tene calls coordinated omission is not there to be corrected.
package load
