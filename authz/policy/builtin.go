package policy

// Builtin is a managed policy that every account has and nobody can change.
type Builtin struct{ Name, Description, Document string }

// Builtins are the built-in policies, as S3 identity policies.
//
// "readonly" reads and lists everything and changes nothing: what aws s3 ls,
// s3cmd get and rclone copy from need, object versions, tags and bucket
// settings included. "writeonly" uploads, in one piece or in parts, and neither
// reads, lists nor deletes; the location of a bucket is given away because
// clients ask for it before they sign. "readwrite" is everything.
var Builtins = []Builtin{
	{"readonly", "Read and list every bucket and object; change nothing.", `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "s3:Get*",
        "s3:List*"
      ],
      "Resource": "*"
    }
  ]
}`},
	{"writeonly", "Upload objects; neither read, list nor delete.", `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "s3:AbortMultipartUpload",
        "s3:GetBucketLocation",
        "s3:ListMultipartUploadParts",
        "s3:PutObject"
      ],
      "Resource": "*"
    }
  ]
}`},
	{"readwrite", "Every S3 action on every bucket and object.", `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "s3:*",
      "Resource": "*"
    }
  ]
}`},
}
