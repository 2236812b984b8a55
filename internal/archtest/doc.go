// Package archtest holds the laws of the house as a test: which room may import
// which, what the quiet floors must not touch, and that every package says what
// it is for. The tables in laws_test.go are policy; when a test fails, change the
// code, not the table.
package archtest
