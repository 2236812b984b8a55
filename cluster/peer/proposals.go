package peer

import (
	"errors"
	"fmt"
	"net/rpc"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// What shares a message, unless a command alone is larger: as much as an entry of the
// log holds.
const (
	messageCommands = 256
	messageBytes    = 512 << 10
)

// proposal is a command on its way to the leader.
type proposal struct {
	command []byte
	done    chan struct{} // closed when reply or err is set
	reply   ProposeReply
	err     error // of the connection
}

func (q *proposal) finish(reply ProposeReply, err error) {
	q.reply, q.err = reply, err
	close(q.done)
}

// proposals are those of one connection. While one message is being written, the next
// one fills: messages grow with the load, and a lone command waits for nobody.
type proposals struct {
	mu      sync.Mutex
	waiting []*proposal
	sending bool // a goroutine sends all that waits

	alone atomic.Bool // the other side is of a build that takes one command a message
}

// add hands a proposal to whoever is sending.
func (p *proposals) add(to *rpc.Client, q *proposal) {
	p.mu.Lock()
	p.waiting = append(p.waiting, q)
	begin := !p.sending
	p.sending = true
	p.mu.Unlock()
	if begin {
		go p.send(to) // ends when nothing waits; the end of the connection ends a write
	}
}

func (p *proposals) send(to *rpc.Client) {
	runtime.Gosched() // whoever is about to propose too comes along
	for batch := p.take(); len(batch) > 0; batch = p.take() {
		if len(batch) == 1 || p.alone.Load() {
			sendEach(to, batch)
		} else {
			p.sendAll(to, batch)
		}
	}
}

// take removes what fits into one message. If that is nothing, nobody is sending any
// longer.
func (p *proposals) take() []*proposal {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, size := 0, 0
	for n < len(p.waiting) && n < messageCommands && (n == 0 || size+len(p.waiting[n].command) <= messageBytes) {
		size += len(p.waiting[n].command)
		n++
	}
	batch := p.waiting[:n:n]
	if p.waiting = p.waiting[n:]; len(p.waiting) == 0 {
		p.waiting = nil
	}
	p.sending = n > 0
	return batch
}

// sendEach sends each command in a message of its own.
func sendEach(to *rpc.Client, batch []*proposal) {
	for _, q := range batch {
		reply := new(ProposeReply)
		call := to.Go(serviceName+".Propose", q.command, reply, make(chan *rpc.Call, 1))
		go func() { // ends with the answer, or with the connection
			<-call.Done
			q.finish(*reply, call.Error)
		}()
	}
}

// sendAll sends the commands in one message.
func (p *proposals) sendAll(to *rpc.Client, batch []*proposal) {
	commands := make([][]byte, len(batch))
	for i, q := range batch {
		commands[i] = q.command
	}
	replies := new([]ProposeReply)
	call := to.Go(serviceName+".ProposeAll", commands, replies, make(chan *rpc.Call, 1))
	go func() { // ends with the answer, or with the connection
		<-call.Done
		err := call.Error
		if notKnown(err) {
			p.alone.Store(true)
			sendEach(to, batch)
			return
		}
		if err == nil && len(*replies) != len(batch) {
			err = fmt.Errorf("%d answers to %d commands", len(*replies), len(batch))
		}
		for i, q := range batch {
			if err != nil {
				q.finish(ProposeReply{}, err)
			} else {
				q.finish((*replies)[i], nil)
			}
		}
	}()
}

// notKnown reports whether the other side has no such question, and so has done nothing.
func notKnown(err error) bool {
	var said rpc.ServerError
	return errors.As(err, &said) && strings.HasPrefix(string(said), "rpc: can't find method ")
}
