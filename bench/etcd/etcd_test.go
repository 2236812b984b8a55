package etcd

import (
	"errors"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
)

func TestAWriteIsAcknowledged(t *testing.T) {
	c, err := Start(t.Context(), t.TempDir(), 2)
	if errors.Is(err, ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ask := c.Door(t.Context()).Ask
	for worker := range 4 {
		if err := ask(worker, 0); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := c.clients[0].Get(t.Context(), "bench-", clientv3.WithPrefix())
	if err != nil || answer.Count != 4 {
		t.Fatalf("%d keys of 4 are there, %v", answer.Count, err)
	}
	if c.Version == "" {
		t.Error("no version")
	}
}
