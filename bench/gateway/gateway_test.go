package gateway

import (
	"os"
	"testing"

	"github.com/doorward/doorward/cmd/doorward/bench"
)

func TestBothServicesAnswerAlike(t *testing.T) {
	p, host, err := bench.Inhabit(t.Context(), Users(20))
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	doors := []bench.Door{Ask("Doorward", host.Gateway, p, 1)}
	if program := os.Getenv("DOORWARD_VERSITYGW"); program == "" {
		t.Log("versitygw is not asked: DOORWARD_VERSITYGW does not name it")
	} else {
		run, socket, err := Start(t.Context(), program, t.TempDir(), p)
		if err != nil {
			t.Fatal(err)
		}
		defer run.Stop()
		doors = append(doors, Ask("versitygw", socket, p, 1))
	}
	for _, door := range doors {
		for n := range uint64(20) {
			if err := door.Ask(0, n); err != nil {
				t.Errorf("%s: %v", door.Name, err)
			}
		}
	}
}
