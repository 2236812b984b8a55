package plain

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strings"
	"time"

	"github.com/doorward/doorward/authz/s3"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/protocol"
)

// maxNaming bounds a body that says what a request is about, such as the keys of a
// multi-object delete: S3 allows 1,000 keys of 1,024 bytes.
const maxNaming = 2 << 20

// Server answers S3 requests that Doorward allows.
type Server struct {
	authorizer *sidecar.Authorizer
	rules      *sigv4.Rules
	mapper     *s3.Mapper
	objects    *objects
}

// New returns a server with no buckets, which keeps its objects below dir.
func New(authorizer *sidecar.Authorizer, dir string) (*Server, error) {
	mapper, err := s3.New(s3.Config{OtherHosts: true})
	if err != nil {
		return nil, err
	}
	rules := sigv4.S3Rules("us-east-1")
	rules.AnyRegion = true
	return &Server{authorizer: authorizer, rules: rules, mapper: mapper, objects: newObjects(dir)}, nil
}

// Trusting returns a server that does whatever it is asked to, for a place behind a
// proxy that asks Doorward: it looks at no signature, also not at those of chunks.
func Trusting(dir string) (*Server, error) { return New(nil, dir) }

// ServeHTTP serves a request or refuses it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := rand.Text()
	w.Header().Set("X-Amz-Request-Id", id)
	if err := s.serve(w, r); err != nil {
		refuse(w, r, err, id)
	}
}

// request is one request on its way through the server.
type request struct {
	*http.Request
	seen     sigv4.Request
	verified sigv4.Verified
	form     *sigv4.Form // of a browser form
	body     io.Reader   // ends with io.EOF only if all that is signed about it holds
	what     s3.Result   // operation, bucket and key: the bytes that were authorised
	naming   []byte      // a body that says what the request is about
	denied   []error     // of a multi-object delete, why each key may not be deleted
}

// serve proves who signed, names what is asked, asks whether it may be done, and
// does it.
func (s *Server) serve(w http.ResponseWriter, httpRequest *http.Request) error {
	r := &request{Request: httpRequest, seen: sigv4.FromHTTP(httpRequest, nil)}
	if s.authorizer == nil {
		return s.trust(w, r)
	}
	if err := s.prove(r); err != nil {
		return err
	}
	if err := s.name(r); err != nil {
		return err
	}
	if err := s.ask(r); err != nil {
		return err
	}
	return s.act(w, r)
}

func (s *Server) trust(w http.ResponseWriter, r *request) error {
	r.body = r.Body
	if strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		// A signed chunk is one of HTTP's with the signature for its extension.
		r.body = httputil.NewChunkedReader(r.Body)
	}
	if err := s.name(r); err != nil {
		return err
	}
	return s.act(w, r)
}

// act does what was asked.
func (s *Server) act(w http.ResponseWriter, r *request) error {
	act := operations[r.what.Operation.Name()]
	if act == nil {
		return refusal(sigv4.NotImplemented, http.StatusNotImplemented, "This server has no "+r.what.Operation.Name()+".")
	}
	return act(s.objects, w, r)
}

// prove verifies the signature and puts the reader in front of the body that
// verifies it as it streams.
func (s *Server) prove(r *request) error {
	claim, err := s.rules.Parse(&r.seen, iam.At(time.Now()))
	if err == nil && claim.Kind() == sigv4.PostForm {
		// The head of the form says what the request is about.
		head := &recorder{from: r.Body}
		if r.form, err = sigv4.ReadForm(&r.seen, head); err == nil {
			r.naming, head.done = head.read, true
			claim, err = s.rules.ParseForm(&r.seen, r.form, strings.Trim(r.URL.Path, "/"), iam.At(time.Now()))
		}
	}
	if err != nil {
		return err
	}
	var key sigv4.SigningKey
	if claim.Kind() == sigv4.Anonymous {
		r.verified, err = claim.Admit()
	} else {
		held, keyErr := s.authorizer.SigningKey(r.Context(), claim.AccessKeyID(), claim.Token(), claim.Scope(), 0)
		if keyErr != nil {
			return keyErr
		}
		key = sigv4.NewSigningKey(held.Key, claim.Scope())
		r.verified, err = claim.Verify(&key)
	}
	if err != nil {
		return err
	}
	if r.form != nil {
		r.body = r.form.File()
		return nil
	}
	r.body, err = sigv4.NewBody(&r.verified, &key, r.Body)
	return err
}

// recorder keeps what has been read until it is done.
type recorder struct {
	from io.Reader
	read []byte
	done bool
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if !r.done {
		r.read = append(r.read, p[:n]...)
	}
	return n, err
}

// name says which operation the request is, and reads the body if that says so.
func (s *Server) name(r *request) error {
	q := &s3.Request{Method: r.seen.Method, Target: r.seen.Target}
	for _, h := range r.seen.Headers {
		q.Headers = append(q.Headers, s3.Header(h))
	}
	if r.form != nil {
		q.Form = r.form.Form
	}
	err := s.mapper.Map(q, &r.what)
	if err == nil && r.what.Missing != s3.NoBody {
		if r.naming, err = r.document(); err == nil {
			q.HasBody, q.Body = true, r.naming
			err = s.mapper.Map(q, &r.what)
		}
	}
	return err
}

// document reads a body to its verified end, without which nothing of it counts.
func (r *request) document() ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r.body, maxNaming+1))
	if err == nil && len(text) > maxNaming {
		err = refusal("MaxMessageLengthExceeded", http.StatusBadRequest, "Your request was too big.")
	}
	return text, err
}

// ask asks Doorward about the request as it came off the wire; about each key of a
// multi-object delete by itself.
func (s *Server) ask(r *request) error {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return err
	}
	q := &sidecar.Request{
		Method: r.seen.Method, Target: r.seen.Target, Remote: remote.Addr(), Secure: r.TLS != nil,
		Body: r.naming, HasBody: r.naming != nil,
	}
	for _, h := range r.seen.Headers {
		q.Headers = append(q.Headers, protocol.Pair(h))
	}
	var d sidecar.Decision
	s.authorizer.AuthorizeObjects(r.Context(), q, &d, func(d *sidecar.Decision) {
		if d.Each {
			r.denied = append(r.denied, why(d))
		} else {
			err = why(d)
		}
	})
	return err
}

// why returns the refusal of a decision, nil if it allows.
func why(d *sidecar.Decision) error {
	switch {
	case d.Allowed():
		return nil
	case d.Refusal != nil:
		return refusal(d.Refusal.Code, d.Refusal.Status, d.Message())
	}
	return refusal(iam.AccessDenied, http.StatusForbidden, "facts are missing: "+strings.Join(d.Missing, ", "))
}

func refusal(code iam.Code, status int, message string) *sigv4.Error {
	return &sigv4.Error{Code: code, Status: status, Message: message}
}

// refuse answers with the S3 error document.
func refuse(w http.ResponseWriter, r *http.Request, err error, id string) {
	var e *sigv4.Error
	var mapped *iam.Error
	switch {
	case errors.As(err, &e):
	case errors.As(err, &mapped):
		e = refusal(mapped.Code, s3.Status(mapped.Code), mapped.Message)
	default:
		e = refusal(iam.ServiceUnavailable, http.StatusServiceUnavailable, err.Error())
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(e.Status)
	if r.Method != http.MethodHead {
		w.Write(e.AppendS3(nil, r.URL.Path, id, "doorward"))
	}
}
