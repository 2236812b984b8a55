package feed

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
)

// The days around today for which signing keys are handed out: presigned URLs live
// for up to seven days, and clocks differ.
const (
	daysBack  = 8
	daysAhead = 1
)

const dateForm = "20060102"

// SigningKey returns the key of an access key for one scope: all of its secret that
// ever leaves a node. The date lies between 8 days ago and tomorrow and the service
// is s3, else the error is an iam.Error with code ValidationError; it is one with
// code NoSuchEntity if there is no such access key or session. The answer is as new
// as every frame that was sent before the call.
func (f *Feed) SigningKey(_ context.Context, id iam.AccessKeyID, scope wire.Scope) (wire.SigningKey, error) {
	if err := f.checkScope(scope); err != nil {
		return wire.SigningKey{}, err
	}
	sealed, ok := f.secretOf(id)
	if !ok {
		return wire.SigningKey{}, iam.Errorf(iam.NoSuchEntity, "there is no access key %q", id)
	}
	secret, err := f.cfg.OpenSecret(id, sealed)
	if err != nil {
		return wire.SigningKey{}, err
	}
	defer clear(secret)
	f.recent.use(id)
	return derive(id, string(secret), scope), nil
}

func (f *Feed) secretOf(id iam.AccessKeyID) (iam.Sealed, bool) {
	v := f.cfg.View()
	if k, ok := v.AccessKey(id); ok {
		return k.Secret, true
	}
	if s, ok := v.Session(id); ok {
		return s.Secret, true
	}
	return nil, false
}

func (f *Feed) checkScope(s wire.Scope) error {
	day, err := time.Parse(dateForm, s.Date)
	if err != nil || len(s.Date) != len(dateForm) {
		return iam.Errorf(iam.ValidationError, "date %q of a credential scope is not YYYYMMDD", s.Date)
	}
	today := f.cfg.Now().UTC().Truncate(24 * time.Hour)
	if day.Before(today.AddDate(0, 0, -daysBack)) || day.After(today.AddDate(0, 0, daysAhead)) {
		return iam.Errorf(iam.ValidationError, "date %s of a credential scope is not within %d days back and %d ahead of %s", s.Date, daysBack, daysAhead, today.Format(dateForm))
	}
	if s.Service != string(sigv4.S3) {
		return iam.Errorf(iam.ValidationError, "service %q of a credential scope is not %s", s.Service, sigv4.S3)
	}
	if s.Region == "" || len(s.Region) > 64 || strings.Trim(s.Region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		return iam.Errorf(iam.ValidationError, "region %q of a credential scope is not a region's name", s.Region)
	}
	return nil
}

func derive(id iam.AccessKeyID, secret string, s wire.Scope) wire.SigningKey {
	key := sigv4.DeriveDayKey(secret, sigv4.Scope{Date: s.Date, Region: s.Region, Service: sigv4.Service(s.Service)})
	return wire.SigningKey{AccessKey: id, Scope: s, Key: wire.DerivedKey(key)}
}

// keysOf returns the signing keys that go with a step: a credential that was just
// made is likely to be used soon. They are derived once for all followers.
func (f *Feed) keysOf(s *step) []wire.SigningKey {
	if len(s.secrets) == 0 {
		return nil
	}
	s.keysOnce.Do(func() {
		today := f.cfg.Now().UTC()
		for _, secret := range s.secrets {
			s.keys = append(s.keys, f.keysFor(secret, today.AddDate(0, 0, -1), today, today.AddDate(0, 0, 1))...)
		}
	})
	return s.keys
}

// encodedKeys returns the frame of the keys that go with a step, empty if there are
// none.
func (f *Feed) encodedKeys(s *step) ([]byte, error) {
	keys := f.keysOf(s)
	if len(keys) == 0 {
		return nil, nil
	}
	s.keyBytesOnce.Do(func() { s.keyBytes, s.keyBytesErr = wire.AppendFrame(nil, wire.SigningKeys{Keys: keys}) })
	return s.keyBytes, s.keyBytesErr
}

// keysFor derives the keys of a secret for some days in all regions. A secret that
// does not open gives none: whoever needs it asks and is told why.
func (f *Feed) keysFor(s secret, days ...time.Time) []wire.SigningKey {
	text, err := f.cfg.OpenSecret(s.id, s.sealed)
	if err != nil {
		return nil
	}
	defer clear(text)
	f.recent.use(s.id)
	var keys []wire.SigningKey
	for _, day := range days {
		for _, region := range f.cfg.Regions {
			keys = append(keys, derive(s.id, string(text), wire.Scope{Date: day.Format(dateForm), Region: region, Service: string(sigv4.S3)}))
		}
	}
	return keys
}

// How tomorrow's keys are brought: in the last half hour of a day, in batches.
const (
	rolloverBefore = 30 * time.Minute
	rolloverBatch  = 256
	rolloverPause  = 250 * time.Millisecond
)

// Run brings the keys of the next day shortly before midnight UTC, for the access
// keys that were in use lately, a batch at a time, so that followers do not all ask
// at once when the day begins. It returns when ctx is done.
func (f *Feed) Run(ctx context.Context) error {
	done := "" // the day whose keys were brought
	for {
		now := f.cfg.Now().UTC()
		midnight := now.Truncate(24*time.Hour).AddDate(0, 0, 1)
		if tomorrow := midnight.Format(dateForm); done != tomorrow && midnight.Sub(now) <= rolloverBefore {
			done = tomorrow
			if err := f.rollOver(ctx, midnight); err != nil {
				return err
			}
		}
		// The clock may be set, so it is looked at often.
		if err := pause(ctx, min(time.Minute, max(time.Second, midnight.Sub(now)-rolloverBefore))); err != nil {
			return err
		}
	}
}

func (f *Feed) rollOver(ctx context.Context, day time.Time) error {
	var batch []wire.SigningKey
	for _, id := range f.recent.take() {
		if sealed, ok := f.secretOf(id); ok {
			batch = append(batch, f.keysFor(secret{id, sealed}, day)...)
		}
		if len(batch) >= rolloverBatch {
			f.recent.send(batch)
			batch = nil
			if err := pause(ctx, rolloverPause); err != nil {
				return err
			}
		}
	}
	if len(batch) > 0 {
		f.recent.send(batch)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// recentKeys is how many access keys are remembered as in use; what a sidecar
// holds by default.
const recentKeys = 1 << 16

// recent remembers which access keys are in use, and reaches the followers that
// want their next keys.
type recent struct {
	mu        sync.Mutex
	used      map[iam.AccessKeyID]struct{}
	receivers map[chan []wire.SigningKey]struct{}
}

func newRecent() *recent {
	return &recent{used: make(map[iam.AccessKeyID]struct{}), receivers: make(map[chan []wire.SigningKey]struct{})}
}

func (r *recent) use(id iam.AccessKeyID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.used) < recentKeys {
		r.used[id] = struct{}{}
	}
}

// take returns the keys in use and forgets them, so that what is not used for a day
// falls away.
func (r *recent) take() []iam.AccessKeyID {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := make([]iam.AccessKeyID, 0, len(r.used))
	for id := range r.used {
		ids = append(ids, id)
	}
	clear(r.used)
	return ids
}

func (r *recent) subscribe() chan []wire.SigningKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := make(chan []wire.SigningKey, 1)
	r.receivers[c] = struct{}{}
	return c
}

func (r *recent) unsubscribe(c chan []wire.SigningKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.receivers, c)
}

// send gives keys to every follower that is ready for them. One that is not asks
// for what it needs later.
func (r *recent) send(keys []wire.SigningKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.receivers {
		select {
		case c <- keys:
		default:
		}
	}
}
