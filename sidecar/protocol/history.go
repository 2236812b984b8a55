package protocol

// Version is the newest version of the protocol, and MinVersion the oldest that
// this package still speaks.
//
//	1  2026-11  hello; check, verify, signing key, chunk and ping; brief answers.
//	            A check may ask for an answer for each object of a multi-object delete.
//	            A sidecar that does not know the flag gives one answer for all of them
//
// A new version is for what an old peer would misunderstand. What an old peer may
// ignore is appended to the end of an item, whose length tells it what to skip.
const (
	Version    = 1
	MinVersion = 1
)

// Feature is a bit set of what a peer can do beyond the version's floor. A client
// names what it wants, the server answers with what it grants.
type Feature uint64

// The features of version 1.
const (
	FeatureSigningKey Feature = 1 << 0 // the peer may ask for signing keys
	FeatureBrief      Feature = 1 << 1 // answers without names, for servers that only need yes or no
)
