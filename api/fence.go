package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/iam"
)

// Sidecar is what the store knows of an authorizer.
type Sidecar struct {
	Name      string
	Version   string
	Address   string    // of its connection; empty: in a node's process
	Index     iam.Index // that it decides by
	Staleness time.Duration
	Rate      uint32 // decisions a second
	Connected bool
	Serves    bool      // it has a view; one that is getting its first decides nothing
	Until     time.Time // unless it hears from the store again, it decides nothing from then on
}

// Sidecars are the authorizers of a store, and the nodes that could not be asked for
// theirs.
type Sidecars struct {
	Sidecars []Sidecar
	Silent   []string
}

// Follows tells who follows the store. Any number of goroutines may call its methods.
type Follows interface {
	// Sidecars returns those that are connected to any node, and those that were lately
	// and may still serve.
	Sidecars(ctx context.Context) Sidecars
	// Fence waits until all that are connected have applied index, or until limit is
	// over, and returns them as Sidecars does.
	Fence(ctx context.Context, index iam.Index, limit time.Duration) Sidecars
}

// nobodyFollows is a store without sidecars.
type nobodyFollows struct{}

func (nobodyFollows) Sidecars(context.Context) Sidecars { return Sidecars{} }
func (nobodyFollows) Fence(context.Context, iam.Index, time.Duration) Sidecars {
	return Sidecars{}
}

// How long an answer waits for sidecars, unless the caller says otherwise, and at most.
const (
	fenceTime    = 5 * time.Second
	maxFenceTime = 30 * time.Second
)

// onlyGives reports whether a command can take nothing away from anybody. Every other
// command waits for the sidecars: to detach a Deny gives, but whether it does is not
// worth the trouble of finding out, because the wait is short.
func onlyGives(cmd iam.Command) bool {
	switch cmd := cmd.(type) {
	case iam.Batch:
		return !slices.ContainsFunc(cmd.Commands, func(c iam.Command) bool { return !onlyGives(c) })
	case iam.Initialize, iam.CreateUser, iam.CreateGroup, iam.CreateRole, iam.CreatePolicy, iam.CreateAccessKey,
		iam.CreateServiceAccount, iam.CreateSession, iam.CreateProvider, iam.SetAccountAlias, iam.RecordLastUsed, iam.ExpireSessions:
		return true
	}
	return false
}

// fenceLimit is how long the caller wants to wait: the header X-Doorward-Wait holds
// seconds, or a duration with its unit.
func fenceLimit(r *http.Request) (time.Duration, error) {
	text := r.Header.Get("X-Doorward-Wait")
	if text == "" {
		return fenceTime, nil
	}
	limit, err := time.ParseDuration(text)
	if seconds, plain := strconv.ParseFloat(text, 64); plain == nil && seconds >= 0 && seconds <= maxFenceTime.Seconds() {
		limit, err = time.Duration(seconds*float64(time.Second)), nil
	}
	if err != nil || limit < 0 || limit > maxFenceTime {
		return 0, iam.Errorf(iam.ValidationError, "The header X-Doorward-Wait is %q; it must be between 0 and %d seconds.", text, int(maxFenceTime.Seconds()))
	}
	return limit, nil
}

// fence waits until no connected sidecar serves from before the call's last command,
// and tells in header fields how many have followed, how long it took, and who has
// not and until when it may serve:
//
//	X-Doorward-Applied: 40/41; ms=5003
//	X-Doorward-Behind: s3-7; until=2026-11-24T10:00:00Z
//	X-Doorward-Silent: node-3
func (c *call) fence(header http.Header) {
	if !c.takes || c.wait == 0 {
		return
	}
	began := time.Now()
	all := c.server.config.Sidecars.Fence(c.http.Context(), c.index, c.wait)
	took := time.Since(began)
	applied, serving := 0, 0
	for _, s := range all.Sidecars {
		if !s.Serves {
			continue
		}
		serving++
		if s.Index >= c.index {
			applied++
			continue
		}
		header.Add("X-Doorward-Behind", url.PathEscape(s.Name)+"; until="+s.Until.UTC().Format(time.RFC3339))
	}
	for _, node := range all.Silent {
		header.Add("X-Doorward-Silent", node)
	}
	header.Set("X-Doorward-Applied", fmt.Sprintf("%d/%d; ms=%d", applied, serving, took.Milliseconds()))
}

// sidecarJSON is a sidecar in the answer of GET /v1/sidecars.
type sidecarJSON struct {
	Name      string    `json:"name"`
	Version   string    `json:"version,omitempty"`
	Address   string    `json:"address,omitempty"`
	Connected bool      `json:"connected"`
	Index     iam.Index `json:"index"`
	Lag       uint64    `json:"lag"`
	Staleness float64   `json:"staleness_seconds"`
	Rate      uint32    `json:"decisions_per_second"`
	Until     string    `json:"serves_until,omitempty"` // unless it hears from the store again
}

// listSidecars tells who follows the store.
func listSidecars(c *call) (any, error) {
	all := c.server.config.Sidecars.Sidecars(c.ctx)
	answer := struct {
		Index    iam.Index     `json:"index"`
		Sidecars []sidecarJSON `json:"sidecars"`
		Silent   []string      `json:"silent_nodes,omitempty"`
	}{c.view.Index(), []sidecarJSON{}, all.Silent}
	for _, s := range all.Sidecars {
		row := sidecarJSON{
			Name: strings.ToValidUTF8(s.Name, "?"), Version: s.Version, Address: s.Address, Connected: s.Connected,
			Index: s.Index, Staleness: s.Staleness.Seconds(), Rate: s.Rate,
		}
		if c.view.Index() > s.Index {
			row.Lag = uint64(c.view.Index() - s.Index)
		}
		if s.Serves {
			row.Until = s.Until.UTC().Format(time.RFC3339)
		}
		answer.Sidecars = append(answer.Sidecars, row)
	}
	return answer, nil
}
