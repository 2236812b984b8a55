package api

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/internal/lockout"
)

// Limits bound what one source may ask for. The zero value means the defaults.
type Limits struct {
	// Requests is how many calls a second one source may make; default 1000.
	// Negative: any number. Burst is how many may come at once; default twice as
	// many.
	Requests, Burst int
	// Lockout says how many wrong signatures lock an access key for a source.
	Lockout lockout.Config
}

func (l *Limits) complete() {
	if l.Requests == 0 {
		l.Requests = 1000
	}
	if l.Burst == 0 {
		l.Burst = 2 * l.Requests
	}
}

// throttling is what the Query services answer to whom asks too often. SDKs wait and
// try again.
const throttling iam.Code = "Throttling"

// maxSources bounds the sources that are counted; beyond it some other is forgotten,
// which gives it a full burst again.
const maxSources = 1 << 16

// limiter counts calls by source, an IPv6 source by its /64. It is safe for
// concurrent use.
type limiter struct {
	limits  Limits
	mu      sync.Mutex
	sources map[netip.Prefix]*rate.Limiter
}

func newSources() map[netip.Prefix]*rate.Limiter { return map[netip.Prefix]*rate.Limiter{} }

// allow reports whether a source may make one more call.
func (l *limiter) allow(source netip.Addr, now time.Time) bool {
	if l.limits.Requests < 0 {
		return true
	}
	site := lockout.Site(source)
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket := l.sources[site]
	if bucket == nil {
		if len(l.sources) >= maxSources {
			for other := range l.sources {
				delete(l.sources, other)
				break
			}
		}
		bucket = rate.NewLimiter(rate.Limit(l.limits.Requests), l.limits.Burst)
		l.sources[site] = bucket
	}
	return bucket.AllowN(now, 1)
}

// source is the address of a connection, the zero Addr if it has none.
func source(r *http.Request) netip.Addr {
	text, ok := peerOf(r.RemoteAddr)
	if !ok {
		return netip.Addr{}
	}
	return netip.MustParseAddr(text)
}

func (c *call) peer() netip.Addr { return source(c.http) }

// throttled refuses a call of a source that makes too many.
func (c *call) throttled() error {
	if c.server.limiter.allow(c.peer(), c.now.Go()) {
		return nil
	}
	return iam.Errorf(throttling, "Rate exceeded: more than %d calls a second came from your address.", c.server.config.Limits.Requests)
}

// lockedOut refuses an access key for a source that sent too many wrong signatures of
// it, before anything is compared.
func (c *call) lockedOut(key iam.AccessKeyID) error {
	until, locked := c.server.lockout.Locked(string(key), c.peer(), c.now.Go())
	if !locked {
		return nil
	}
	return iam.Errorf(iam.AccessDenied, "Too many requests with a wrong signature of this access key came from your address. Try again after %s.",
		until.UTC().Format(time.RFC3339))
}

// wrong counts a wrong signature.
func (c *call) wrong(key iam.AccessKeyID, err error) error {
	var refused *sigv4.Error
	if errors.As(err, &refused) && refused.Code == iam.SignatureDoesNotMatch && c.server.lockout.Wrong(string(key), c.peer(), c.now.Go()) {
		c.server.config.Log.Warn("an access key is locked for a source: too many wrong signatures",
			slog.String("access_key", string(key)), slog.String("source", c.peer().String()))
	}
	return err
}
