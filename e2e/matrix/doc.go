// Package matrix makes every supported IAM and STS call through the AWS command line and
// the AWS SDKs for Python and Go: with success, without permission, about what is not
// there, about what is there already, malformed, and in pages. One table says what comes
// of each. It has tests only.
package matrix
