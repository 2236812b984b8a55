package clustertest

import (
	"errors"
	"testing"
	"time"

	"github.com/doorward/doorward/cluster"
)

// reaping lets nodes gossip, and dead ones be removed after half a minute.
func reaping(c *cluster.Config) {
	Gossiping(c)
	c.RemoveDeadAfter = 30 * time.Second
}

// isMember reports whether a node is one, as the leader has it.
func (w *World) isMember(n *Node) bool {
	for _, m := range w.Leader().Status().Log.Members {
		if m.ID == n.ID() {
			return true
		}
	}
	return false
}

// settle ends the load after a while: minutes of it would only cost time.
func (w *World) settle() {
	time.Sleep(time.Second)
	w.StopLoad()
}

// pass lets time go by without load.
func (w *World) pass(d time.Duration) {
	w.settle()
	time.Sleep(d)
}

func (w *World) join() *Node {
	w.t.Helper()
	n := w.Add()
	if err := n.Join(w.t.Context(), []string{w.Leader().host}); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func TestDeadVoterGivesItsPlaceToOneThatStandsBy(t *testing.T) {
	in(t, 3, reaping, func(t *testing.T, w *World) {
		spare := w.join()
		w.awaitGossip()
		dead := w.Follower()
		w.Isolate(dead)
		w.pass(25 * time.Second)
		if !w.isMember(dead) {
			t.Error("it was removed before its time")
		}
		w.Await("the dead one is removed", time.Minute, func() bool { return !w.isMember(dead) })
		w.Await("the spare one votes", time.Minute, func() bool { return voters(spare.Status().Log) == 3 })
		w.Heal()
		<-dead.done
		if !errors.Is(dead.err, cluster.ErrRemoved) {
			t.Errorf("the removed node, once back: %v, want ErrRemoved, which says what to do", dead.err)
		}
		dead.Wipe()
		if err := dead.Join(t.Context(), []string{w.Leader().host}); err != nil {
			t.Error(err)
		}
	})
}

func TestDeadVoterOfThreeStaysWhileNobodyStandsBy(t *testing.T) {
	in(t, 3, reaping, func(t *testing.T, w *World) {
		w.awaitGossip()
		dead := w.Follower()
		w.Isolate(dead)
		w.pass(3 * time.Minute)
		if !w.isMember(dead) {
			t.Error("two voters are left")
		}
		w.Heal()
		w.AwaitVoters(3)
	})
}

func TestDeadVotersOfFiveGoOneByOneAndLeaveThree(t *testing.T) {
	in(t, 5, reaping, func(t *testing.T, w *World) {
		w.awaitGossip()
		w.settle()
		leader := w.Leader()
		dead := w.Others(leader)[:2]
		for _, n := range dead {
			w.Isolate(n)
		}
		w.Await("one is removed", 2*time.Minute, func() bool { return voters(w.Leader().Status().Log) == 4 })
		w.Await("the other, too", 2*time.Minute, func() bool { return voters(w.Leader().Status().Log) == 3 })
		third := w.Follower()
		w.Isolate(third)
		w.pass(3 * time.Minute)
		if got := voters(w.Leader().Status().Log); got != 3 {
			t.Errorf("%d voters are left, want 3", got)
		}
		w.Heal()
		for _, n := range dead {
			<-n.done
			n.Wipe()
			if err := n.Join(t.Context(), []string{w.Leader().host}); err != nil {
				t.Error(err)
			}
		}
		w.AwaitVoters(5)
	})
}

func TestNobodyIsRemovedWithoutAMajority(t *testing.T) {
	in(t, 5, reaping, func(t *testing.T, w *World) {
		w.awaitGossip()
		w.settle()
		leader := w.Leader()
		gone := w.Others(leader)[:3]
		for _, n := range gone {
			w.Isolate(n)
		}
		time.Sleep(3 * time.Minute)
		w.Heal()
		w.AwaitVoters(5)
		for _, n := range gone {
			if !w.isMember(n) {
				t.Errorf("%s was removed", n.host)
			}
		}
	})
}

func TestAVoterThatTheLeaderAloneDoesNotReachStays(t *testing.T) {
	in(t, 3, reaping, func(t *testing.T, w *World) {
		w.join()
		w.awaitGossip()
		lonely, leader := w.Follower(), w.Leader()
		w.Cut(leader, lonely)
		w.pass(3 * time.Minute)
		if !w.isMember(lonely) {
			t.Error("it was removed, though others hear it")
		}
		w.Heal()
	})
}

func TestNobodyIsRemovedByALeaderWhoseGossipIsMute(t *testing.T) {
	in(t, 3, reaping, func(t *testing.T, w *World) {
		w.join()
		w.awaitGossip()
		w.MuteGossip(true)
		dead := w.Follower()
		w.Isolate(dead)
		w.pass(3 * time.Minute)
		if !w.isMember(dead) {
			t.Error("it was removed, though nobody could have objected")
		}
		w.Heal()
		w.MuteGossip(false)
	})
}

func TestNobodyIsRemovedWhenRemovalIsOff(t *testing.T) {
	in(t, 3, func(c *cluster.Config) { reaping(c); c.RemoveDeadAfter = 0 }, func(t *testing.T, w *World) {
		w.join()
		w.awaitGossip()
		dead := w.Follower()
		w.Isolate(dead)
		w.pass(3 * time.Minute)
		if !w.isMember(dead) {
			t.Error("it was removed")
		}
		w.Heal()
	})
}
