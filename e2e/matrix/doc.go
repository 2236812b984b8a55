// Package matrix makes every supported IAM and STS call through the AWS SDKs for
// Python and Go and, because each call of it takes 0.6 s, some through the AWS command
// line: with success, without permission, about what is not there, about what is there
// already, malformed, and in pages. It has tests only.
package matrix
