// Package owner gives versitygw's own way to keep objects in plain files the accounts
// that the answers of a sidecar make, and asks whose files come of it: the table "The
// owner of files" of docs/users.md. It has tests only.
package owner
