package api

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/doorward/doorward/iam"
)

// watched are sidecars that a test moves.
type watched struct {
	behind bool
	asked  []time.Duration
}

func (w *watched) Sidecars(context.Context) Sidecars { return w.Fence(nil, 0, 0) }

func (w *watched) Fence(_ context.Context, index iam.Index, limit time.Duration) Sidecars {
	w.asked = append(w.asked, limit)
	late := Sidecar{Name: "s 2\r\nX: y", Index: index, Serves: true, Connected: true, Until: time.Unix(0, 0)}
	all := Sidecars{Sidecars: []Sidecar{{Name: "s1", Index: index, Serves: true, Connected: true}, late, {Name: "new", Connected: true}}}
	if w.behind {
		all.Sidecars[1].Index, all.Silent = 0, []string{"n3"}
	}
	return all
}

func TestWhatTakesAuthorityAwayWaitsForSidecars(t *testing.T) {
	for _, row := range []struct {
		name         string
		method, path string
		body         string
		header       string
		behind       bool
		limit        time.Duration // zero: nobody waits
		applied      string
	}{
		{"a new user takes nothing away", "POST", "/v1/users", `{"name":"bob"}`, "", false, 0, ""},
		{"a user is disabled", "PATCH", "/v1/users/alice", `{"status":"Inactive"}`, "", false, 5 * time.Second, "2/2; ms="},
		{"a sidecar does not follow", "PATCH", "/v1/users/alice", `{"status":"Inactive"}`, "", true, 5 * time.Second, "1/2; ms="},
		{"the caller wants a longer wait", "PATCH", "/v1/users/alice", `{"status":"Inactive"}`, "20", false, 20 * time.Second, "2/2; ms="},
		{"the caller wants a wait in its own unit", "PATCH", "/v1/users/alice", `{"status":"Inactive"}`, "300ms", false, 300 * time.Millisecond, "2/2; ms="},
		{"the caller does not want to wait", "PATCH", "/v1/users/alice", `{"status":"Inactive"}`, "0", false, 0, ""},
		{"reading takes nothing away", "GET", "/v1/users/alice", "", "", false, 0, ""},
	} {
		follows := &watched{behind: row.behind}
		w := newWorldAs(t, Config{Sidecars: follows})
		w.mustJSON(w.root, "POST", "/v1/users", `{"name":"alice"}`)
		follows.asked = nil
		answer := w.fenced(t, row.method, row.path, row.body, row.header)
		if got := answer.Get("X-Doorward-Applied"); !strings.HasPrefix(got, row.applied) || (row.applied == "") != (got == "") {
			t.Errorf("%s: X-Doorward-Applied %q, want %q", row.name, got, row.applied)
		}
		if (row.limit == 0) != (len(follows.asked) == 0) || row.limit != 0 && follows.asked[0] != row.limit {
			t.Errorf("%s: waited %v, want %v", row.name, follows.asked, row.limit)
		}
		behind, silent := answer.Values("X-Doorward-Behind"), answer.Values("X-Doorward-Silent")
		if row.behind != (len(behind) == 1 && behind[0] == "s%202%0D%0AX:%20y; until=1970-01-01T00:00:00Z" && len(silent) == 1) {
			t.Errorf("%s: behind %q, silent %q", row.name, behind, silent)
		}
	}
}

func (w *world) fenced(t *testing.T, method, path, body, wait string) http.Header {
	t.Helper()
	if w.sent = nil; wait != "" {
		w.sent = http.Header{"X-Doorward-Wait": {wait}}
	}
	a := w.json(w.root, method, path, body)
	if a.status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	return a.header
}

func TestAWaitThatCannotBeIsRefusedBeforeAnythingIsDone(t *testing.T) {
	for _, text := range []string{"31", "-1", "soon", "1h", "NaN", "-5s"} {
		r, _ := http.NewRequest("GET", "/", nil)
		r.Header.Set("X-Doorward-Wait", text)
		if limit, err := fenceLimit(r); err == nil {
			t.Errorf("%q was taken for %v", text, limit)
		}
	}
}
