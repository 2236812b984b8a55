package api

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/doorward/doorward/api/audit"
	"github.com/doorward/doorward/api/oidc"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/internal/token"
)

// Store is the replicated store as the API needs it. All methods may be called
// from any number of goroutines.
type Store interface {
	// View returns the newest view of this node, at once. It may be behind the
	// leader's; its index says where it stands.
	View() *state.View
	// Consistent returns a view that holds everything that was committed anywhere
	// when the call began. It fails while there is no leader, or when ctx ends.
	Consistent(ctx context.Context) (*state.View, error)
	// Propose has a command committed and returns what the replicas made of it, a
	// refusal included (Result.Err). When it returns without an error, View is at
	// Result.Index or later. An error means that the outcome is not known: the
	// command may yet be applied, and the same Request id may be proposed again.
	Propose(ctx context.Context, e iam.Envelope) (iam.Result, error)
}

// Secrets encrypts secrets before they are proposed and opens them to verify
// signatures.
type Secrets interface {
	SealSecret(id iam.AccessKeyID, secret []byte) (iam.Sealed, error)
	OpenSecret(id iam.AccessKeyID, sealed iam.Sealed) ([]byte, error)
}

// Tokens makes and opens the session tokens of temporary credentials. A token is
// opaque to clients and carries the log index that made its session, so that a
// reader that is behind knows what to wait for.
type Tokens interface {
	SealToken(key iam.AccessKeyID, index iam.Index, expires iam.Time) string
	// OpenToken fails for a text that is no token of this store. It does not look
	// at the clock.
	OpenToken(text string) (token.Token, error)
}

// Config is what a [Server] needs. Fields without a default have to be set.
type Config struct {
	Store   Store
	Secrets Secrets
	Tokens  Tokens
	// Sidecars tells who follows the store, so that a call which takes authority away
	// can wait for them; default: nobody does.
	Sidecars Follows
	// Cluster is the membership of the node; nil for a store that has none.
	Cluster Cluster
	// Identity proves the tokens of OpenID Connect providers; default: one that
	// trusts the system's certificate authorities and the providers' thumbprints.
	Identity *oidc.Verifier
	// Directory proves the users of AssumeRoleWithLDAPIdentity; default: there is none,
	// and the call is refused.
	Directory Directory
	// Ready says whether this node serves, for /readyz; the error says why not. The
	// default asks whether the store has been initialised.
	Ready func() error
	// Region is the value of aws:RequestedRegion and what clients without a region
	// sign for. Default us-east-1; requests signed for any region are accepted,
	// unless StrictRegion is set.
	Region string
	// StrictRegion refuses signatures for other regions, as AWS's endpoints do.
	StrictRegion bool
	// Now is the clock; default time.Now.
	Now func() time.Time
	// Random is the source of identifiers and secrets; default crypto/rand.Reader.
	Random io.Reader
	// Log receives refusals that need an operator (a store that does not answer, a
	// secret that does not open). Default: nowhere.
	Log *slog.Logger
	// Observe is told of every call that was answered, for metrics. It must return
	// at once. Default: nobody.
	Observe func(Outcome)
	// Audit keeps a record of every call of somebody who was authenticated; default:
	// none. While it cannot be written, nothing is changed.
	Audit Auditor
	// Limits bound what one source may ask for.
	Limits Limits
	// Metrics serves /metrics; default: 404.
	Metrics http.Handler
	// Timeout bounds the wait for the store in one request; default 10 s.
	Timeout time.Duration
}

// Auditor keeps the record of administrative calls, as [audit.Log] does. A durable
// record is on disk when Append returns nil.
type Auditor interface {
	Append(r audit.Record, durable bool) error
	// Err is why records cannot be written now, nil if they can.
	Err() error
	// Head and Read are for those who follow the log.
	Head() (uint64, audit.Hash)
	Read(after uint64, limit int) ([]audit.Entry, error)
}

// Outcome is how one call ended.
type Outcome struct {
	Action string   // name of the action, "unknown", or the pattern of a /v1 path
	Caller iam.ARN  // empty if the caller was not authenticated
	Code   iam.Code // empty if the call went through
	Took   time.Duration
	Index  iam.Index // of the last command that was committed; zero: none
}

func (c *Config) complete() error {
	if c.Store == nil || c.Secrets == nil || c.Tokens == nil {
		return errors.New("api: Store, Secrets and Tokens have to be set")
	}
	c.Limits.complete()
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Observe == nil {
		c.Observe = func(Outcome) {}
	}
	if c.Sidecars == nil {
		c.Sidecars = nobodyFollows{}
	}
	if c.Metrics == nil {
		c.Metrics = http.NotFoundHandler()
	}
	if c.Identity == nil {
		c.Identity = new(oidc.Verifier)
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Ready == nil {
		c.Ready = func() error {
			if !c.Store.View().Store().Account.Valid() {
				return errors.New("the store is not initialised")
			}
			return nil
		}
	}
	return nil
}
