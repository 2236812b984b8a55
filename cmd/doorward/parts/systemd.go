package parts

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// firstSocket is the number of the first file that systemd hands over
// (sd_listen_fds(3)).
const firstSocket = 3

// Inherited are sockets that systemd holds for this process, by their names
// (FileDescriptorName=). They outlive a restart, so that nobody is refused meanwhile.
type Inherited map[string]net.Listener

// Inherit takes the sockets over that LISTEN_FDS tells of. It is called once.
func Inherit(getenv func(string) string) (Inherited, error) {
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
		syscall.CloseOnExec(firstSocket + i)
		if i >= len(names) || names[i] == "" {
			return nil, errors.New("LISTEN_FDNAMES does not name every socket: set FileDescriptorName= in the socket units")
		}
		file := os.NewFile(uintptr(firstSocket+i), names[i])
		l, err := net.FileListener(file)
		file.Close()
		if err != nil {
			return nil, fmt.Errorf("socket %s of systemd: %w", names[i], err)
		}
		sockets[names[i]] = l
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
