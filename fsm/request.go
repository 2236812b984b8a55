package fsm

import (
	"iter"
	"slices"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/wire"
)

// How long a request is remembered. A client that repeats one after an uncertain
// outcome does so within minutes; what is older is forgotten, oldest first.
const (
	requestAge   = 15 * time.Minute // of the store's time
	requestCount = 262_144
)

// requests remembers what came of the newest requests, so that one that is
// proposed again has no second effect (Raft dissertation, section 6.3). What is
// remembered depends on the log alone.
type requests struct {
	// Oldest first. A snapshot shares them: a place that is in use is never written to
	// again. One list would be copied whole each time that it is full.
	chunks []*[requestChunk]wire.Request
	// Requests are numbered over the life of the table. These are the numbers of the
	// first place in chunks, of the oldest that is remembered, and of the one to come.
	base, first, next uint64
	byID              map[requestID]uint64 // number of each
	sum               state.Sum
}

// requestChunk is how many requests are kept in one piece.
const requestChunk = 1024

type requestID struct {
	actor iam.ARN
	id    [16]byte
}

func newRequests() requests { return requests{byID: make(map[requestID]uint64)} }

// find returns the result of an earlier request with the same id and actor. The
// zero id is nobody's.
func (r *requests) find(actor iam.ARN, id [16]byte) (iam.Result, bool) {
	n, ok := r.byID[requestID{actor, id}]
	if !ok || id == [16]byte{} {
		return iam.Result{}, false
	}
	q := r.at(n)
	result := iam.Result{Index: q.Index, Count: int(q.Count)}
	if q.Code != "" {
		result.Err = &iam.Error{Code: q.Code, Message: q.Reason}
	}
	return result, true
}

// add remembers the result of a request.
func (r *requests) add(e iam.Envelope, now iam.Time, result iam.Result) {
	if e.Request == [16]byte{} {
		return
	}
	q := wire.Request{Actor: e.Actor, ID: e.Request, Time: now, Index: result.Index, Count: uint32(result.Count)}
	if result.Err != nil {
		q.Code, q.Reason = result.Err.Code, result.Err.Message
	}
	r.push(q)
}

// at returns the place of a request.
func (r *requests) at(n uint64) *wire.Request {
	return &r.chunks[(n-r.base)/requestChunk][(n-r.base)%requestChunk]
}

func (r *requests) push(q wire.Request) {
	if r.next-r.base == uint64(len(r.chunks))*requestChunk {
		r.chunks = append(r.chunks, new([requestChunk]wire.Request))
	}
	*r.at(r.next) = q
	r.byID[requestID{q.Actor, q.ID}] = r.next
	r.next++
	r.sum = r.sum.Add(q.Sum())
	if r.next-r.first > requestCount {
		r.pop()
	}
}

// evict forgets what is too old at the store's time now.
func (r *requests) evict(now iam.Time) {
	for r.first < r.next && r.at(r.first).Time < now.Add(-requestAge) {
		r.pop()
	}
}

func (r *requests) pop() {
	q := r.at(r.first)
	delete(r.byID, requestID{q.Actor, q.ID})
	r.sum = r.sum.Sub(q.Sum())
	if r.first++; r.first-r.base == requestChunk {
		r.chunks, r.base = slices.Clone(r.chunks[1:]), r.first // so that the first can be collected
	}
}

// captured are the requests as they are now, which later ones do not change.
type captured struct {
	chunks []*[requestChunk]wire.Request
	begin  int // place of the oldest
	end    int // place behind the newest
}

func (r *requests) capture() captured {
	return captured{r.chunks[:len(r.chunks):len(r.chunks)], int(r.first - r.base), int(r.next - r.base)}
}

func (c captured) count() int { return c.end - c.begin }

// all are the requests, oldest first.
func (c captured) all() iter.Seq[wire.Request] {
	return func(yield func(wire.Request) bool) {
		for i := c.begin; i < c.end; i++ {
			if !yield(c.chunks[i/requestChunk][i%requestChunk]) {
				return
			}
		}
	}
}
