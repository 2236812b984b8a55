// Package measure compares works in one run, in turns, so that whatever else the
// machine does strikes all of them alike. Start with [Compare].
package measure
