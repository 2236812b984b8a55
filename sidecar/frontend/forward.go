package frontend

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/protocol"
)

// Proxy says in which header fields a proxy tells about the request that it asks
// for. The proxy must set every field that is named here itself, in the place of
// whatever the client sent.
type Proxy struct {
	Method string // the request's method
	Target string // its request-target, byte for byte
	Length string // its Content-Length, empty where it had none; "" if the proxy keeps Content-Length
	Remote string // the client's address; of a list, the last is the proxy's own word
	Scheme string // "https" if the client's connection used TLS; "" if the proxy does not say
	// Flat makes every refusal 403, for proxies that know no other (nginx's
	// auth_request turns 400 into 500). The real status is in X-Doorward-Status.
	Flat bool
}

// The proxies for which deploy has a configuration.
var (
	Nginx = Proxy{
		Method: "X-Original-Method", Target: "X-Original-URI", Length: "X-Original-Content-Length",
		Remote: "X-Real-IP", Scheme: "X-Original-Scheme", Flat: true,
	}
	Caddy = Proxy{
		Method: "X-Forwarded-Method", Target: "X-Forwarded-Uri", Length: "X-Original-Content-Length",
		Remote: "X-Forwarded-For", Scheme: "X-Forwarded-Proto",
	}
	HAProxy = Nginx
)

// control are the fields in which some proxy may tell something. They are no part
// of the client's request, whoever sent them.
var control = map[string]bool{
	"X-Original-Method": true, "X-Original-Uri": true, "X-Original-Content-Length": true, "X-Original-Scheme": true,
	"X-Real-Ip": true, "X-Forwarded-Method": true, "X-Forwarded-Uri": true, "X-Forwarded-For": true,
	"X-Forwarded-Proto": true, "X-Forwarded-Host": true, "X-Forwarded-Port": true, "X-Auth-Principal": true,
	"X-Auth-Account": true, "X-Auth-User": true, "Content-Length": true, "Transfer-Encoding": true,
}

// forward answers a proxy: 200 lets the request pass, anything else does not.
func (d *doors) forward(w http.ResponseWriter, r *http.Request) {
	q, err := d.config.Proxy.request(r)
	if err != nil {
		d.config.Logger.Warn("proxy does not say which request it asks for", "error", err)
		d.refuse(w, err, "")
		return
	}
	var decision sidecar.Decision
	d.authorizer.Authorize(r.Context(), q, &decision)
	header := w.Header()
	header.Set("X-Doorward-Index", strconv.FormatUint(uint64(decision.Index), 10))
	switch decision.Effect {
	case authz.Allow:
		header.Set("X-Auth-Principal", string(decision.Principal))
		header.Set("X-Auth-Account", string(decision.Account))
		header.Set("X-Auth-User", decision.Name)
		w.WriteHeader(http.StatusOK)
	case authz.Need:
		d.refuse(w, &sigv4.Error{
			Code: iam.AccessDenied, Status: http.StatusForbidden,
			Message: "The decision turns on what a proxy does not see: " + strings.Join(decision.Missing, ", ") + ".",
		}, q.Target)
	default:
		refusal := *decision.Refusal
		refusal.Message = decision.Message()
		d.refuse(w, &refusal, q.Target)
	}
}

// refuse answers with the S3 error document. A proxy that does not pass it on can
// make one of its own from the X-Doorward fields.
func (d *doors) refuse(w http.ResponseWriter, e *sigv4.Error, target string) {
	header := w.Header()
	header.Set("Content-Type", "application/xml")
	header.Set("X-Doorward-Code", string(e.Code))
	header.Set("X-Doorward-Status", strconv.Itoa(e.Status))
	if e.Status == http.StatusServiceUnavailable {
		header.Set("Retry-After", "1")
	}
	status := e.Status
	if d.config.Proxy.Flat && status < http.StatusInternalServerError {
		status = http.StatusForbidden
	}
	path, _, _ := strings.Cut(target, "?")
	w.WriteHeader(status)
	// A proxy that is gone needs no document.
	_, _ = w.Write(e.AppendS3(nil, path, "", ""))
}

// request makes the client's request out of the proxy's.
func (p *Proxy) request(r *http.Request) (*sidecar.Request, *sigv4.Error) {
	q := &sidecar.Request{Headers: []protocol.Pair{{Name: "Host", Value: r.Host}}}
	var err *sigv4.Error
	if q.Method, err = one(r, p.Method); err != nil {
		return nil, err
	}
	if q.Target, err = one(r, p.Target); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(q.Target, "/") {
		return nil, proxyError(p.Target + " is no request-target")
	}
	if err := p.connection(r, q); err != nil {
		return nil, err
	}
	for name, values := range r.Header {
		if control[name] {
			continue
		}
		for _, value := range values {
			q.Headers = append(q.Headers, protocol.Pair{Name: name, Value: value})
		}
	}
	length := r.Header.Get("Content-Length")
	if p.Length != "" {
		length = r.Header.Get(p.Length)
	}
	if length != "" {
		q.Headers = append(q.Headers, protocol.Pair{Name: "Content-Length", Value: length})
	}
	return q, nil
}

// connection reads what the proxy says about the client's connection.
func (p *Proxy) connection(r *http.Request, q *sidecar.Request) *sigv4.Error {
	remote, err := one(r, p.Remote)
	if err != nil {
		return err
	}
	last := strings.TrimSpace(remote[strings.LastIndexByte(remote, ',')+1:])
	address, bad := netip.ParseAddr(last)
	if bad != nil {
		return proxyError(p.Remote + " is no address")
	}
	q.Remote = address
	if p.Scheme != "" {
		scheme, err := one(r, p.Scheme)
		if err != nil {
			return err
		}
		q.Secure = scheme == "https"
	}
	return nil
}

// one returns the value of a field that must be there exactly once.
func one(r *http.Request, name string) (string, *sigv4.Error) {
	values := r.Header[http.CanonicalHeaderKey(name)]
	if len(values) != 1 || values[0] == "" {
		return "", proxyError("want the field " + name + " exactly once")
	}
	return values[0], nil
}

// proxyError is a mistake in the proxy's configuration.
func proxyError(text string) *sigv4.Error {
	return &sigv4.Error{Code: sigv4.InternalError, Status: http.StatusInternalServerError, Message: "The proxy is not set up: " + text + "."}
}
