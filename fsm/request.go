package fsm

import (
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
	list  []wire.Request       // oldest first; only ever appended to and cut at the front, so that a snapshot can share it
	first uint64               // number of list[0]; numbers go on over the life of the table
	byID  map[requestID]uint64 // number of each in list
	sum   state.Sum
}

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
	q := &r.list[n-r.first]
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

func (r *requests) push(q wire.Request) {
	r.byID[requestID{q.Actor, q.ID}] = r.first + uint64(len(r.list))
	r.list = append(r.list, q)
	r.sum = r.sum.Add(q.Sum())
	if len(r.list) > requestCount {
		r.pop()
	}
}

// evict forgets what is too old at the store's time now.
func (r *requests) evict(now iam.Time) {
	for len(r.list) > 0 && r.list[0].Time < now.Add(-requestAge) {
		r.pop()
	}
}

func (r *requests) pop() {
	q := &r.list[0]
	delete(r.byID, requestID{q.Actor, q.ID})
	r.sum = r.sum.Sub(q.Sum())
	r.list = r.list[1:]
	r.first++
}
