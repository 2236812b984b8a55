package peer

import (
	"net"
	"net/rpc"
	"time"

	"github.com/doorward/doorward/cluster/feed"
	"github.com/doorward/doorward/iam"
)

// serviceName is the name of the questions on the wire.
const serviceName = "Node"

// Serve answers the questions on connections of l until it is closed. Connections
// end with their other side or with the listener's owner.
func Serve(l net.Listener, h Handler) {
	server := rpc.NewServer()
	if err := server.RegisterName(serviceName, &service{h}); err != nil {
		panic("peer: " + err.Error()) // a method below does not have the form that net/rpc wants
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go server.ServeConn(conn) // ended by the connection
	}
}

// service gives a [Handler] the form of net/rpc.
type service struct{ h Handler }

// ProposeReply is the answer to Propose.
type ProposeReply struct {
	Index   uint64
	Count   int
	Code    string // of a refusal
	Message string
	Kind    string // of an error
	Detail  string
}

// Propose answers Handler.Propose for one command.
func (s *service) Propose(command []byte, reply *ProposeReply) error {
	*reply = proposeReply(s.h.Propose([][]byte{command})[0])
	return nil
}

// ProposeAll answers Handler.Propose. Builds before feature level 3 do not have it.
func (s *service) ProposeAll(commands [][]byte, replies *[]ProposeReply) error {
	*replies = make([]ProposeReply, len(commands))
	for i, p := range s.h.Propose(commands) {
		(*replies)[i] = proposeReply(p)
	}
	return nil
}

func proposeReply(p Proposed) ProposeReply {
	f := toFault(p.Err)
	reply := ProposeReply{Index: uint64(p.Result.Index), Count: p.Result.Count, Kind: f.Kind, Detail: f.Detail}
	if p.Result.Err != nil {
		reply.Code, reply.Message = string(p.Result.Err.Code), p.Result.Err.Message
	}
	return reply
}

func (r *ProposeReply) result() (iam.Result, error) {
	result := iam.Result{Index: iam.Index(r.Index), Count: r.Count}
	if r.Code != "" {
		result.Err = &iam.Error{Code: iam.Code(r.Code), Message: r.Message}
	}
	return result, fault{r.Kind, r.Detail}.err()
}

// IndexReply is the answer to ReadIndex.
type IndexReply struct {
	Index        uint64
	Kind, Detail string
}

// ReadIndex answers Handler.ReadIndex.
func (s *service) ReadIndex(_ struct{}, reply *IndexReply) error {
	index, err := s.h.ReadIndex()
	f := toFault(err)
	*reply = IndexReply{index, f.Kind, f.Detail}
	return nil
}

// Meet answers Handler.Meet.
func (s *service) Meet(_ struct{}, reply *Card) error {
	*reply = s.h.Meet()
	return nil
}

// ErrorReply is the answer to Change.
type ErrorReply struct{ Kind, Detail string }

// Change answers Handler.Change.
func (s *service) Change(c Change, reply *ErrorReply) error {
	f := toFault(s.h.Change(c))
	*reply = ErrorReply(f)
	return nil
}

// Health answers Handler.Health.
func (s *service) Health(_ struct{}, reply *Health) error {
	*reply = s.h.Health()
	return nil
}

// FenceArgs is the question to Fence.
type FenceArgs struct {
	Index iam.Index
	Limit time.Duration
}

// FenceReply is the answer to Fence.
type FenceReply struct{ Followers []feed.Follower }

// Fence answers Handler.Fence.
func (s *service) Fence(q FenceArgs, reply *FenceReply) error {
	reply.Followers = s.h.Fence(q.Index, q.Limit)
	return nil
}

// SumAt answers Handler.SumAt.
func (s *service) SumAt(index uint64, reply *string) error {
	*reply = s.h.SumAt(index)
	return nil
}
