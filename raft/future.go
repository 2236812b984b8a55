package raft

import (
	"reflect"

	hraft "github.com/hashicorp/raft"
)

// answer waits for what the library says to a question, or for the library to be
// gone. A question that its main goroutine had not read when it ended is answered
// by nobody; its futures have a channel that ends the wait, and most are not given
// one.
func (n *Node) answer(f hraft.Future) error {
	if c := abandoned(f); c.IsValid() && c.IsNil() {
		c.Set(reflect.ValueOf(n.gone))
	}
	return f.Error()
}

// abandoned returns that channel of a future, which is not valid for futures that
// were answered when they were made.
func abandoned(f hraft.Future) reflect.Value {
	v := reflect.ValueOf(f)
	if v.Kind() != reflect.Pointer {
		return reflect.Value{}
	}
	return v.Elem().FieldByName("ShutdownCh")
}
