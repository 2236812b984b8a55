package authz

import "strings"

// query is a request made ready for the indexes: what each of them asks for is
// worked out once.
type query struct {
	context *Context
	caller  *Principal
	// bounded is true if the caller has a permissions boundary.
	bounded bool
	// action is the position in the table of S3 actions, -1 if it is not there;
	// actionName then is its name in lower case.
	action     int
	actionName string
	// isARN is true for a resource of six segments: head, and tail behind them.
	isARN bool
	head  [5]string
	tail  string
	// bucketHead is true for a bucket or an object, which bucket, key and hasKey
	// name, and for all buckets.
	bucketHead  bool
	bucket, key string
	hasKey      bool
	// allBuckets is true for s3:ListAllMyBuckets on "*".
	allBuckets bool
}

func (q *query) prepare(r *Request) {
	q.context, q.caller = r.Context, &r.Principal
	if q.context == nil {
		q.context = &Context{}
	}
	q.nameAction(r.Action)
	q.nameResource(r.Resource)
}

func (q *query) nameAction(name string) {
	if q.action = actionByName(name); q.action < 0 {
		q.actionName = lowerASCII(name)
		q.action = actionByName(q.actionName)
	}
}

func (q *query) nameResource(resource string) {
	if tail, ok := strings.CutPrefix(resource, bucketARN); ok {
		q.isARN, q.bucketHead, q.tail = true, true, tail
		q.bucket, q.key, q.hasKey = strings.Cut(tail, "/")
		return
	}
	if resource == "*" {
		q.allBuckets = q.action == listAllMyBucketsBit
		q.isARN, q.bucketHead = q.allBuckets, q.allBuckets
		return
	}
	for i := range q.head {
		segment, rest, ok := strings.Cut(resource, ":")
		if !ok {
			return
		}
		q.head[i], resource = segment, rest
	}
	q.isARN, q.tail = true, resource
}

var listAllMyBucketsBit = actionByName(listAllMyBuckets)
