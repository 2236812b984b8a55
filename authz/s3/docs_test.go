package s3

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/s3-operations.md from the table")

// TestOperationsPageIsPrintedFromTheTable fails when docs/s3-operations.md is not
// what the table says; run it with -update to print the page.
func TestOperationsPageIsPrintedFromTheTable(t *testing.T) {
	const path = "../../docs/s3-operations.md"
	want := operationsPage()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is stale; print it with: go test ./authz/s3 -run OperationsPage -update", path)
	}
}

func operationsPage() string {
	var b strings.Builder
	b.WriteString(pageIntro)
	printOperations(&b, "Service", onService, "The resource is `*`.")
	printOperations(&b, "Buckets", onBucket, "The resource is `arn:aws:s3:::B`; for `DeleteObjects` and `PostObject` it is the object, `arn:aws:s3:::B/K`.")
	printOperations(&b, "Objects", onObject, "The resource is `arn:aws:s3:::B/K`, K decoded once.")
	printExtras(&b)
	printConditionKeys(&b)
	b.WriteString(pageRefusals)
	return b.String()
}

const pageIntro = `# S3 operations and the actions they need

This page is printed from the table in ` + "`authz/s3`" + ` that Doorward decides with. It says which operation a request is, which actions on
which resource it has to be allowed, and which condition keys it gives rise to. Requests that it does not describe are refused.

B is the bucket and K the key. A bucket is named by the first path segment if Host is an endpoint of the service, and by what stands before
the endpoint if Host lies below one. K is the rest of the path, percent-decoded once: nothing is cleaned, folded or trimmed.

"With a version" are the actions needed instead of the others if the request has ` + "`versionId=`" + `; "body" is the document without which needs or
condition keys are not known. Conditions in brackets tell operations of one shape apart. A CORS preflight needs no action: the server answers it from the bucket's CORS rules.

`

func printOperations(b *strings.Builder, title string, s scope, resource string) {
	fmt.Fprintf(b, "## %s\n\n%s\n\n| operation | request | actions | with a version | extra needs | body |\n| --- | --- | --- | --- | --- | --- |\n", title, resource)
	for i := range operations[1:] {
		op := &operations[i+1]
		if op.scope&s == 0 {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", op.name, shape(op, s), actionList(op.actions), versionCell(op), extraList(op.extra), code(op.body.String()))
	}
	b.WriteString("\n")
}

// shape returns the request line of an operation in backquotes and, in brackets,
// what else it needs to be that operation.
func shape(op *row, s scope) string {
	path := map[scope]string{onService: "/", onBucket: "/B", onObject: "/B/K"}[s]
	var query []string
	if op.sub != plain {
		query = append(query, params[op.sub].name)
		if params[op.sub].kind == upload {
			query[0] += "=…"
		}
	}
	note := ""
	switch op.when {
	case withID:
		query = append(query, "id=…")
	case withListType:
		query = append(query, "list-type=2")
	case withPartNumber:
		query = append(query, "partNumber=…")
	case withPartNumberAndCopySource:
		query = append(query, "partNumber=…")
		note = " (`x-amz-copy-source`)"
	case withCopySource:
		note = " (`x-amz-copy-source`)"
	case withForm:
		note = " (`multipart/form-data`)"
	}
	if len(query) > 0 {
		path += "?" + strings.Join(query, "&")
	}
	return code(op.method+" "+path) + note
}

func versionCell(op *row) string {
	switch {
	case op.versioned != nil:
		return actionList(op.versioned)
	case op.takes&version != 0:
		return "the same"
	}
	return ""
}

func actionList(actions []Action) string {
	var names []string
	for _, a := range actions {
		names = append(names, code(a.Name()))
	}
	return strings.Join(names, ", ")
}

// extraNames are the names of the extra needs on the page.
var extraNames = []struct {
	extra extra
	name  string
}{
	{copySource, "source"}, {sourceTags, "source tags"}, {objectACL, "ACL"}, {objectTags, "tags"}, {objectRetention, "retention"},
	{objectLegalHold, "legal hold"}, {bypassGovernance, "bypass"}, {bucketACL, "bucket ACL"}, {bucketLock, "bucket lock"},
	{bucketOwnership, "ownership"}, {bucketTags, "bucket tags"},
}

func extraList(e extra) string {
	var names []string
	for _, x := range extraNames {
		if e&x.extra != 0 {
			names = append(names, x.name)
		}
	}
	return strings.Join(names, ", ")
}

func printExtras(b *strings.Builder) {
	b.WriteString("## Extra needs\n\nThey are needed on the same resource as the operation's own actions, unless another is named. A header that a presigning client\nmoved into the query counts as a header, and so does the form field of that name.\n\n| extra need | if the request has | actions |\n| --- | --- | --- |\n")
	fmt.Fprintf(b, "| source | a copy source, which makes it the operation | on the source object: %s, or %s if the source names a version |\n", code(GetObject.Name()), code(GetObjectVersion.Name()))
	fmt.Fprintf(b, "| source tags | a source object with tags, and `x-amz-tagging-directive` other than `REPLACE` | %s or %s on the source object, and %s |\n",
		code(GetObjectTagging.Name()), code(GetObjectVersionTagging.Name()), code(PutObjectTagging.Name()))
	for _, x := range extras {
		fmt.Fprintf(b, "| %s | %s | %s |\n", extraList(x.extra), x.cause, actionList(x.actions))
	}
	fmt.Fprintf(b, "| bucket tags | tags in its body | %s |\n\n", code(TagResource.Name()))
	b.WriteString("Whether a source object has tags is known to the S3 server only. Until it says, the need is marked as depending on that fact.\n\n")
}

func printConditionKeys(b *strings.Builder) {
	b.WriteString("## Condition keys\n\nEvery action takes " + keyList(everyKeys) + ". `s3:ResourceAccount` is not told by the request.\n\n| action | further keys |\n| --- | --- |\n")
	for a := Action(1); a < numActions; a++ {
		if own := actions[a].keys; own != 0 {
			fmt.Fprintf(b, "| %s | %s |\n", code(a.Name()), keyList(own))
		}
	}
	b.WriteString("\nKeys that end in a slash are followed by the name of a tag. The values of these are known to the S3 server or stand in parts of the\nrequest that are not read, so they are open until they are supplied: " +
		keyList(keys(KeyExistingObjectTag, KeyResourceTag, KeyReplicationPause)) + ", and for `UpdateObjectEncryption` " + keyList(keys(KeySSE, KeySSEKMSKeyID)) + ".\n\n")
	b.WriteString("The value of `s3:x-amz-copy-source` is the decoded `B/K` or `B/K?versionId=V`; a policy may write it with or without a slash in front.\n`s3:object-lock-remaining-retention-days` counts a day begun as one. A list parameter that is not sent is a missing key; sent\nempty, it is the empty string.\n\n")
}

func keyList(set KeySet) string {
	var names []string
	for k := Key(1); k < numKeys; k++ {
		if set.Has(k) {
			names = append(names, code(k.Name()))
		}
	}
	return strings.Join(names, ", ")
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

const pageRefusals = `## What is refused

| request | error |
| --- | --- |
| a method and subresource that the tables do not pair | ` + "`MethodNotAllowed`" + ` 405 |
| a subresource that is not implemented, or an unknown query parameter without a value | ` + "`NotImplemented`" + ` 501 |
| two subresources at once | ` + "`InvalidRequest`" + ` |
| a header, parameter or form field that is read, given twice with different values | ` + "`InvalidArgument`" + ` |
| a parameter that is known but for its case; a subresource with a value; ` + "`versionId`, `uploadId` or `partNumber`" + ` without one, or where the operation takes none | ` + "`InvalidArgument`" + ` |
| ` + "`x-amz-copy-source`" + ` that names no bucket and key, or on an operation that does not copy | ` + "`InvalidArgument`" + ` |
| a malformed percent escape; a key that is not UTF-8; a raw space, ` + "`#`" + ` or control character in the target; a raw ` + "`+` or `;`" + ` in a query value that is read | ` + "`InvalidURI`" + ` |
| a key of more than 1024 bytes | ` + "`KeyTooLongError`" + ` |
| a name that cannot be a bucket; a Host that is no endpoint | ` + "`InvalidBucketName`" + ` |
| an XML body that is not well-formed, has a document type, comments, foreign or unexpected elements, more than 1000 objects to delete, or something after its root | ` + "`MalformedXML`" + ` |
| tags beyond S3's limits, or a tag key twice | ` + "`InvalidTag`" + ` |
| a form without ` + "`key` or `file`" + `, with a field twice, or for another bucket | ` + "`InvalidArgument`, `MalformedPOSTRequest`" + ` |
`
