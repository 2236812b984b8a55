package plain

import (
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/authz/s3"
	"github.com/doorward/doorward/authz/sigv4"
)

// operations are what the server does, by the name that package s3 gives them.
// Bucket and key are always those of r.what, which were authorised.
var operations = map[string]func(*objects, http.ResponseWriter, *request) error{
	"ListBuckets": (*objects).listBuckets, "CreateBucket": (*objects).createBucket, "HeadBucket": (*objects).headBucket,
	"DeleteBucket": (*objects).deleteBucket, "GetBucketLocation": (*objects).location, "GetBucketVersioning": (*objects).versioning,
	"ListObjects": (*objects).listObjects, "ListObjectsV2": (*objects).listObjects,
	"PutObject": (*objects).putObject, "PostObject": (*objects).postObject, "GetObject": (*objects).getObject, "HeadObject": (*objects).getObject,
	"CopyObject": (*objects).copyObject, "DeleteObject": (*objects).deleteObject, "DeleteObjects": (*objects).deleteObjects,
	"CreateMultipartUpload": (*objects).createUpload, "UploadPart": (*objects).uploadPart, "UploadPartCopy": (*objects).copyPart,
	"CompleteMultipartUpload": (*objects).completeUpload, "AbortMultipartUpload": (*objects).abortUpload,
	"ListParts": (*objects).listParts, "ListMultipartUploads": (*objects).listUploads,
}

const (
	namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
	instant   = "2006-01-02T15:04:05.000Z"
)

func stamp(t time.Time) string { return t.UTC().Format(instant) }

// write answers with a document.
func write(w http.ResponseWriter, document any) error {
	text, err := xml.Marshal(document)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/xml")
	io.WriteString(w, xml.Header)
	_, err = w.Write(text)
	return err
}

// read reads a body that is a document.
func read(r *request, document any) error {
	text, err := r.document()
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(text, document); err != nil {
		return refusal(s3.MalformedXML, http.StatusBadRequest, "The XML you provided was not well-formed.")
	}
	return nil
}

func (o *objects) listBuckets(w http.ResponseWriter, r *request) error {
	type entry struct{ Name, CreationDate string }
	var answer struct {
		XMLName xml.Name `xml:"ListAllMyBucketsResult"`
		Space   string   `xml:"xmlns,attr"`
		Buckets struct{ Bucket []entry }
	}
	answer.Space = namespace
	o.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(o.buckets)) {
		answer.Buckets.Bucket = append(answer.Buckets.Bucket, entry{name, stamp(o.buckets[name].created)})
	}
	o.mu.Unlock()
	return write(w, answer)
}

func (o *objects) createBucket(w http.ResponseWriter, r *request) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buckets[r.what.Bucket] != nil {
		return refusal("BucketAlreadyOwnedByYou", http.StatusConflict, "Your previous request to create the named bucket succeeded and you already own it.")
	}
	o.buckets[r.what.Bucket] = &bucket{created: time.Now(), objects: map[string]*object{}, uploads: map[string]*upload{}}
	w.Header().Set("Location", "/"+r.what.Bucket)
	return nil
}

func (o *objects) headBucket(w http.ResponseWriter, r *request) error {
	_, _, err := o.find(r.what.Bucket, "")
	return err
}

func (o *objects) deleteBucket(w http.ResponseWriter, r *request) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch b := o.buckets[r.what.Bucket]; {
	case b == nil:
		return noSuchBucket
	case len(b.objects) > 0:
		return refusal("BucketNotEmpty", http.StatusConflict, "The bucket you tried to delete is not empty")
	}
	delete(o.buckets, r.what.Bucket)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (o *objects) location(w http.ResponseWriter, r *request) error {
	if err := o.headBucket(w, r); err != nil {
		return err
	}
	return write(w, struct { // us-east-1 has no name here
		XMLName xml.Name `xml:"LocationConstraint"`
		Space   string   `xml:"xmlns,attr"`
	}{Space: namespace})
}

func (o *objects) versioning(w http.ResponseWriter, r *request) error {
	if err := o.headBucket(w, r); err != nil {
		return err
	}
	return write(w, struct { // never switched on
		XMLName xml.Name `xml:"VersioningConfiguration"`
		Space   string   `xml:"xmlns,attr"`
	}{Space: namespace})
}

// listObjects answers both versions, which differ in how a page is continued.
func (o *objects) listObjects(w http.ResponseWriter, r *request) error {
	type entry struct {
		Key, LastModified, ETag string
		Size                    int64
		StorageClass            string
	}
	type common struct{ Prefix string }
	var answer struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		Space                 string   `xml:"xmlns,attr"`
		Name, Prefix          string
		Delimiter             string `xml:",omitempty"`
		MaxKeys               int
		EncodingType          string `xml:",omitempty"`
		IsTruncated           bool
		Marker                *string
		NextMarker            string `xml:",omitempty"`
		KeyCount              *int
		ContinuationToken     string `xml:",omitempty"`
		NextContinuationToken string `xml:",omitempty"`
		StartAfter            string `xml:",omitempty"`
		Contents              []entry
		CommonPrefixes        []common
	}
	b, _, err := o.find(r.what.Bucket, "")
	if err != nil {
		return err
	}
	spell := func(s string) string { return s }
	if answer.EncodingType = param(r, "encoding-type"); answer.EncodingType == "url" {
		// Some clients take a "+" for a space and some do not.
		spell = func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	}
	limit := 1000
	if n, err := strconv.Atoi(param(r, "max-keys")); err == nil && n >= 0 {
		limit = min(n, limit)
	}
	second := param(r, "list-type") == "2"
	after := param(r, "marker")
	if second {
		after = max(param(r, "start-after"), param(r, "continuation-token"))
	}
	o.mu.Lock()
	page := b.list(param(r, "prefix"), param(r, "delimiter"), after, limit)
	for _, key := range page.keys {
		found := b.objects[key]
		answer.Contents = append(answer.Contents, entry{spell(key), stamp(found.modified), `"` + found.etag + `"`, found.size, "STANDARD"})
	}
	o.mu.Unlock()
	for _, prefix := range page.prefixes {
		answer.CommonPrefixes = append(answer.CommonPrefixes, common{spell(prefix)})
	}
	answer.Space, answer.Name, answer.MaxKeys, answer.IsTruncated = namespace, r.what.Bucket, limit, page.last != ""
	answer.Prefix, answer.Delimiter = spell(param(r, "prefix")), spell(param(r, "delimiter"))
	if second {
		count := len(page.keys) + len(page.prefixes)
		answer.KeyCount, answer.StartAfter = &count, spell(param(r, "start-after"))
		answer.ContinuationToken, answer.NextContinuationToken = param(r, "continuation-token"), page.last
	} else {
		marker := spell(after)
		answer.Marker, answer.NextMarker = &marker, spell(page.last)
	}
	return write(w, answer)
}

func (o *objects) putObject(w http.ResponseWriter, r *request) error {
	made, err := o.keep(r.body, r.Header)
	if err == nil {
		err = o.put(r.what.Bucket, r.what.Key, made)
	}
	if err != nil {
		return err
	}
	w.Header().Set("ETag", `"`+made.etag+`"`)
	return nil
}

// postObject stores the file of a browser form.
func (o *objects) postObject(w http.ResponseWriter, r *request) error {
	header := http.Header{}
	for _, f := range r.form.Fields() {
		header.Set(f.Name, f.Value)
	}
	made, err := o.keep(r.body, header)
	if err == nil {
		err = o.put(r.what.Bucket, r.what.Key, made)
	}
	if err != nil {
		return err
	}
	w.Header().Set("ETag", `"`+made.etag+`"`)
	status, _ := r.form.Field("success_action_status")
	if status != "200" && status != "201" {
		w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// getObject answers GET and HEAD, with ranges and conditions.
func (o *objects) getObject(w http.ResponseWriter, r *request) error {
	found, err := o.stored(r.what.Bucket, r.what.Key)
	if err != nil {
		return err
	}
	file, err := os.Open(found.file)
	if err != nil {
		return err
	}
	defer file.Close()
	for name, values := range found.header {
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			name = strings.ToLower(name) // as S3 has it, and some clients take it as it is
		}
		w.Header()[name] = values
	}
	w.Header().Set("ETag", `"`+found.etag+`"`)
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "binary/octet-stream")
	}
	http.ServeContent(w, r.Request, "", found.modified, file)
	return nil
}

// source reads what a copy copies.
func (o *objects) source(r *request) (io.ReadCloser, *object, error) {
	found, err := o.stored(r.what.SourceBucket, r.what.SourceKey)
	if err != nil {
		return nil, nil, err
	}
	content, err := found.open(r.Header.Get("X-Amz-Copy-Source-Range"))
	return content, found, err
}

type copied struct {
	XMLName      xml.Name
	LastModified string
	ETag         string
}

func (o *objects) copyObject(w http.ResponseWriter, r *request) error {
	content, found, err := o.source(r)
	if err != nil {
		return err
	}
	defer content.Close()
	header := found.header
	if r.Header.Get("X-Amz-Metadata-Directive") == "REPLACE" {
		header = r.Header
	}
	made, err := o.keep(content, header)
	if err == nil {
		err = o.put(r.what.Bucket, r.what.Key, made)
	}
	if err != nil {
		return err
	}
	return write(w, copied{xml.Name{Local: "CopyObjectResult"}, stamp(made.modified), `"` + made.etag + `"`})
}

func (o *objects) deleteObject(w http.ResponseWriter, r *request) error {
	if err := o.remove(r.what.Bucket, r.what.Key); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// remove takes an object away. Its file stays for those who read it.
func (o *objects) remove(bucketName, key string) error {
	b, _, err := o.find(bucketName, key)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(b.objects, key)
	return nil
}

// deleteObjects deletes what may be deleted and reports the rest.
func (o *objects) deleteObjects(w http.ResponseWriter, r *request) error {
	type deleted struct{ Key string }
	type failed struct{ Key, Code, Message string }
	var answer struct {
		XMLName xml.Name `xml:"DeleteResult"`
		Space   string   `xml:"xmlns,attr"`
		Deleted []deleted
		Error   []failed
	}
	var list struct{ Quiet bool }
	if err := xml.Unmarshal(r.naming, &list); err != nil {
		return refusal(s3.MalformedXML, http.StatusBadRequest, "The XML you provided was not well-formed.")
	}
	group := -1
	for _, need := range r.what.Needs {
		if need.Group == group {
			continue
		}
		group = need.Group
		err := r.denied[group]
		if err == nil {
			err = o.remove(need.Bucket, need.Key)
		}
		if e, ok := err.(*sigv4.Error); ok {
			answer.Error = append(answer.Error, failed{need.Key, string(e.Code), e.Message})
		} else if !list.Quiet {
			answer.Deleted = append(answer.Deleted, deleted{need.Key})
		}
	}
	answer.Space = namespace
	return write(w, answer)
}

func (o *objects) createUpload(w http.ResponseWriter, r *request) error {
	id, err := o.begin(r.what.Bucket, r.what.Key, r.Header)
	if err != nil {
		return err
	}
	return write(w, struct {
		XMLName               xml.Name `xml:"InitiateMultipartUploadResult"`
		Space                 string   `xml:"xmlns,attr"`
		Bucket, Key, UploadId string
	}{Space: namespace, Bucket: r.what.Bucket, Key: r.what.Key, UploadId: id})
}

func (o *objects) uploadPart(w http.ResponseWriter, r *request) error {
	made, err := o.keep(r.body, r.Header)
	if err == nil {
		err = o.part(r, made)
	}
	if err != nil {
		return err
	}
	w.Header().Set("ETag", `"`+made.etag+`"`)
	return nil
}

func (o *objects) copyPart(w http.ResponseWriter, r *request) error {
	content, _, err := o.source(r)
	if err != nil {
		return err
	}
	defer content.Close()
	made, err := o.keep(content, http.Header{})
	if err == nil {
		err = o.part(r, made)
	}
	if err != nil {
		return err
	}
	return write(w, copied{xml.Name{Local: "CopyPartResult"}, stamp(made.modified), `"` + made.etag + `"`})
}

// part is a part as documents name it.
type part struct {
	PartNumber int
	ETag       string
}

func (o *objects) completeUpload(w http.ResponseWriter, r *request) error {
	var list struct{ Part []part }
	if err := read(r, &list); err != nil {
		return err
	}
	made, err := o.complete(r, list.Part)
	if err != nil {
		return err
	}
	return write(w, struct {
		XMLName           xml.Name `xml:"CompleteMultipartUploadResult"`
		Space             string   `xml:"xmlns,attr"`
		Bucket, Key, ETag string
	}{Space: namespace, Bucket: r.what.Bucket, Key: r.what.Key, ETag: `"` + made.etag + `"`})
}

func (o *objects) abortUpload(w http.ResponseWriter, r *request) error {
	if err := o.drop(r); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (o *objects) listParts(w http.ResponseWriter, r *request) error {
	type entry struct {
		part
		LastModified string
		Size         int64
	}
	answer := struct {
		XMLName               xml.Name `xml:"ListPartsResult"`
		Space                 string   `xml:"xmlns,attr"`
		Bucket, Key, UploadId string
		IsTruncated           bool
		Part                  []entry
	}{Space: namespace, Bucket: r.what.Bucket, Key: r.what.Key, UploadId: param(r, "uploadId")}
	o.mu.Lock()
	u, err := o.uploadLocked(r)
	if err == nil {
		for _, n := range slices.Sorted(maps.Keys(u.parts)) {
			p := u.parts[n]
			answer.Part = append(answer.Part, entry{part{n, `"` + p.etag + `"`}, stamp(p.modified), p.size})
		}
	}
	o.mu.Unlock()
	if err != nil {
		return err
	}
	return write(w, answer)
}

func (o *objects) listUploads(w http.ResponseWriter, r *request) error {
	type entry struct{ Key, UploadId, Initiated string }
	answer := struct {
		XMLName     xml.Name `xml:"ListMultipartUploadsResult"`
		Space       string   `xml:"xmlns,attr"`
		Bucket      string
		IsTruncated bool
		Upload      []entry
	}{Space: namespace, Bucket: r.what.Bucket}
	b, _, err := o.find(r.what.Bucket, "")
	if err != nil {
		return err
	}
	o.mu.Lock()
	for _, id := range slices.Sorted(maps.Keys(b.uploads)) {
		u := b.uploads[id]
		answer.Upload = append(answer.Upload, entry{u.key, id, stamp(u.begun)})
	}
	o.mu.Unlock()
	return write(w, answer)
}
