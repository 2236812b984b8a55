package clustertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cluster/peer"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/raft"
)

// in runs a scenario on a cluster of n, with load, and verifies what has to hold
// after every one of them.
func in(t *testing.T, n int, tune func(*cluster.Config), scenario func(*testing.T, *World)) {
	synctest.Test(t, func(t *testing.T) {
		w := New(t, n, tune)
		w.Load(4, 1)
		scenario(t, w)
		w.Verify()
	})
}

// writesAgain returns how long it takes from now until a write through n is
// acknowledged.
func writesAgain(t *testing.T, n *Node, name string) time.Duration {
	t.Helper()
	began := time.Now()
	n.MustCreate(name)
	return time.Since(began)
}

// TestKilledLeaderIsReplacedWithin1500ms allows for a split vote, in which both of the
// others stand at the same moment and neither wins: about one in six hundred elections
// takes another term.
func TestKilledLeaderIsReplacedWithin1500ms(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		split := 0
		for i := range 10 {
			leader := w.Leader()
			survivor := w.Follower()
			for _, other := range w.Others(leader) {
				w.Cut(leader, other)
			}
			if took := writesAgain(t, survivor, fmt.Sprint("after", i)); took > 1500*time.Millisecond {
				if split++; split > 1 || took > 3*time.Second {
					t.Errorf("round %d: writes after %v", i, took)
				}
			}
			leader.Crash()
			leader.Restart()
		}
	})
}

func TestLeaderWithoutMajorityAcknowledgesNothingAndServesNoConsistentRead(t *testing.T) {
	in(t, 3, func(c *cluster.Config) { c.Timeout = 3 * time.Second }, func(t *testing.T, w *World) {
		old := w.Leader()
		w.Isolate(old)
		for _, n := range w.Others(old) {
			n.MustCreate("elsewhere")
			break
		}
		if _, err := old.Do(t.Context(), createUser("nowhere")); !errors.Is(err, cluster.ErrUnknownOutcome) && !errors.Is(err, cluster.ErrUnavailable) {
			t.Errorf("a write at the old leader: %v", err)
		}
		if v, err := old.Consistent(t.Context()); err == nil {
			_, ok := v.User(iam.FirstAccount, "elsewhere")
			t.Errorf("the old leader serves a consistent read, with the new write: %t", ok)
		}
	})
}

func TestLeaderThatHearsNobodyStepsDown(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		old := w.Leader()
		for _, n := range w.Others(old) {
			w.CutOneWay(n, old)
		}
		time.Sleep(3 * time.Second)
		w.Others(old)[0].MustCreate("after")
	})
}

func TestOneLinkBetweenTwoNodesIsNotMissed(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		w.Cut(w.Node(0), w.Node(1))
		w.Await("writes at all nodes", time.Minute, func() bool { return w.Leader() != nil })
		before := w.Node(2).Status().Log.Term
		time.Sleep(time.Minute)
		w.Node(2).MustCreate("after")
		if after := w.Node(2).Status().Log.Term; after > before+2 {
			t.Errorf("term %d became %d within a minute", before, after)
		}
	})
}

func TestFlappingLinkDoesNotTurnLeadersOver(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		shaky, before := w.Follower(), w.Leader().Status().Log.Term
		for range 100 {
			w.Isolate(shaky)
			time.Sleep(200 * time.Millisecond)
			w.Heal()
			time.Sleep(200 * time.Millisecond)
		}
		if after := w.Leader().Status().Log.Term; after > before+4 {
			t.Errorf("forty seconds of flapping took the term from %d to %d", before, after)
		}
	})
}

func TestFollowerThatWasCutOffDoesNotDisturbTheLeader(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		leader, away := w.Leader(), w.Follower()
		term := leader.Status().Log.Term
		w.Isolate(away)
		time.Sleep(20 * time.Second)
		w.Heal()
		time.Sleep(5 * time.Second)
		if s := leader.Status().Log; s.Role != "Leader" || s.Term != term {
			t.Errorf("after the return: %s in term %d, it was %d", s.Role, s.Term, term)
		}
	})
}

func TestLeaderWithAHungDiskIsReplacedWithin3500ms(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		time.Sleep(200 * time.Millisecond) // the load runs before the disk hangs
		hung := w.Leader()
		release := hung.HangDisk()
		if took := writesAgain(t, w.Others(hung)[0], "after"); took > 3500*time.Millisecond {
			t.Errorf("writes after %v", took)
		}
		<-hung.done
		if !errors.Is(hung.err, raft.ErrDiskStalled) {
			t.Errorf("the hung node: %v, want ErrDiskStalled", hung.err)
		}
		release()
	})
}

func TestLeaderThatIsStoppedWhileItsDiskHangsEndsAndIsReplaced(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		hung := w.Leader()
		time.Sleep(10 * time.Second)
		defer hung.HangDisk()()
		go hung.Do(t.Context(), createUser("unanswered"))
		time.Sleep(10 * time.Millisecond)
		hung.cancel()
		w.Others(hung)[0].MustCreate("after")
		<-hung.done
		if !errors.Is(hung.err, raft.ErrDiskStalled) {
			t.Errorf("the node: %v, want ErrDiskStalled", hung.err)
		}
	})
}

func TestLeaderThatIsStoppedWhileNothingCanBeCommittedEnds(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		time.Sleep(10 * time.Second)
		leader := w.Leader()
		others := w.Others(leader)
		others[0].Stop()
		others[1].FillDisk(1 << 10) // it hears the leader and stores nothing
		time.Sleep(time.Second)
		go leader.Do(t.Context(), createUser("uncommitted"))
		time.Sleep(100 * time.Millisecond)
		leader.cancel()
		w.Await("the leader has ended", 10*time.Second, func() bool { return !leader.running() })
	})
}

func TestFollowerWithAHungDiskDelaysNobodyAndCatchesUp(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		leader, slow := w.Leader(), w.Follower()
		release := slow.HangDisk()
		time.Sleep(3 * time.Second) // below the limit of a follower
		leader.MustCreate("meanwhile")
		release()
		if _, err := slow.WaitFor(t.Context(), leader.View().Index()); err != nil {
			t.Error(err)
		}
		if leader.Status().Log.Role != "Leader" {
			t.Error("the leader was deposed by a follower's disk")
		}
	})
}

func TestNodeWhoseDiskFailsOnceStopsItself(t *testing.T) {
	for _, role := range []string{"leader", "follower"} {
		t.Run(role, func(t *testing.T) {
			in(t, 3, nil, func(t *testing.T, w *World) {
				broken := w.Leader()
				if role == "follower" {
					broken = w.Follower()
				}
				broken.FailDisk(func(op raft.DiskOp) error {
					if op == raft.OpAppend {
						return syscall.EIO
					}
					return nil
				})
				w.Others(broken)[0].MustCreate("meanwhile")
				<-broken.done
				if !errors.Is(broken.err, raft.ErrDiskFailed) || !errors.Is(broken.err, syscall.EIO) {
					t.Errorf("the node: %v, want ErrDiskFailed", broken.err)
				}
				w.Others(broken)[1].MustCreate("after")
			})
		})
	}
}

func TestFullDiskRefusesWritesKeepsReadsAndRecovers(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		leader := w.Leader()
		leader.FillDisk(1 << 20)
		time.Sleep(time.Second)
		if _, err := leader.Do(t.Context(), createUser("refused")); !errors.Is(err, cluster.ErrDiskFull) {
			t.Errorf("a write at a leader without room: %v, want ErrDiskFull", err)
		}
		if _, err := w.Follower().Do(t.Context(), createUser("refused")); !errors.Is(err, cluster.ErrDiskFull) {
			t.Errorf("a write through a follower: %v, want ErrDiskFull", err)
		}
		if _, err := leader.Consistent(t.Context()); err != nil {
			t.Errorf("a consistent read: %v", err)
		}
		leader.FillDisk(plentyOfRoom)
		time.Sleep(time.Second)
		leader.MustCreate("accepted")

		follower := w.Follower()
		follower.FillDisk(1 << 20)
		time.Sleep(time.Second)
		leader.MustCreate("without the follower")
		follower.FillDisk(plentyOfRoom)
		if _, err := follower.WaitFor(t.Context(), leader.View().Index()); err != nil {
			t.Errorf("the follower does not recover: %v", err)
		}
	})
}

// TestWriteThatIsRetriedAcrossTheLossOfItsLeaderTakesEffectOnce cuts a leader off while
// it commits, at a different moment in each round, and asks others with the same token.
func TestWriteThatIsRetriedAcrossTheLossOfItsLeaderTakesEffectOnce(t *testing.T) {
	in(t, 3, func(c *cluster.Config) { c.Timeout = 2 * time.Second }, func(t *testing.T, w *World) {
		repeated := 0
		for round := range 20 {
			old := w.Leader()
			e := iam.Envelope{Command: createUser(fmt.Sprint("retried", round)), Request: w.history.request(), Actor: iam.FirstAccount.Root(), Time: iam.At(time.Now())}
			lost := make(chan struct{})
			go func() {
				defer close(lost)
				old.Propose(t.Context(), e)
			}()
			time.Sleep(time.Duration(round) * 300 * time.Microsecond)
			w.Isolate(old)
			for w.Leader() == old {
				time.Sleep(50 * time.Millisecond)
			}
			<-lost
			before := w.Leader().View()
			if _, there := before.User(iam.FirstAccount, fmt.Sprint("retried", round)); there {
				repeated++
			}
			var first iam.Result
			for i, n := range w.Others(old) {
				r, err := n.Propose(t.Context(), e)
				if err != nil || r.Err != nil {
					t.Errorf("round %d, try %d: %v, %v", round, i+2, err, r.Err)
				}
				if i == 0 {
					first = r
				} else if r.Index != first.Index {
					t.Errorf("round %d: took effect at %d, and at %d again", round, first.Index, r.Index)
				}
			}
			w.Heal()
			if r, err := old.Propose(t.Context(), e); err != nil || r.Err != nil || r.Index != first.Index {
				t.Errorf("round %d, at the old leader: %+v, %v, want the result of %d", round, r, err, first.Index)
			}
		}
		if repeated == 0 || repeated == 20 {
			t.Errorf("%d of 20 writes had taken effect before they were retried: want some and not all", repeated)
		}
	})
}

func TestSlowDisksDoNotTurnLeadersOver(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		before := w.Leader().Status().Log.Term
		for i := range 3 {
			w.Node(i).SlowDisk(50 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		if after := w.Leader().Status().Log.Term; after != before {
			t.Errorf("term %d became %d", before, after)
		}
	})
}

func TestClockJumpsDoNotMatter(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		leader := w.Leader()
		for _, jump := range []time.Duration{time.Hour, -time.Hour} {
			leader.SetClock(jump)
			time.Sleep(20 * time.Second)
			if leader.Status().Log.Role != "Leader" {
				t.Errorf("a jump of %v deposed the leader", jump)
			}
		}
	})
}

func TestRollingRestartIsSmooth(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		for i := range 3 {
			w.Node(i).Stop()
			if took := writesAgain(t, w.Others(w.Node(i))[0], fmt.Sprint("roll", i)); took > 300*time.Millisecond {
				t.Errorf("node %d stopped: writes after %v", i, took)
			}
			w.Node(i).Restart()
			time.Sleep(5 * time.Second)
		}
	})
}

func TestWipedVoterIsAnotherNodeAndCannotVote(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		wiped, id := w.Follower(), w.Follower().ID()
		wiped.Crash()
		wiped.Wipe()
		if wiped.ID() == id {
			t.Fatal("the id survived the directory")
		}
		// Only the wiped one can be reached by the last follower: were it to vote under
		// its old id, a leader could be made.
		leader := w.Leader()
		var last *Node
		for _, n := range w.Others(wiped) {
			if n != leader {
				last = n
			}
		}
		w.Isolate(leader)
		time.Sleep(10 * time.Second)
		if last.Status().Log.Role == "Leader" {
			t.Error("an empty node voted")
		}
		w.Heal()
		if err := w.Leader().Node.Change(t.Context(), peer.Change{Op: peer.Remove, ID: id}); err != nil {
			t.Fatal(err)
		}
		if err := wiped.Join(t.Context(), []string{last.host}); err != nil {
			t.Fatal(err)
		}
		w.AwaitVoters(3)
	})
}

// shortLogs makes logs short, so that who was away needs a snapshot.
func shortLogs(c *cluster.Config) {
	c.Raft.SnapshotThreshold, c.Raft.TrailingLogs, c.Raft.SnapshotInterval = 50, 10, time.Second
}

func TestNodeThatWasAwayForLongIsSentASnapshot(t *testing.T) {
	in(t, 3, shortLogs, func(t *testing.T, w *World) {
		away := w.Follower()
		w.Isolate(away)
		time.Sleep(30 * time.Second)
		w.Heal()
		if _, err := away.WaitFor(t.Context(), w.Leader().View().Index()); err != nil {
			t.Error(err)
		}
	})
}

// TestOldLeaderWithATailOfItsOwnIsSentASnapshotOnce is hashicorp/raft#697.
func TestOldLeaderWithATailOfItsOwnIsSentASnapshotOnce(t *testing.T) {
	in(t, 3, shortLogs, func(t *testing.T, w *World) {
		old := w.Leader()
		w.Isolate(old)
		for i := range 100 { // entries that nobody else gets
			go old.Do(t.Context(), createUser(fmt.Sprint("tail", i)))
		}
		time.Sleep(30 * time.Second)
		w.Heal()
		time.Sleep(5 * time.Second)
		// It may find out that it has to be restarted while it is waited for.
		var err error
		for range 3 {
			if !old.running() {
				if !errors.Is(old.err, raft.ErrRestart) {
					t.Errorf("the old leader: %v", old.err)
				}
				old.Restart()
			}
			if _, err = old.WaitFor(t.Context(), w.Leader().View().Index()); err == nil {
				return
			}
		}
		t.Error(err)
	})
}

// TestEntriesSentTwiceRightBehindASnapshotAreTakenOnce loses the answer to the first
// entries behind a snapshot. The leader sends them again, after an entry that the
// follower has only in its snapshot.
func TestEntriesSentTwiceRightBehindASnapshotAreTakenOnce(t *testing.T) {
	in(t, 3, shortLogs, func(t *testing.T, w *World) {
		leader, away := w.Leader(), w.Follower()
		w.Isolate(away)
		time.Sleep(time.Minute)
		var installed atomic.Int32
		var lost atomic.Bool
		away.FailDisk(func(op raft.DiskOp) error {
			switch {
			case op == raft.OpSnapshotClose:
				installed.Add(1)
			case op == raft.OpAppend && installed.Load() > 0 && !lost.Swap(true):
				w.CutOneWay(away, leader)
			}
			return nil
		})
		w.Heal()
		w.Await("the answer is lost", time.Minute, lost.Load)
		time.Sleep(7 * time.Second) // the leader gives up waiting for it
		w.Heal()
		if _, err := away.WaitFor(t.Context(), w.Leader().View().Index()); err != nil {
			t.Error(err)
		}
		if n := installed.Load(); n > 5 { // its own among them
			t.Errorf("%d snapshots were written at the follower", n)
		}
	})
}

// TestFollowerWithoutRoomBehindASnapshotCatchesUpOnceItHasSome lets a follower refuse
// entries until the leader has gone back to before the follower's snapshot.
func TestFollowerWithoutRoomBehindASnapshotCatchesUpOnceItHasSome(t *testing.T) {
	in(t, 3, shortLogs, func(t *testing.T, w *World) {
		away := w.Follower()
		for range 3 {
			w.Isolate(away)
			time.Sleep(time.Minute)
			var installed atomic.Int32
			away.FailDisk(func(op raft.DiskOp) error {
				if op == raft.OpSnapshotClose && installed.Add(1) == 1 {
					away.FillDisk(1 << 10)
				}
				return nil
			})
			w.Heal()
			w.Await("a snapshot", time.Minute, func() bool { return installed.Load() > 0 })
			time.Sleep(20 * time.Second)
			away.FillDisk(plentyOfRoom)
			if _, err := away.WaitFor(t.Context(), w.Leader().View().Index()); err != nil {
				t.Error(err)
			}
			if n := installed.Load(); n > 20 { // its own among them
				t.Errorf("%d snapshots were written at the follower", n)
			}
		}
	})
}

func TestSnapshotThatIsCutOffAgainAndAgainArrivesInTheEnd(t *testing.T) {
	in(t, 3, shortLogs, func(t *testing.T, w *World) {
		away := w.Follower()
		w.Isolate(away)
		time.Sleep(20 * time.Second)
		for range 10 {
			writes := 0
			away.FailDisk(func(op raft.DiskOp) error {
				if op == raft.OpSnapshotClose {
					if writes++; writes == 1 {
						return syscall.EIO // the last step of all
					}
				}
				return nil
			})
			w.Heal()
			time.Sleep(time.Second)
			w.Isolate(away)
			time.Sleep(time.Second)
		}
		away.FailDisk(nil)
		w.Heal()
		if _, err := away.WaitFor(t.Context(), w.Leader().View().Index()); err != nil {
			t.Error(err)
		}
	})
}

func TestTwoStoresNeverBecomeOne(t *testing.T) {
	in(t, 3, nil, func(t *testing.T, w *World) {
		time.Sleep(5 * time.Second)
		w.StopLoad() // its clients would ask the other store too
		other := w.Add()
		if _, err := other.Init(t.Context(), cluster.Birth{}); err != nil {
			t.Fatal(err)
		}
		if err := other.Join(t.Context(), []string{w.Node(0).host}); err == nil || !strings.Contains(err.Error(), "this is cluster") {
			t.Errorf("a member of another store joins: %v", err)
		}
		other.Stop()
		w.nodes = w.nodes[:3]
	})
}

// TestRandomFaults draws schedules of faults from seeds. DOORWARD_SCHEDULES says how
// many, DOORWARD_SEED where to begin: a seed that failed is run again by naming it, with
// one schedule.
func TestRandomFaults(t *testing.T) {
	count := uint64(30)
	if testing.Short() {
		count = 3
	}
	count = fromEnvironment(t, "DOORWARD_SCHEDULES", count)
	first := fromEnvironment(t, "DOORWARD_SEED", 1)
	for seed := first; seed < first+count; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			in(t, 3, func(c *cluster.Config) {
				if seed%2 == 0 {
					shortLogs(c)
				}
			}, func(t *testing.T, w *World) {
				random := rand.New(rand.NewPCG(seed, 0))
				for range 8 {
					var undo []func()
					for range 1 + random.IntN(2) { // two at once may leave no majority
						undo = append(undo, harm(w, random))
						time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
					}
					time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
					for _, f := range undo {
						f()
					}
					time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
				}
			})
		})
	}
}

// fromEnvironment returns a number above zero that a variable may say: of none, nothing
// would be tested.
func fromEnvironment(t *testing.T, variable string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 {
		t.Fatalf("%s is %q: want a number above zero", variable, text)
	}
	return n
}

// harm does one thing to the cluster and returns what undoes it.
func harm(w *World, random *rand.Rand) (undo func()) {
	victim := w.nodes[random.IntN(len(w.nodes))]
	other := w.Others(victim)[random.IntN(len(w.nodes)-1)]
	kind := random.IntN(11)
	if !victim.running() {
		return func() {} // by the harm before
	}
	revive := func() {
		if !victim.running() {
			victim.FailDisk(nil) // or it would not start
			victim.Restart()
		}
	}
	switch kind {
	case 0:
		victim.Crash()
		return revive
	case 1:
		victim.Stop()
		return revive
	case 2:
		w.Isolate(victim)
	case 3:
		w.CutOneWay(victim, other)
	case 4:
		w.Cut(victim, other)
	case 5:
		release := victim.HangDisk()
		return func() { release(); revive() }
	case 6:
		victim.FailDisk(func(raft.DiskOp) error { return syscall.EIO })
		return func() { victim.FailDisk(nil); time.Sleep(2 * time.Second); revive() }
	case 7:
		victim.SlowDisk(200 * time.Millisecond)
		return func() { victim.SlowDisk(0) }
	case 8:
		victim.FillDisk(1 << 20)
		return func() { victim.FillDisk(plentyOfRoom) }
	case 9:
		victim.SetClock(time.Duration(1-2*random.IntN(2)) * time.Hour)
		return func() { victim.SetClock(0) }
	case 10:
		return flap(w, victim, other)
	}
	return w.Heal
}

// flap cuts and mends a link three times a second.
func flap(w *World, a, b *Node) (undo func()) {
	stop := make(chan struct{})
	var flapping sync.WaitGroup
	flapping.Go(func() {
		for cut := true; ; cut = !cut {
			if cut {
				w.Cut(a, b)
			} else {
				w.Mend(a, b)
			}
			select {
			case <-stop:
				return
			case <-time.After(300 * time.Millisecond):
			}
		}
	})
	return func() {
		close(stop)
		flapping.Wait()
		w.Mend(a, b)
	}
}

func TestCommandsBeyondTheLimitAreRefusedAndNeverLost(t *testing.T) {
	in(t, 3, func(c *cluster.Config) { c.Raft.MaxInFlight = 8 }, func(t *testing.T, w *World) {
		for _, n := range []*Node{w.Leader(), w.Follower()} {
			w.Leader().SlowDisk(20 * time.Millisecond)
			outcomes := make([]error, 100)
			var all sync.WaitGroup
			for i := range outcomes {
				all.Go(func() {
					_, outcomes[i] = n.Do(t.Context(), createUser(fmt.Sprint(n.host, "-", i)))
				})
			}
			all.Wait()
			refused := 0
			for i, err := range outcomes {
				_, there := w.Leader().View().User(iam.FirstAccount, fmt.Sprint(n.host, "-", i))
				switch {
				case errors.Is(err, cluster.ErrOverloaded) && errors.Is(err, iam.ErrUnchanged) && !there:
					refused++
				case err != nil || !there:
					t.Errorf("command %d at %s: %v; it is in effect: %t", i, n.host, err, there)
				}
			}
			if refused == 0 || refused == len(outcomes) {
				t.Errorf("%d of %d commands were refused at %s", refused, len(outcomes), n.host)
			}
			w.Leader().SlowDisk(0)
		}
	})
}
