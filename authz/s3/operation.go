package s3

// Operation is one operation of the S3 API, an index into the table. The zero
// Operation is none.
type Operation uint8
