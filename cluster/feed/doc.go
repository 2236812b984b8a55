// Package feed is the stream of changes from a node to its sidecars.
//
// Every step of the log is put once into a ring that all followers share; a
// follower is a cursor and costs no queue. [Feed.Publish] adds steps, [Feed.Follow]
// reads them from any position that is still in the ring, or after a snapshot.
// No long-term secret passes: followers get signing keys, good for a day, a region
// and a service each ([Feed.SigningKey]).
package feed
