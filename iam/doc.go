// Package iam is the vocabulary of Doorward: the nouns of an identity store
// (user, role, access key, policy, session…), the commands that change them,
// the changes that result, and the errors that refuse.
//
// It imports the standard library only and holds no behaviour beyond naming and
// validating: every other room speaks these words. Start with [User] and
// [AccessKey] (entity.go), then [Command] (command.go), then [Change]
// (change.go) and [Error] (errors.go).
package iam
