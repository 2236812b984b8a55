package cli

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/cmd/doorward/client"
)

// TestTheSessionIsKeptFresh plays two hours: what the store says when it is asked,
// and what an application then gets.
func TestTheSessionIsKeptFresh(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := makeToken(token); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(token)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var trouble error
		fetched := 0
		revoked := false
		d := &dispenser{
			token: token, log: slog.New(slog.DiscardHandler),
			fetch: func(context.Context) (client.Session, error) {
				fetched++
				return client.Session{AccessKeyID: "ASIA", Expiration: time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}, trouble
			},
			honours: func(ctx context.Context, s client.Session) error {
				if revoked {
					revoked = false
					return &client.Error{Code: "InvalidClientTokenId"}
				}
				return trouble
			},
		}
		status := func() int {
			r := httptest.NewRequest(http.MethodGet, "/credentials", nil)
			r.Header.Set("Authorization", string(text))
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			return w.Code
		}
		if err := d.renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		// Ended by cancel.
		go d.keep(ctx)
		steps := []struct {
			name    string
			pass    time.Duration
			revoked bool
			trouble error
			fetched int // at least, and at most a few more if there is trouble
			status  int
		}{
			{"a young session is left alone", 29 * time.Minute, false, nil, 1, 200},
			{"and renewed in the middle of its life", 2 * time.Minute, false, nil, 2, 200},
			{"the store away for a moment does no harm", 40 * time.Minute, false, &client.Unavailable{Cause: errors.New("away")}, 3, 200},
			{"but for an hour it does", 25 * time.Minute, false, &client.Unavailable{Cause: errors.New("away")}, 3, 503},
			{"it comes back", time.Minute, false, nil, 4, 200},
			{"the store refuses", 31 * time.Minute, false, &client.Error{Code: "AccessDenied"}, 5, 503},
			{"and changes its mind", time.Minute, false, nil, 6, 200},
			{"the session is revoked, and another is there at once", time.Second, true, nil, 7, 200},
			{"it is revoked, and there is no other", time.Second, true, &client.Error{Code: "AccessDenied"}, 8, 503},
			{"until there is", time.Minute, false, nil, 9, 200},
			{"it is revoked while the store is away, which nobody can know", time.Second, false, &client.Unavailable{Cause: errors.New("away")}, 9, 200},
		}
		for _, step := range steps {
			trouble, revoked = step.trouble, step.revoked
			time.Sleep(step.pass)
			synctest.Wait()
			if got := status(); got != step.status || fetched < step.fetched || (trouble == nil && step.fetched < 3 && fetched != step.fetched) {
				t.Errorf("%s: status %d, want %d; fetched %d times, want %d", step.name, got, step.status, fetched, step.fetched)
			}
		}
	})
}

func TestASessionThatIsOverIsNotServed(t *testing.T) {
	d := &dispenser{fetch: func(context.Context) (client.Session, error) {
		return client.Session{Expiration: time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)}, nil
	}}
	if err := d.renew(t.Context()); !errors.Is(err, errOver) || d.held.Load() != nil {
		t.Errorf("got %v, holding %v", err, d.held.Load())
	}
}
