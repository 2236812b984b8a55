package plain

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
)

// objects are buckets of objects, whose content is in files without names of their
// own, so that no key is ever a path.
type objects struct {
	dir string

	mu      sync.Mutex
	last    int // number of the last file or upload
	buckets map[string]*bucket
}

type bucket struct {
	created time.Time
	objects map[string]*object
	uploads map[string]*upload
}

// object is an object or a part; it does not change.
type object struct {
	file     string
	size     int64
	etag     string
	header   http.Header // Content-Type, X-Amz-Meta-* and the like
	modified time.Time
}

// upload is a multipart upload under way.
type upload struct {
	key    string
	header http.Header
	begun  time.Time
	parts  map[int]*object
}

func newObjects(dir string) *objects { return &objects{dir: dir, buckets: map[string]*bucket{}} }

var (
	noSuchBucket = refusal("NoSuchBucket", http.StatusNotFound, "The specified bucket does not exist")
	noSuchKey    = refusal("NoSuchKey", http.StatusNotFound, "The specified key does not exist.")
	noSuchUpload = refusal("NoSuchUpload", http.StatusNotFound, "The specified multipart upload does not exist.")
	invalidPart  = refusal("InvalidPart", http.StatusBadRequest, "One or more of the specified parts could not be found.")
)

// find returns a bucket and one of its objects, nil if there is none.
func (o *objects) find(bucketName, key string) (*bucket, *object, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.buckets[bucketName]
	if b == nil {
		return nil, nil, noSuchBucket
	}
	return b, b.objects[key], nil
}

// stored finds an object that has to be there.
func (o *objects) stored(bucketName, key string) (*object, error) {
	_, found, err := o.find(bucketName, key)
	if err == nil && found == nil {
		err = noSuchKey
	}
	return found, err
}

// keep writes content to a file. It returns nothing unless content has come to its
// verified end, so that nothing else can ever be seen.
func (o *objects) keep(content io.Reader, header http.Header) (*object, error) {
	o.mu.Lock()
	o.last++
	name := filepath.Join(o.dir, strconv.Itoa(o.last))
	o.mu.Unlock()
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	sum := md5.New()
	size, err := io.Copy(io.MultiWriter(file, sum), content)
	if err = errors.Join(err, file.Close()); err == nil {
		err = digest(header, sum)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(name))
	}
	return &object{file: name, size: size, etag: hex.EncodeToString(sum.Sum(nil)), header: kept(header), modified: time.Now()}, nil
}

// digest compares the body with its Content-MD5.
func digest(header http.Header, sum hash.Hash) error {
	want := header.Get("Content-Md5")
	if want != "" && want != base64.StdEncoding.EncodeToString(sum.Sum(nil)) {
		return refusal(sigv4.BadDigest, http.StatusBadRequest, "The Content-MD5 you specified did not match what we received.")
	}
	return nil
}

// kept are the header fields that belong to an object. The transfer encoding has
// been taken off.
func kept(header http.Header) http.Header {
	out := http.Header{}
	for name, values := range header {
		if name == "Content-Type" || name == "Cache-Control" || name == "Content-Disposition" || strings.HasPrefix(name, "X-Amz-Meta-") {
			out[name] = values
		}
	}
	encoding, _ := strings.CutPrefix(header.Get("Content-Encoding"), "aws-chunked")
	if encoding = strings.TrimLeft(encoding, ", "); encoding != "" {
		out.Set("Content-Encoding", encoding)
	}
	return out
}

// put makes an object visible.
func (o *objects) put(bucketName, key string, made *object) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.buckets[bucketName]
	if b == nil {
		return noSuchBucket
	}
	b.objects[key] = made
	return nil
}

// open returns the content of an object, or the part of it that a copy asks for in
// the form bytes=0-9.
func (found *object) open(span string) (io.ReadCloser, error) {
	file, err := os.Open(found.file)
	if err != nil || span == "" {
		return file, err
	}
	var first, last int64
	if _, err := fmt.Sscanf(span, "bytes=%d-%d", &first, &last); err != nil || first > last || last >= found.size {
		return nil, errors.Join(refusal(sigv4.InvalidArgument, http.StatusBadRequest, "The range does not lie within the source."), file.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(file, first, last-first+1), file}, nil
}

// begin starts a multipart upload and returns its id.
func (o *objects) begin(bucketName, key string, header http.Header) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.buckets[bucketName]
	if b == nil {
		return "", noSuchBucket
	}
	o.last++
	id := "upload-" + strconv.Itoa(o.last)
	b.uploads[id] = &upload{key: key, header: kept(header), begun: time.Now(), parts: map[int]*object{}}
	return id, nil
}

// part adds a part to an upload, or in place of the one of its number.
func (o *objects) part(r *request, made *object) error {
	number, err := strconv.Atoi(param(r, "partNumber"))
	if err != nil || number < 1 || number > 10_000 {
		return refusal(sigv4.InvalidArgument, http.StatusBadRequest, "Part number must be an integer between 1 and 10000, inclusive")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	u, err := o.uploadLocked(r)
	if err == nil {
		u.parts[number] = made
	}
	return err
}

// uploadLocked returns the upload that a request is about, which has to be for its
// key.
func (o *objects) uploadLocked(r *request) (*upload, error) {
	b := o.buckets[r.what.Bucket]
	if b == nil {
		return nil, noSuchBucket
	}
	u := b.uploads[param(r, "uploadId")]
	if u == nil || u.key != r.what.Key {
		return nil, noSuchUpload
	}
	return u, nil
}

// complete makes one object of the parts, which are named by number and ETag.
func (o *objects) complete(r *request, parts []part) (*object, error) {
	o.mu.Lock()
	u, err := o.uploadLocked(r)
	var made map[int]*object
	if err == nil {
		made = maps.Clone(u.parts)
	}
	o.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var content []io.Reader
	sums := md5.New()
	for i, p := range parts {
		one := made[p.PartNumber]
		switch {
		case one == nil || strings.Trim(p.ETag, `"`) != one.etag:
			return nil, invalidPart
		case i > 0 && p.PartNumber <= parts[i-1].PartNumber:
			return nil, refusal("InvalidPartOrder", http.StatusBadRequest, "The list of parts was not in ascending order.")
		}
		file, err := one.open("")
		if err != nil {
			return nil, err
		}
		defer file.Close()
		content = append(content, file)
		sum, _ := hex.DecodeString(one.etag)
		sums.Write(sum)
	}
	whole, err := o.keep(io.MultiReader(content...), u.header)
	if err != nil {
		return nil, err
	}
	whole.etag = hex.EncodeToString(sums.Sum(nil)) + "-" + strconv.Itoa(len(parts))
	if err := o.put(r.what.Bucket, r.what.Key, whole); err != nil {
		return nil, err
	}
	return whole, o.drop(r)
}

// drop ends an upload and removes its parts.
func (o *objects) drop(r *request) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	u, err := o.uploadLocked(r)
	if err != nil {
		return err
	}
	for _, p := range u.parts {
		err = errors.Join(err, os.Remove(p.file))
	}
	delete(o.buckets[r.what.Bucket].uploads, param(r, "uploadId"))
	return err
}

// listing is a page of a bucket.
type listing struct {
	keys     []string
	prefixes []string
	last     string // of both, if there is more
}

// list returns up to limit keys and common prefixes behind after.
func (b *bucket) list(prefix, delimiter, after string, limit int) (page listing) {
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		entry, common := key, false
		if rest := key[len(prefix):]; delimiter != "" {
			if at := strings.Index(rest, delimiter); at >= 0 {
				entry, common = prefix+rest[:at+len(delimiter)], true
			}
		}
		n := len(page.prefixes)
		if entry <= after || common && n > 0 && page.prefixes[n-1] == entry {
			continue
		}
		if len(page.keys)+n == limit {
			return page
		}
		if page.last = entry; common {
			page.prefixes = append(page.prefixes, entry)
		} else {
			page.keys = append(page.keys, entry)
		}
	}
	page.last = ""
	return page
}

// param is a query parameter, read as the mapping reads it: "+" is a plus sign.
func param(r *request, name string) string {
	for piece := range strings.SplitSeq(r.URL.RawQuery, "&") {
		n, value, _ := strings.Cut(piece, "=")
		if n, err := url.PathUnescape(n); err != nil || n != name {
			continue
		}
		value, _ = url.PathUnescape(value)
		return value
	}
	return ""
}
