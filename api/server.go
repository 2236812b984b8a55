package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/internal/lockout"
)

// maxBody is the largest request body, in bytes.
const maxBody = 1 << 20

// Server is the API as an http.Handler. It is safe for concurrent use.
type Server struct {
	config  Config
	v1      *http.ServeMux
	limiter *limiter
	lockout *lockout.Table
}

// New returns a Server for c.
func New(c Config) (*Server, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	s := &Server{config: c, limiter: &limiter{limits: c.Limits, sources: newSources()}, lockout: lockout.New(c.Limits.Lockout)}
	s.v1 = s.routes()
	return s, nil
}

// ServeHTTP serves one request: health and metrics to anybody, all else to whom
// has signed it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := s.newRequestID()
	w.Header().Set("X-Amzn-RequestId", id)
	switch {
	case r.URL.Path == "/livez":
		writeText(w, http.StatusOK, "ok\n")
	case r.URL.Path == "/readyz":
		s.serveReady(w)
	case r.URL.Path == "/metrics":
		s.config.Metrics.ServeHTTP(w, r)
	case strings.HasPrefix(r.URL.Path, "/v1/"):
		s.serveV1(w, r, id)
	case r.URL.Path == "/" && (r.Method == http.MethodPost || r.Method == http.MethodGet):
		s.serveQuery(w, r, id)
	default:
		writeText(w, http.StatusNotFound, "<UnknownOperationException/>\n")
	}
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, text)
}

func (s *Server) serveReady(w http.ResponseWriter) {
	if err := s.config.Ready(); err != nil {
		writeText(w, http.StatusServiceUnavailable, "not ready: "+err.Error()+"\n")
		return
	}
	writeText(w, http.StatusOK, "ok\n")
}

// call is one request on its way through an action.
type call struct {
	ctx    context.Context
	server *Server
	http   *http.Request
	id     string // request id, as the client is told
	now    iam.Time
	form   form
	body   []byte // of a call under /v1
	caller caller
	view   *state.View
	token  string        // what the client gave to make a retry harmless; empty: nothing
	index  iam.Index     // of the last command that was committed; zero: none
	takes  bool          // a command that was committed may have taken authority away
	wait   time.Duration // for sidecars to follow, if takes
	before string        // digest of the state before what was committed
	after  string        // and behind it
}

// serveQuery answers a call of the IAM or STS Query API.
func (s *Server) serveQuery(w http.ResponseWriter, r *http.Request, id string) {
	ctx, cancel := context.WithTimeout(r.Context(), s.config.Timeout)
	defer cancel()
	c := &call{ctx: ctx, server: s, http: r, id: id, now: iam.At(s.config.Now()), form: form{}, caller: unsigned}
	a, answer, err := c.query()
	if err != nil {
		s.refuse(c, a.label(), err).writeXML(w, a.namespace(), id)
		return
	}
	s.answered(w, c, a.label())
	writeXML(w, http.StatusOK, response{a, answer, id})
}

// answered tells the observer of a call that went through, and the client at
// which index, once the sidecars have followed.
func (s *Server) answered(w http.ResponseWriter, c *call, label string) {
	c.record(label, "")
	s.config.Observe(Outcome{Action: label, Caller: c.caller.arn, Took: s.config.Now().Sub(c.now.Go()), Index: c.index})
	if c.index != 0 {
		c.fence(w.Header())
		w.Header().Set("X-Doorward-Index", fmt.Sprint(c.index))
	}
	if ends, soon := c.caller.endsSoon(c.now); soon {
		w.Header().Set("X-Doorward-Key-Expires", ends.ISO())
	}
}

// query reads, authenticates, validates, authorises and runs the call, in this
// order: nobody learns more than the syntax of an action without a permission.
func (c *call) query() (*action, any, error) {
	if err := c.throttled(); err != nil {
		return nil, nil, err
	}
	body, err := readBody(c.http, maxBody)
	if err != nil {
		return nil, nil, err
	}
	if err := c.readForm(body); err != nil {
		return nil, nil, err
	}
	a, known := actions[c.form["Action"]]
	if !known {
		a = unknownAction(c.form)
	}
	if !a.unsigned {
		if err := c.authenticate(body, a.service); err != nil {
			return a, nil, err
		}
	}
	if err := c.recognise(a, known); err != nil {
		return nil, nil, err
	}
	if err := c.barred(a.permission()); err != nil {
		return a, nil, err
	}
	if err := validate(c.form, a.params); err != nil {
		return a, nil, err
	}
	if err := c.pin(a.writes); err != nil {
		return a, nil, err
	}
	if err := c.authorize(a); err != nil {
		return a, nil, err
	}
	answer, err := a.run(c)
	return a, answer, err
}

// recognise refuses actions and versions that there are none of.
func (c *call) recognise(a *action, known bool) error {
	name, version := c.form["Action"], c.form["Version"]
	switch {
	case name == "":
		return iam.Errorf(iam.MissingAction, "The request must contain the parameter Action.")
	case version == "":
		version = "NO_VERSION_SPECIFIED"
	case known && version == a.version():
		return nil
	}
	return iam.Errorf(iam.InvalidAction, "Could not find operation %s for version %s", name, version)
}

func readBody(r *http.Request, most int64) ([]byte, error) {
	if r.ContentLength > most {
		return nil, iam.Errorf(requestTooLarge, "The request body has %d bytes; at most %d are read.", r.ContentLength, most)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err != nil {
		return nil, iam.Errorf(invalidRequest, "The request body could not be read.")
	}
	if int64(len(body)) > most {
		return nil, iam.Errorf(requestTooLarge, "The request body is larger than %d bytes, the most that is read.", most)
	}
	return body, nil
}

// readForm takes the parameters from the query and, for a form, from the body.
func (c *call) readForm(body []byte) error {
	if err := c.form.parse(c.http.URL.RawQuery); err != nil {
		return err
	}
	media, _, _ := mime.ParseMediaType(c.http.Header.Get("Content-Type"))
	if media != "application/x-www-form-urlencoded" {
		return nil
	}
	return c.form.parse(string(bytes.TrimRight(body, "\r\n")))
}

// pin fixes the view that the call is decided and answered from. A call that
// changes something, or that asks for it, is decided on a view that holds all
// that was committed before it.
func (c *call) pin(consistent bool) error {
	var err error
	if c.wait, err = fenceLimit(c.http); err != nil {
		return err
	}
	if !consistent && c.http.Header.Get("X-Doorward-Consistent") != "true" {
		c.view = c.server.config.Store.View()
		return nil
	}
	view, err := c.server.config.Store.Consistent(c.ctx)
	if err != nil {
		return unavailable(err)
	}
	c.view = view
	return nil
}

// propose has a command committed and moves the call to a view that holds it.
func (c *call) propose(cmd iam.Command) error {
	if err := c.auditable(); err != nil {
		return err
	}
	before := digest(c.server.config.Store.View())
	result, err := c.commit(cmd)
	if err != nil {
		return err
	}
	if result.Err != nil {
		return result.Err
	}
	c.index, c.takes = result.Index, c.takes || !onlyGives(cmd)
	c.view = c.server.config.Store.View()
	if c.before == "" {
		c.before = before
	}
	c.after = digest(c.view)
	return nil
}

// commitAttempts is how often a command is proposed whose guard does not hold, because
// what it had looked at changed before its turn.
const commitAttempts = 5

// commit has a command committed, looking again at what it depends on if that has
// changed meanwhile.
func (c *call) commit(cmd iam.Command) (result iam.Result, err error) {
	for attempt := range commitAttempts {
		guarded, err := c.keepAdministrator(cmd)
		if err != nil {
			return result, err
		}
		result, err = c.server.config.Store.Propose(c.ctx, iam.Envelope{
			Command: guarded, Request: c.requestKey(attempt), Actor: c.caller.arn, Time: c.now,
		})
		if err != nil {
			return result, unavailable(err)
		}
		if result.Err == nil || result.Err.Code != iam.ConcurrentModification {
			break
		}
		c.view = c.server.config.Store.View()
	}
	return result, nil
}

// requestKey is the id under which a retry of this call is recognised: the
// client's token together with all that it asks for, or random if there is none. An
// attempt of the call itself is no retry.
func (c *call) requestKey(attempt int) [16]byte {
	if c.token == "" {
		return [16]byte(c.server.random(16))
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %q", c.token, c.http.URL.Path)
	if attempt > 0 {
		fmt.Fprintf(sum, " attempt %d", attempt)
	}
	for _, name := range slices.Sorted(maps.Keys(c.form)) {
		fmt.Fprintf(sum, " %q=%q", name, c.form[name])
	}
	return [16]byte(sum.Sum(nil)[:16])
}

// unavailable is what a client is told when the store did not answer: the outcome
// is not known, and asking again is safe with the same client token; or it is known
// that nothing happened, and then the client is told when to ask again.
func unavailable(err error) error {
	if errors.Is(err, iam.ErrUnchanged) {
		return iam.Errorf(iam.ServiceUnavailable, "The store cannot do this now: %w. Try again after a moment.", err)
	}
	return iam.Errorf(iam.ServiceUnavailable, "The store did not answer in time: %w. Try again.", err)
}

// refuse tells the observer, logs what an operator has to know, and returns what
// the client is told.
func (s *Server) refuse(c *call, label string, err error) refusal {
	told := refusalOf(err)
	c.record(label, told.code)
	if told.status >= http.StatusInternalServerError {
		s.config.Log.Error("request failed", slog.String("request", c.id), slog.String("action", label), slog.Any("error", err))
	}
	s.config.Observe(Outcome{Action: label, Caller: c.caller.arn, Code: told.code, Took: s.config.Now().Sub(c.now.Go())})
	return told
}

// random returns n bytes of the random source.
func (s *Server) random(n int) []byte {
	out := make([]byte, n)
	if _, err := io.ReadFull(s.config.Random, out); err != nil {
		panic("api: the random source failed: " + err.Error())
	}
	return out
}

// newRequestID returns a random UUID.
func (s *Server) newRequestID() string {
	b := s.random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	text := hex.EncodeToString(b)
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}

// rules are what a signature for one service must obey.
func (s *Server) rules(service sigv4.Service) *sigv4.Rules {
	return &sigv4.Rules{
		Services:  []sigv4.Service{service},
		Regions:   []string{s.config.Region},
		AnyRegion: !s.config.StrictRegion,

		SymmetricOnly: true,
	}
}
