package cli

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
)

func newCredsServe(a *app) *cobra.Command {
	var flags assumption
	var listen, tokenFile string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve temporary credentials to the applications of this host",
		Long: `Serve temporary credentials over HTTP on loopback, in the form that AWS SDKs know
from containers, so that an application needs no long-term key. Whoever can read
the token file gets them. The file is made, for this user only, if it is not there;
a new token in it counts at once. The two lines on standard output are for the
application's environment.

The session is renewed when half of its life is over, and replaced when it has been
revoked, which the store is asked about each time. While the store is away the last
one is served until it ends; once the store refuses, none is.`,
		Example: `  doorward creds serve --token-file app.token --role arn:aws:iam::000000000000:role/backup
  doorward creds serve --token-file app.token --policy read-one-bucket.json --listen 127.0.0.1:8478`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, path, err := credentialsDoor(listen, tokenFile)
			if err != nil {
				return err
			}
			defer l.Close()
			c, wanted, err := flags.prepare(cmd, a)
			if err != nil {
				return err
			}
			d := &dispenser{
				token: path, log: slog.New(slog.NewTextHandler(a.Err, nil)),
				fetch: func(ctx context.Context) (client.Session, error) {
					session, _, err := assume(ctx, c, wanted)
					return session, err
				},
				honours: func(ctx context.Context, s client.Session) error {
					_, err := c.As(s.Credentials("the store")).CallerIdentity(ctx)
					return err
				},
			}
			if err := d.renew(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintf(a.Out, "export AWS_CONTAINER_CREDENTIALS_FULL_URI=http://%s/credentials\nexport AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=%s\n", l.Addr(), path)
			return d.serve(cmd.Context(), l)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8477", "loopback `ADDRESS` to serve on; port 0 takes a free one")
	cmd.Flags().StringVar(&tokenFile, "token-file", "", "`FILE` of the token that applications show, at least 32 characters in one line")
	cmd.MarkFlagRequired("token-file")
	return cmd
}

// credentialsDoor listens and makes or checks the token file, whose absolute path it
// returns.
func credentialsDoor(listen, tokenFile string) (net.Listener, string, error) {
	address, err := netip.ParseAddrPort(listen)
	if err != nil || !address.Addr().IsLoopback() {
		return nil, "", withHint(fmt.Errorf("address %q is not on loopback", listen), "Credentials go over it in the clear. Say --listen 127.0.0.1:8477 or --listen [::1]:8477.")
	}
	path, err := filepath.Abs(tokenFile)
	if err != nil {
		return nil, "", err
	}
	if err := makeToken(path); err != nil {
		return nil, "", err
	}
	if _, err := readToken(path); err != nil {
		return nil, "", err
	}
	l, err := net.Listen("tcp", listen)
	return l, path, err
}

// makeToken writes a random token to path, unless there is a file.
func makeToken(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make token: %w", err)
	}
	_, err = f.WriteString(rand.Text() + rand.Text()) // no line end: SDKs send the file as it is
	return errors.Join(err, f.Close())
}

const minToken = 32 // characters

// readToken returns the token that is in a file now. A file that strangers can read
// or write protects nothing.
func readToken(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o007 != 0 {
		return "", withHint(fmt.Errorf("token file %s has mode %04o, so everybody on this host can use it", path, mode), "Say: chmod o= %s", path)
	}
	token, err := secretFile(path)
	if err == nil && len(token) < minToken {
		err = withHint(fmt.Errorf("the token in %s is shorter than %d characters", path, minToken), "Remove the file to have one made.")
	}
	return token, err
}

// dispenser hands out one session, and keeps it fresh.
type dispenser struct {
	token string // path
	log   *slog.Logger
	fetch func(context.Context) (client.Session, error)
	// honours asks the store whether a session is still one: a *client.Error says no.
	honours  func(context.Context, client.Session) error
	held     atomic.Pointer[heldSession] // nil: the store has refused
	renewing sync.Mutex                  // held while one is replaced, so that one is fetched
}

type heldSession struct {
	client.Session
	ends, renews time.Time
}

// errOver is what a store hands out that lives in another time.
var errOver = errors.New("the session that the store gave is over already; do the clocks agree?")

// renew fetches the next session. After a refusal there is none.
func (d *dispenser) renew(ctx context.Context) error {
	session, err := d.fetch(ctx)
	if err != nil {
		if refused(err) {
			d.held.Store(nil)
		}
		return err
	}
	ends, err := time.Parse(time.RFC3339, session.Expiration)
	if err != nil {
		return fmt.Errorf("expiration of the session: %w", err)
	}
	now := time.Now()
	if !ends.After(now) {
		return errOver
	}
	d.held.Store(&heldSession{session, ends, now.Add(ends.Sub(now) / 2)})
	return nil
}

// refused reports whether the store has answered with a no.
func refused(err error) bool {
	_, answered := errors.AsType[*client.Error](err)
	return answered
}

// askWithin is how long an application waits for what the store says: SDKs wait two
// seconds for the answer.
const askWithin = time.Second

// current is the session to hand out: the one that is held, unless it is to be renewed
// or the store no longer honours it. What the store cannot be asked is taken for yes.
func (d *dispenser) current(ctx context.Context) *heldSession {
	held := d.held.Load()
	if held == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	revoked := time.Now().Before(held.renews) && refused(d.honours(ctx, held.Session))
	if revoked || !time.Now().Before(held.renews) {
		d.replace(ctx, held, revoked)
	}
	return d.held.Load()
}

// replace fetches another session, unless somebody has. One that was revoked is given
// up in any case.
func (d *dispenser) replace(ctx context.Context, held *heldSession, revoked bool) {
	d.renewing.Lock()
	defer d.renewing.Unlock()
	if d.held.Load() != held {
		return
	}
	if revoked {
		d.held.Store(nil)
	}
	if err := d.renew(ctx); err != nil && !errors.Is(err, context.Canceled) {
		d.log.Error("the session was not replaced", "revoked", revoked, "error", err)
	}
}

// lookAgain is how often the time is looked at. A timer for the whole wait would
// stand still while the machine sleeps.
const lookAgain = 10 * time.Second

// keep renews until ctx is done.
func (d *dispenser) keep(ctx context.Context) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if held := d.held.Load(); held == nil || !time.Now().Before(held.renews) {
			d.replace(ctx, held, false)
		}
	}
}

// serve answers until ctx is done.
func (d *dispenser) serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	kept := make(chan struct{})
	// Ended by cancel.
	go func() { defer close(kept); d.keep(ctx) }()
	defer func() { cancel(); <-kept }()
	server := &http.Server{
		Handler: d, ReadTimeout: lookAgain, WriteTimeout: lookAgain, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelWarn),
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// containerCredentials is what AWS SDKs read from a container's endpoint. Source: AWS
// SDKs and Tools Reference Guide, container credential provider.
type containerCredentials struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	Token           string
	Expiration      string
}

// refusedCredentials is what they report if there are none.
type refusedCredentials struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// ServeHTTP hands the session to whoever shows the token. Nothing else is told
// without it.
func (d *dispenser) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	status, body := d.answer(r)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever is gone needs none
}

func (d *dispenser) answer(r *http.Request) (int, any) {
	token, err := readToken(d.token)
	if err != nil {
		d.log.Error("nobody is served", "error", err)
		return http.StatusForbidden, refusedCredentials{"AccessDenied", "The token file is not usable; the log of doorward creds serve says why."}
	}
	want, got := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(r.Header.Get("Authorization")))
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return http.StatusForbidden, refusedCredentials{"AccessDenied", "Authorization is not the token of the token file."}
	}
	if r.Method != http.MethodGet || r.URL.Path != "/credentials" {
		return http.StatusNotFound, refusedCredentials{"NotFound", "Only GET /credentials is served."}
	}
	held := d.current(r.Context())
	if held == nil || !time.Now().Before(held.ends) {
		return http.StatusServiceUnavailable, refusedCredentials{"ServiceUnavailable", "There is no session at the moment; the log of doorward creds serve says why."}
	}
	return http.StatusOK, containerCredentials{held.AccessKeyID, held.SecretAccessKey, held.SessionToken, held.Expiration}
}
