// Package cli is the command line of Doorward: one file for each noun, with the
// noun's verbs in it.
//
// Start with [Main] and newRoot (root.go), then user.go, which the other nouns
// follow. What a command prints is in output.go: data on standard output,
// messages on standard error. How a command fails is in exit.go. Secrets enter
// through secret.go.
package cli
