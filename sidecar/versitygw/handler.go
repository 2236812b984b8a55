package versitygw

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
)

// The protocol's version goes both ways in a header, on errors too: a gateway does
// not look at an answer without it.
const (
	protocolHeader  = "X-Vgw-Private-Protocol"
	protocolVersion = 1
)

// maxBody bounds a question: 1,000 resources with names of 1,024 bytes, as JSON.
const maxBody = 16 << 20

// Config says who the gateway is.
type Config struct {
	// Version is what the gateway logs at its start.
	Version string
	// AccessKey and Secret are the pair that the gateway signs its questions with
	// (its root pair, or --iam-standalone-access and -secret). If they are empty,
	// the signature is not looked at and the socket's modes and peer credentials
	// alone say who may ask.
	AccessKey iam.AccessKeyID
	Secret    string
	// Logger gets questions that could not be answered; nil discards.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handler answers the gateway.
type Handler struct {
	config     Config
	authorizer *sidecar.Authorizer
	mux        *http.ServeMux
}

// New returns a handler that answers from a.
func New(config Config, a *sidecar.Authorizer) *Handler {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	h := &Handler{config: config, authorizer: a, mux: http.NewServeMux()}
	h.mux.HandleFunc("POST /private/version", answer(h, h.version))
	h.mux.HandleFunc("POST /private/derive-signing-key", answer(h, h.signingKey))
	h.mux.HandleFunc("POST /private/evaluate-policy", answer(h, h.evaluate))
	h.mux.HandleFunc("POST /private/resolve-identity", answer(h, h.identities))
	h.mux.HandleFunc("POST /private/resolve-principals", answer(h, h.principals))
	return h
}

// ServeHTTP answers one question.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(protocolHeader, strconv.Itoa(protocolVersion))
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path != "/private/version" {
		if err := speaks(r.Header.Get(protocolHeader)); err != nil {
			h.fail(w, r, err)
			return
		}
	}
	h.mux.ServeHTTP(w, r)
}

// speaks refuses a gateway that does not say that it speaks version 1 or newer.
func speaks(version string) error {
	v, err := strconv.ParseUint(version, 10, 16)
	if err != nil || v < protocolVersion {
		return &failure{http.StatusBadRequest, "ProtocolMismatch", "want header " + protocolHeader + ": 1 or newer"}
	}
	return nil
}

// answer makes a handler of a function from question to answer.
func answer[Q, A any](h *Handler, f func(context.Context, *Q) (*A, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			h.fail(w, r, malformed("body: "+err.Error()))
			return
		}
		if err := h.authenticate(r, body); err != nil {
			h.fail(w, r, err)
			return
		}
		var question Q
		if err := json.Unmarshal(body, &question); err != nil {
			h.fail(w, r, malformed("body is not the JSON of this question"))
			return
		}
		result, err := f(r.Context(), &question)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		h.write(w, r, http.StatusOK, result)
	}
}

// authenticate verifies the gateway's own signature, if its key is configured.
func (h *Handler) authenticate(r *http.Request, body []byte) error {
	if h.config.AccessKey == "" {
		return nil
	}
	signed := sigv4.FromHTTP(r, nil)
	signed.Body = sigv4.HashBody(body)
	claim, err := gatewayRules.Parse(&signed, iam.At(h.config.Now()))
	if err != nil {
		return err
	}
	if claim.AccessKeyID() != h.config.AccessKey || claim.Token() != "" {
		return claim.Refuse(sigv4.UnknownAccessKey)
	}
	key := sigv4.DeriveSigningKey(h.config.Secret, claim.Scope())
	_, err = claim.Verify(&key)
	return err
}

// gatewayRules are those that the gateway signs its questions by.
var gatewayRules = &sigv4.Rules{Services: []sigv4.Service{sigv4.IAM}, Regions: []string{"us-east-1"}, KeepDotSegments: true}

// failure is an error in the words of the protocol.
type failure struct {
	status int
	code   string
	text   string
}

func (f *failure) Error() string { return f.text }

func malformed(text string) error { return &failure{http.StatusBadRequest, "BadRequest", text} }

// fail answers with an error. NoSuchIdentity and InvalidToken are about the
// gateway's client, who is told; everything else is a fault of the gateway or of
// the store, which the gateway answers with 500 and its client tries again.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := &failure{http.StatusInternalServerError, "InternalFailure", "the question could not be answered"}
	var refused *sigv4.Error
	switch {
	case errors.As(err, &f):
	case errors.Is(err, sidecar.ErrScope):
		f = &failure{http.StatusBadRequest, "BadRequest", err.Error()}
	case errors.As(err, &refused):
		f = &failure{refused.Status, string(refused.Code), refused.Message}
	}
	if f.status >= http.StatusInternalServerError || f.code == "ProtocolMismatch" {
		h.config.Logger.Warn("question of the gateway not answered", "path", r.URL.Path, "status", f.status, "error", err)
	}
	h.write(w, r, f.status, map[string]string{"code": f.code, "error": f.text})
}

// aboutClient turns a refusal of the gateway's client into the protocol's words.
func aboutClient(err error) error {
	var refused *sigv4.Error
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Code {
	case sigv4.InvalidAccessKeyID:
		return &failure{http.StatusForbidden, "NoSuchIdentity", refused.Message}
	case sigv4.InvalidToken, iam.ExpiredToken:
		return &failure{http.StatusForbidden, "InvalidToken", refused.Message}
	}
	return err
}

func (h *Handler) write(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"code":"InternalFailure","error":"answer not written"}`)
		h.config.Logger.Error("answer not written", "path", r.URL.Path, "error", err)
	}
	w.WriteHeader(status)
	// The gateway may be gone; then it asks again.
	_, _ = w.Write(body)
}
