package parts

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// firstSocket is the number of the first file that systemd hands over
// (sd_listen_fds(3)).
const firstSocket = 3

// Inherited are sockets that were open before this program began, by their names
// (FileDescriptorName=). They outlive a restart, so that nobody is refused meanwhile.
type Inherited map[string]Socket

// Socket is an inherited one.
type Socket struct {
	net.Listener
	// Own is the path or address that this process itself has listened at before a
	// Renewal; empty: systemd holds the socket, and its path is not ours.
	Own string
}

// Inherit takes the sockets over that systemd holds, as LISTEN_FDS tells, or that the
// program before this one has left. It is called once.
func Inherit(getenv func(string) string) (Inherited, error) {
	if sockets, err := resumed(getenv); sockets != nil || err != nil {
		return sockets, err
	}
	count := getenv("LISTEN_FDS")
	if count == "" || getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("LISTEN_FDS is %q: want a number", count)
	}
	names := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	sockets := Inherited{}
	for i := range n {
		if i >= len(names) || names[i] == "" {
			return nil, errors.New("LISTEN_FDNAMES does not name every socket: set FileDescriptorName= in the socket units")
		}
		l, err := listener(firstSocket+i, names[i])
		if err != nil {
			return nil, fmt.Errorf("socket %s of systemd: %w", names[i], err)
		}
		sockets[names[i]] = Socket{Listener: l}
	}
	return sockets, nil
}

// Tell sends a word to systemd, such as READY=1 (sd_notify(3)), if it listens.
func Tell(getenv func(string) string, word string) error {
	path := getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	if path[0] == '@' {
		path = "\x00" + path[1:]
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	_, err = conn.Write([]byte(word))
	return errors.Join(err, conn.Close())
}
