package sidecar

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// Socket says where a unix socket is and who may use it.
type Socket struct {
	// Path of the socket. Its folder is made with mode 0750 if it is not there; who
	// can enter the folder and write to the socket (mode 0660) can connect.
	Path string
	// Group owns the folder's new socket; negative: the process's own group.
	Group int
	// Users are the user ids that may connect, whatever the modes say. Empty means
	// the process's own and root.
	Users []int
}

// Peer is who is at the other end of a unix socket, as the kernel says.
type Peer struct{ UID, GID, PID int }

// Listen makes the socket and listens on it. Of several processes that want the
// same path, one has it; a socket that a dead process left behind is replaced, by
// a rename, so that there is no moment without one. Connections of other users are
// closed at once.
func (s Socket) Listen() (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o750); err != nil {
		return nil, fmt.Errorf("socket folder: %w", err)
	}
	lock, err := lockFile(s.Path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", s.Path, err)
	}
	l, err := s.bind()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("socket %s: %w", s.Path, err), lock.Close())
	}
	return &socket{UnixListener: l, path: s.Path, users: s.permitted(), lock: lock}, nil
}

// Adopt looks at who connects to a socket that somebody else made, such as systemd.
// Its path and modes are theirs.
func (s Socket) Adopt(l net.Listener) (net.Listener, error) {
	unix, ok := l.(*net.UnixListener)
	if !ok {
		return nil, fmt.Errorf("socket %s: a %s socket was handed over, want a unix socket", s.Path, l.Addr().Network())
	}
	unix.SetUnlinkOnClose(false)
	return &socket{UnixListener: unix, users: s.permitted()}, nil
}

// Resume goes on with a socket that this process made at Path before it became another
// program, and has as its own again.
func (s Socket) Resume(l net.Listener) (net.Listener, error) {
	adopted, err := s.Adopt(l)
	if err != nil {
		return nil, err
	}
	lock, err := lockFile(s.Path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", s.Path, err)
	}
	own := adopted.(*socket)
	own.path, own.lock = s.Path, lock
	return own, nil
}

// Hold returns another descriptor of a listener, with which it goes on to listen after
// it has been closed. A socket then stays where it is, and this process its owner.
func Hold(l net.Listener) (*os.File, error) {
	s, ok := l.(*socket)
	if !ok {
		other, ok := l.(interface{ File() (*os.File, error) })
		if !ok {
			return nil, fmt.Errorf("a %T cannot be held", l)
		}
		return other.File()
	}
	file, err := s.File()
	s.held = err == nil
	return file, err
}

func (s Socket) permitted() []int {
	if len(s.Users) == 0 {
		return []int{os.Getuid(), 0}
	}
	return s.Users
}

// bind listens under another name until the modes are right, then takes the path.
func (s Socket) bind() (*net.UnixListener, error) {
	temporary := s.Path + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temporary, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(temporary, 0o660)
	if err == nil && s.Group >= 0 {
		err = os.Chown(temporary, -1, s.Group)
	}
	if err == nil {
		err = os.Rename(temporary, s.Path)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close(), os.Remove(temporary))
	}
	return l, nil
}

// lockFile makes this process the one owner of a path for as long as the file is
// open.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another process has it: %w", err), f.Close())
	}
	return f, nil
}

// socket is a listener that looks at who connects.
type socket struct {
	*net.UnixListener
	path  string // empty: somebody else's
	users []int
	lock  *os.File
	held  bool // path and lock stay
	once  sync.Once
	err   error
}

// Accept waits for the next connection of a permitted user.
func (s *socket) Accept() (net.Conn, error) {
	for {
		conn, err := s.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if peer, err := PeerOf(conn); err == nil && slices.Contains(s.users, peer.UID) {
			return conn, nil
		}
		// The stranger learns nothing but that nobody talks to it.
		_ = conn.Close()
	}
}

// Close stops listening and removes the socket, unless it is held. It is safe to call twice.
func (s *socket) Close() error {
	s.once.Do(func() {
		if s.path == "" || s.held {
			s.err = s.UnixListener.Close()
			return
		}
		s.err = errors.Join(os.Remove(s.path), s.UnixListener.Close(), s.lock.Close())
	})
	return s.err
}

type peerKey struct{}

// WithPeer is the ConnContext of an http.Server on a unix socket: handlers find
// the peer with [PeerFrom].
func WithPeer(ctx context.Context, conn net.Conn) context.Context {
	peer, err := PeerOf(conn)
	if err != nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, peer)
}

// PeerFrom returns who sent the request that ctx belongs to, false if that is not
// known.
func PeerFrom(ctx context.Context) (Peer, bool) {
	peer, ok := ctx.Value(peerKey{}).(Peer)
	return peer, ok
}
