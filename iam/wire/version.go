package wire

// The versions of the formats of this package, newest last:
//
//	1  2025-11: the first. Log entries, snapshots and feed frames as described in
//	   entry.go, snapshot.go and frame.go; the records of record.go and the
//	   commands of command.go.
//	2  2026-11: enrolments, authorities and the level itself, with the commands 41 to
//	   48. An entry says the level of its kind, and not that of the build that wrote
//	   it; a snapshot leaves tables of level 2 out while they are empty. So a store at
//	   level 1 writes nothing that builds of level 1 cannot read.
//	3  2026-11: the commands 49 to 52, authorities that wait to sign, and the keys of
//	   the gossip, which a store record leaves out while they are the first. A new
//	   secret begins the age of its key anew. Followers may send Trust.
//
// What a reader may rely on:
//
//   - A field is never removed, and a new one is appended to its record. A reader
//     gives fields that the writer did not know yet their zero value.
//   - A reader of the log or of a snapshot refuses fields that it does not know: a
//     replica that left them out would compute something else. A follower of the
//     feed skips them.
//   - A command whose meaning changes gets a new kind version, a new command a new
//     kind. Neither is proposed before every node is at the feature level that
//     knows it.
//   - A kind, a kind version or a feature level that a node does not know stops
//     it, unless the entry is marked as ignorable: then every node that does not
//     know it passes over it.
//   - Zero is no valid format, kind, kind version or frame type.
const (
	// FeatureLevel is the newest level that this build can write and apply.
	FeatureLevel uint16 = 3

	entryFormat    uint8  = 1
	snapshotFormat uint16 = 1
)
