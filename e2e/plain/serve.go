package plain

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/protocol"
)

// maxNaming bounds a body that names what a request is about, such as the keys of
// a multi-object delete: S3 allows 1,000 keys of 1,024 bytes.
const maxNaming = 2 << 20

// Server answers S3 requests that Doorward allows.
type Server struct {
	authorizer *sidecar.Authorizer
	objects    http.Handler
	rules      *sigv4.Rules
}

// New returns a server with no buckets.
func New(authorizer *sidecar.Authorizer) *Server {
	rules := sigv4.S3Rules("us-east-1")
	rules.AnyRegion = true
	return &Server{authorizer: authorizer, objects: gofakes3.New(s3mem.New()).Server(), rules: rules}
}

// ServeHTTP asks, makes the body prove itself while it is read, and serves.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	question, err := ask(r)
	if err != nil {
		refuse(w, r, err)
		return
	}
	var decision sidecar.Decision
	s.authorizer.Authorize(r.Context(), question, &decision)
	switch {
	case decision.Refusal != nil:
		refuse(w, r, decision.Refusal)
		return
	case !decision.Allowed():
		refuse(w, r, &sigv4.Error{Code: iam.AccessDenied, Status: http.StatusForbidden, Message: "facts are missing: " + strings.Join(decision.Missing, ", ")})
		return
	}
	if err := s.proveBody(r, question); err != nil {
		refuse(w, r, err)
		return
	}
	s.objects.ServeHTTP(w, r)
}

// ask turns the request, as it came off the wire, into a question.
func ask(r *http.Request) (*sidecar.Request, error) {
	seen := sigv4.FromHTTP(r, nil)
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return nil, err
	}
	q := &sidecar.Request{Method: seen.Method, Target: seen.Target, Remote: remote.Addr(), Secure: r.TLS != nil}
	for _, h := range seen.Headers {
		q.Headers = append(q.Headers, protocol.Pair{Name: h.Name, Value: h.Value})
	}
	if namesObjects(r) {
		body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxNaming))
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		q.Body, q.HasBody, q.BodyHash = body, true, sigv4.HashBody(body)
	}
	return q, nil
}

// namesObjects reports whether the body says what the request is about: a
// multi-object delete, or the settings of a bucket.
func namesObjects(r *http.Request) bool {
	query := r.URL.Query()
	bucketOnly := !strings.Contains(strings.Trim(r.URL.Path, "/"), "/")
	return query.Has("delete") || (r.Method == http.MethodPut && bucketOnly) || query.Has("tagging") || query.Has("retention") || query.Has("legal-hold")
}

// proveBody puts a reader in front of the body that ends without an error only if
// the body is what was signed, and takes the transfer encoding off.
func (s *Server) proveBody(r *http.Request, q *sidecar.Request) error {
	seen := sigv4.FromHTTP(r, nil)
	seen.Body = q.BodyHash
	credential, err := s.rules.Parse(&seen, iam.At(time.Now()))
	if err != nil || credential.Kind() == sigv4.Anonymous {
		return err
	}
	held, err := s.authorizer.SigningKey(r.Context(), credential.AccessKeyID(), credential.Token(), credential.Scope(), 0)
	if err != nil {
		return err
	}
	key := sigv4.NewSigningKey(held.Key, credential.Scope())
	verified, err := credential.Verify(&key)
	if err != nil {
		return err
	}
	body, err := sigv4.NewBody(&verified, &key, r.Body)
	if err != nil {
		return err
	}
	// The object store sees the whole body or none of it.
	content, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(content)), int64(len(content))
	r.Header.Set("Content-Length", strconv.Itoa(len(content)))
	plain(r)
	return nil
}

// plain takes off what the object store must not look at again.
func plain(r *http.Request) {
	for _, name := range []string{"Authorization", "X-Amz-Content-Sha256", "X-Amz-Decoded-Content-Length", "X-Amz-Trailer"} {
		r.Header.Del(name)
	}
	encoding, _ := strings.CutPrefix(r.Header.Get("Content-Encoding"), "aws-chunked")
	if encoding = strings.TrimLeft(encoding, ", "); encoding == "" {
		r.Header.Del("Content-Encoding")
	} else {
		r.Header.Set("Content-Encoding", encoding)
	}
	query := r.URL.Query()
	for name := range query {
		if strings.HasPrefix(name, "X-Amz-") {
			query.Del(name)
		}
	}
	r.URL.RawQuery = strings.ReplaceAll(url.Values(query).Encode(), "+", "%20")
}

func refuse(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *sigv4.Error
	if !errors.As(err, &refusal) {
		refusal = &sigv4.Error{Code: iam.ServiceUnavailable, Status: http.StatusServiceUnavailable, Message: err.Error()}
	}
	id := rand.Text()
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Amz-Request-Id", id)
	w.WriteHeader(refusal.Status)
	if r.Method != http.MethodHead {
		w.Write(refusal.AppendS3(nil, r.URL.Path, id, "doorward"))
	}
}
