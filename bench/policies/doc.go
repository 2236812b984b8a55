// Package policies asks Doorward's policy engine and its peers the same questions
// about the same statements in one run: MinIO's policy package, cedar-go, OPA and Casbin,
// each in the form that its own documentation recommends. Start with [Engines]
// (engines.go).
package policies
