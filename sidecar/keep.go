package sidecar

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/iam/state/packed"
	"github.com/doorward/doorward/iam/wire"
	"github.com/doorward/doorward/sidecar/internal/sealedfile"
)

// KeepConfig says where a sidecar keeps what it needs to start without the store.
type KeepConfig struct {
	// Path of the file. Its folder has to be there.
	Path string
	// Key seals the file: who has both can sign for a day and open session tokens.
	Key sealedfile.Deriver
	// Moment reads the clocks; nil means those of this machine.
	Moment func() Moment
}

// keeper writes to disk what the feed brings: a snapshot, then every step, and now and
// then a proof, which says how old the view is. The file is a recorded feed, so that
// to start from it is to follow it.
//
// A file whose end is missing is only older, and its last proof says how old. But the
// store may have been told already that a step is in effect here, and have told an
// administrator that nobody honours a key any more: so before it is told, the step is
// on the disk, or the file is not ([keeper.settle]).
type keeper struct {
	config  KeepConfig
	replica *replica

	mu      sync.Mutex
	pending []byte // frames that are not in the file
	begin   bool   // the file does not lead to pending: a new one is needed

	writing  sync.Mutex // held while the file changes; guards the rest
	file     *os.File   // nil: there is none that can be appended to
	out      *sealedfile.Writer
	there    bool  // something may be at the path
	base     int64 // size of the file when it began
	size     int64
	told     time.Time // when the last proof was written
	provedAt time.Time // what it said
	broken   time.Time // when writing failed last
}

const (
	keepEvery  = time.Second
	proofEvery = 5 * time.Second // if nothing else is to be written
	keepRetry  = time.Minute     // after a failure
	// maxPending bounds the frames that wait to be written. Beyond it a new file begins.
	maxPending = 16 << 20
	// minBase is the size below which a file is not begun anew for having grown.
	minBase = 1 << 20
)

// The kinds of chunk: their first byte.
const (
	chunkFrames = 1 // frames, one after another
	chunkProof  = 2 // see appendProof
	chunkPacked = 3 // packed records of the snapshot that has begun, as packed.AppendEntry writes them
)

func newKeeper(config KeepConfig, r *replica) *keeper {
	if config.Moment == nil {
		config.Moment = now
	}
	return &keeper{config: config, replica: r, begin: true, there: true}
}

// took records a frame that is in effect.
func (k *keeper) took(f wire.Frame) {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch f := f.(type) {
	case wire.SnapshotEnd:
		k.begin, k.pending = true, nil
	case wire.Delta, wire.Bookmark, wire.SigningKeys, wire.Hello:
		k.appendLocked(f)
	}
}

// key records a signing key that was asked for.
func (k *keeper) key(key wire.SigningKey) { k.took(wire.SigningKeys{Keys: []wire.SigningKey{key}}) }

func (k *keeper) appendLocked(f wire.Frame) {
	if k.begin {
		return // it will be in the new file's snapshot
	}
	var err error
	if k.pending, err = wire.AppendFrame(k.pending, f); err != nil || len(k.pending) > maxPending {
		k.begin, k.pending = true, nil
	}
}

// take returns the frames to write, and whether a new file is needed instead.
func (k *keeper) take() (frames []byte, begin bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	frames, k.pending = k.pending, nil
	return frames, k.begin
}

// needNew marks the file as one that does not lead any further.
func (k *keeper) needNew() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.begin, k.pending = true, nil
}

// run writes until ctx is done, and then what is left.
func (k *keeper) run(ctx context.Context) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			k.write(false)
		case <-ctx.Done():
			k.write(true)
			k.writing.Lock()
			k.end()
			k.writing.Unlock()
			return
		}
	}
}

// settle returns once every step that is in effect is on the disk, or nothing is. The
// error says that the disk has something older which cannot be removed.
func (k *keeper) settle() error {
	k.writing.Lock()
	defer k.writing.Unlock()
	frames, begin := k.take()
	if !begin && k.out != nil {
		err := k.appendFrames(frames)
		if err == nil {
			err = k.file.Sync()
		}
		if err == nil {
			return nil
		}
		k.failed(err)
	}
	return k.remove()
}

// remove takes a file away that is older than what is in effect.
func (k *keeper) remove() error {
	if !k.there {
		return nil
	}
	k.end()
	k.needNew()
	if err := os.Remove(k.config.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := syncDir(filepath.Dir(k.config.Path)); err != nil {
		return err
	}
	k.there = false
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (k *keeper) end() {
	if k.file != nil {
		_ = k.file.Close() // what has to be on disk was synced
		k.file, k.out = nil, nil
	}
}

// failed gives a file up that cannot be written.
func (k *keeper) failed(err error) {
	k.broken = k.config.Moment().Wall
	k.needNew()
	k.end()
	if tell := k.replica.config.Events.KeepFailed; tell != nil {
		tell(err)
	}
}

// write brings the file up to date.
func (k *keeper) write(last bool) {
	k.writing.Lock()
	defer k.writing.Unlock()
	moment := k.config.Moment()
	if moment.Wall.Sub(k.broken) < keepRetry && !last {
		return
	}
	if err := k.writeAt(moment, last); err != nil {
		k.failed(err)
	}
}

func (k *keeper) writeAt(moment Moment, last bool) error {
	// Read first: what it says is true of frames that come later too.
	proof := k.replica.proven.Load()
	if k.replica.current.Load() == nil {
		return nil
	}
	frames, begin := k.take()
	if begin = begin || k.out == nil || k.size > 2*max(k.base, minBase); begin {
		if err := k.anew(); err != nil {
			return err
		}
	} else if err := k.appendFrames(frames); err != nil {
		return err
	}
	if proof == nil || proof.asked.Equal(k.provedAt) || !begin && !last && len(frames) == 0 && moment.Wall.Sub(k.told) < proofEvery {
		return nil
	}
	k.told, k.provedAt = moment.Wall, proof.asked
	return k.append(appendProof([]byte{chunkProof}, *proof, k.replica.config.Now(), moment))
}

func (k *keeper) appendFrames(frames []byte) error {
	if len(frames) == 0 {
		return nil
	}
	return k.append(append([]byte{chunkFrames}, frames...))
}

func (k *keeper) append(chunk []byte) error {
	n, err := k.out.Append(chunk)
	k.size += int64(n)
	return err
}

// anew begins a file with the view as it is, and puts it in the place of the former.
func (k *keeper) anew() (err error) {
	k.end()
	k.mu.Lock()
	// What comes from now on goes behind the view that is written, which may have it
	// already.
	k.begin, k.pending = false, nil
	k.mu.Unlock()
	f, err := os.CreateTemp(filepath.Dir(k.config.Path), filepath.Base(k.config.Path)+".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	k.file, k.size = f, 0
	if k.out, err = sealedfile.NewWriter(f, k.config.Key); err != nil {
		return err
	}
	if err := k.everything(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	k.base, k.there, k.provedAt = k.size, true, time.Time{}
	if err := os.Rename(f.Name(), k.config.Path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(k.config.Path))
}

// keptChunk is how many records or keys are in a frame of a file, and keptBytes about how
// many bytes of packed records in a chunk.
const (
	keptChunk = 512
	keptBytes = 256 << 10
)

// everything writes the view and the keys that are held.
func (k *keeper) everything() error {
	r := k.replica
	v := r.current.Load()
	at := wire.PositionOf(v.View)
	hello := wire.Hello{Cluster: at.Cluster, Epoch: at.Epoch, Node: "this sidecar", Applied: at.Index, TokenKeys: v.tokens.Export()}
	frame := func(f wire.Frame) error {
		b, err := wire.AppendFrame([]byte{chunkFrames}, f)
		if err != nil {
			return err
		}
		return k.append(b)
	}
	if err := errors.Join(frame(hello), frame(wire.SnapshotBegin{Position: at, Records: uint64(v.Records())})); err != nil {
		return err
	}
	var chunk []iam.Change
	for c := range v.Unpacked() {
		if chunk = append(chunk, c); len(chunk) == keptChunk {
			if err := frame(wire.SnapshotChunk{Changes: chunk}); err != nil {
				return err
			}
			chunk = chunk[:0]
		}
	}
	if err := errors.Join(frame(wire.SnapshotChunk{Changes: chunk}), k.packed(v.View), frame(wire.SnapshotEnd{Position: at})); err != nil {
		return err
	}
	held := r.keys.all()
	for len(held) > 0 {
		n := min(len(held), keptChunk)
		if err := frame(wire.SigningKeys{Keys: held[:n]}); err != nil {
			return err
		}
		held = held[n:]
	}
	return nil
}

// packed writes the packed records of a view as they are in memory, so that a start does
// not have to take them apart.
func (k *keeper) packed(v *state.View) error {
	chunk := []byte{chunkPacked}
	for key, value := range v.Packed() {
		if chunk = packed.AppendEntry(chunk, key, value); len(chunk) >= keptBytes {
			if err := k.append(chunk); err != nil {
				return err
			}
			chunk = chunk[:1]
		}
	}
	if len(chunk) == 1 {
		return nil
	}
	return k.append(chunk)
}

// A proof in a file, integers big-endian: 8 index, 8 age of the proof in nanoseconds,
// 8 wall clock in nanoseconds since 1970, 16 boot, 8 time since boot in nanoseconds.
const proofSize = 8 + 8 + 8 + 16 + 8

func appendProof(b []byte, p proof, now time.Time, m Moment) []byte {
	age := max(0, now.Sub(p.asked), now.Round(0).Sub(p.asked.Round(0)))
	b = binary.BigEndian.AppendUint64(b, uint64(p.index))
	b = binary.BigEndian.AppendUint64(b, uint64(age))
	b = binary.BigEndian.AppendUint64(b, uint64(m.Wall.UnixNano()))
	b = append(b, m.Boot[:]...)
	return binary.BigEndian.AppendUint64(b, uint64(m.Since))
}

// readProof returns a proof whose time is what its age and the time since say.
func readProof(b []byte, now time.Time, m Moment) (proof, error) {
	if len(b) != proofSize {
		return proof{}, fmt.Errorf("proof of %d bytes, %d are needed", len(b), proofSize)
	}
	then := Moment{Wall: time.Unix(0, int64(binary.BigEndian.Uint64(b[16:]))), Since: time.Duration(binary.BigEndian.Uint64(b[40:]))}
	copy(then.Boot[:], b[24:])
	since, err := elapsed(then, m)
	if err != nil {
		return proof{}, err
	}
	age := time.Duration(binary.BigEndian.Uint64(b[8:])) + since
	if age < 0 {
		return proof{}, errors.New("proof of an age that cannot be")
	}
	return proof{asked: now.Add(-age), index: iam.Index(binary.BigEndian.Uint64(b))}, nil
}

// restore follows the file, before anything else is followed. Without a file, or with
// one that does not hold, the sidecar starts with nothing.
func (k *keeper) restore() error {
	f, err := os.Open(k.config.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	in, err := sealedfile.NewReader(f, k.config.Key)
	if err != nil {
		return err
	}
	proofs, bad, err := k.replay(in)
	if err != nil {
		return errors.Join(err, k.replica.settle(nil))
	}
	return errors.Join(bad, k.replica.settle(proofs))
}

// replay takes the chunks of a file, and puts proofs aside. bad says why a proof does not
// count.
func (k *keeper) replay(in *sealedfile.Reader) (proofs []proof, bad, err error) {
	now, moment := k.replica.config.Now(), k.config.Moment()
	var part bytes.Reader
	frames := wire.NewFrameReader(&part) // a frame ends in the chunk in which it begins
	for {
		chunk, err := in.Next()
		if err == io.EOF {
			return proofs, bad, nil
		}
		if err != nil {
			return nil, nil, err
		}
		switch chunk[0] {
		case chunkFrames:
			part.Reset(chunk[1:])
			err = k.replica.repeatAll(frames)
		case chunkPacked:
			err = k.replica.packed(chunk[1:])
		case chunkProof:
			var p proof
			if p, bad = readProof(chunk[1:], now, moment); bad == nil {
				proofs = append(proofs, p)
			}
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// repeatAll takes frames of a file until there are no more.
func (r *replica) repeatAll(frames *wire.FrameReader) error {
	for {
		frame, err := frames.Read()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = r.repeat(frame)
		}
		if err != nil {
			return err
		}
	}
}

// repeat takes a frame of a file. Steps that the snapshot has already are passed over,
// but for what they say of keys: one that was recorded before them is of a former
// secret.
func (r *replica) repeat(f wire.Frame) error {
	at := r.index()
	switch f := f.(type) {
	case wire.Delta:
		if f.Index <= at {
			for i := range f.Changes {
				r.forgetKeys(&f.Changes[i])
			}
			return nil
		}
	case wire.Bookmark:
		if f.Index <= at {
			return nil
		}
	}
	return r.apply(f)
}

// settle ends a repetition: the view is as old as the newest proof that holds for it
// says. Without one it proves nothing, and is dropped.
func (r *replica) settle(proofs []proof) error {
	v := r.current.Load()
	if v == nil {
		return nil
	}
	var newest *proof
	for i := range proofs {
		if p := &proofs[i]; p.index <= v.Index() && (newest == nil || newest.asked.Before(p.asked)) {
			newest = p
		}
	}
	if newest == nil {
		r.current.Store(nil)
		r.cluster = ""
		r.keys.clear()
		return errors.New("nothing says how old it is")
	}
	r.proven.Store(newest)
	return nil
}
