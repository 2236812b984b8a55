package sidecar

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
)

// keys holds signing keys: those that the feed brings before they are needed, and
// those that were asked for. There are no other secrets in a sidecar. A caller
// keeps the ones it has used ready for verification; this is the store behind.
type keys struct {
	source Source
	config *Config
	keeper *keeper

	mu    sync.Mutex
	held  map[iam.AccessKeyID][]wire.SigningKey
	count int
	// forgotten counts calls of forget and clear, so that an answer that was under
	// way meanwhile is used once but not kept.
	forgotten uint64
	asking    map[keyName]*fetch
}

type keyName struct {
	id    iam.AccessKeyID
	scope wire.Scope
}

// fetch is one question for a signing key, shared by all who want it.
type fetch struct {
	done chan struct{}
	key  wire.SigningKey
	err  error
}

func newKeys(source Source, config *Config) *keys {
	return &keys{
		source: source, config: config,
		held: make(map[iam.AccessKeyID][]wire.SigningKey), asking: make(map[keyName]*fetch),
	}
}

// get returns the key of id for scope, asking the source if it is not held. The
// strings of id and scope are not kept.
func (k *keys) get(ctx context.Context, id iam.AccessKeyID, scope wire.Scope) (wire.SigningKey, error) {
	k.mu.Lock()
	for _, key := range k.held[id] {
		if key.Scope == scope {
			k.mu.Unlock()
			return key, nil
		}
	}
	if ctx == impatient {
		k.mu.Unlock()
		return wire.SigningKey{}, errImpatient
	}
	name := keyName{
		iam.AccessKeyID(strings.Clone(string(id))),
		wire.Scope{Date: strings.Clone(scope.Date), Region: strings.Clone(scope.Region), Service: strings.Clone(scope.Service)},
	}
	f, ok := k.asking[name]
	if !ok {
		f = &fetch{done: make(chan struct{})}
		k.asking[name] = f
		// Ends with the source's answer or after Patience.
		go k.fetch(context.WithoutCancel(ctx), name, f, k.forgotten)
	}
	k.mu.Unlock()
	select {
	case <-f.done:
		return f.key, f.err
	case <-ctx.Done():
		return wire.SigningKey{}, fmt.Errorf("%w: signing key: %w", ErrUnconfirmed, ctx.Err())
	}
}

func (k *keys) fetch(ctx context.Context, name keyName, f *fetch, forgotten uint64) {
	ctx, cancel := context.WithTimeout(ctx, k.config.Patience)
	defer cancel()
	asked := k.config.Now()
	f.key, f.err = k.source.SigningKey(ctx, name.id, name.scope)
	if k.config.Events.KeyFetched != nil {
		k.config.Events.KeyFetched(k.config.Now().Sub(asked), f.err)
	}
	if f.err == nil && (f.key.AccessKey != name.id || f.key.Scope != name.scope) {
		f.err = errors.New("source answered with the signing key of something else")
	}
	if f.err != nil && !definite(f.err) {
		f.err = fmt.Errorf("%w: signing key: %w", ErrUnconfirmed, f.err)
	}
	k.mu.Lock()
	if k.asking[name] == f {
		delete(k.asking, name)
	}
	if f.err == nil && forgotten == k.forgotten {
		k.keepLocked(f.key)
		k.keeper.key(f.key)
	}
	k.mu.Unlock()
	close(f.done)
}

// definite reports whether an error is the store's word on the key, and not a
// failure to ask.
func definite(err error) bool {
	return errors.Is(err, noSuchKey) || errors.Is(err, noSuchScope)
}

// push takes keys that the feed brings.
func (k *keys) push(keys []wire.SigningKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range keys {
		k.keepLocked(key)
	}
}

// keepLocked adds a key, in the place of one for the same scope. At the limit, any
// other access key's keys make room: they can be asked for again.
func (k *keys) keepLocked(key wire.SigningKey) {
	held := k.held[key.AccessKey]
	for i := range held {
		if held[i].Scope == key.Scope {
			held[i] = key
			return
		}
	}
	for id := range k.held {
		if k.count < k.config.Keys {
			break
		}
		k.count -= len(k.held[id])
		delete(k.held, id)
	}
	k.held[key.AccessKey] = append(k.held[key.AccessKey], key)
	k.count++
}

// all returns every key that is held.
func (k *keys) all() (all []wire.SigningKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, held := range k.held {
		all = append(all, held...)
	}
	return all
}

// forget drops the keys of an access key whose secret may have changed. Whoever
// asks from now on does not share an answer that was under way before.
func (k *keys) forget(id iam.AccessKeyID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forgotten++
	for name := range k.asking {
		if name.id == id {
			delete(k.asking, name)
		}
	}
	k.count -= len(k.held[id])
	delete(k.held, id)
}

// clear drops all keys.
func (k *keys) clear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forgotten++
	k.count = 0
	clear(k.held)
	clear(k.asking)
}

// expire drops keys of days that a signature can no longer be made on: presigned
// URLs live for seven days.
func (k *keys) expire(now time.Time) {
	oldest := now.UTC().AddDate(0, 0, -8).Format("20060102")
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, held := range k.held {
		kept := held[:0]
		for _, key := range held {
			if key.Scope.Date >= oldest {
				kept = append(kept, key)
			}
		}
		k.count -= len(held) - len(kept)
		if k.held[id] = kept; len(kept) == 0 {
			delete(k.held, id)
		}
	}
}

// signingKey returns the caller's key for a scope, ready for verification.
func (a *Authorizer) signingKey(ctx context.Context, who *caller, scope sigv4.Scope) (*sigv4.SigningKey, error) {
	for i := range who.ready {
		if key := who.ready[i].Load(); key != nil && key.Scope() == scope {
			return key, nil
		}
	}
	raw, err := a.keys.get(ctx, who.id, wireScope(scope))
	if err != nil {
		return nil, err
	}
	own := sigv4.Scope{Date: raw.Scope.Date, Region: raw.Scope.Region, Service: sigv4.Service(raw.Scope.Service)}
	key := sigv4.NewSigningKey(sigv4.DayKey(raw.Key), own)
	// Any place will do; by day, yesterday's and today's do not displace each other.
	who.ready[own.Date[len(own.Date)-1]%byte(len(who.ready))].Store(&key)
	return &key, nil
}

func wireScope(s sigv4.Scope) wire.Scope {
	return wire.Scope{Date: s.Date, Region: s.Region, Service: string(s.Service)}
}
