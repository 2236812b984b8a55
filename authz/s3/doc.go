// Package s3 says which S3 operation an HTTP request is, and which actions on
// which resources, under which condition keys, it has to be allowed.
//
// Start with [Mapper.Map], which turns a [Request] into a [Result]; the table
// behind it is in operation.go (one row an operation), actions and the condition
// keys that each of them takes are in action.go. The page docs/s3-operations.md
// is printed from the same table.
//
// The mapping never guesses: a request that two servers could read differently
// (two subresources, a repeated header, a doubled parameter, an unknown method
// and subresource pair) is refused. What only the body or the S3 server can tell
// is named as missing ([Result.Missing], [Need.Unknown]) and never assumed.
//
// Keys and buckets in a Result are the bytes that were authorized: the S3 server
// must act on those and not parse the target a second time.
package s3
