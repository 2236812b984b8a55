package parts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// heldVariable tells a program which sockets the one before it in this process has
// left open, as JSON of held.
const heldVariable = "DOORWARD_HELD_SOCKETS"

// checkTime is how long a new program may take to say that it could start.
const checkTime = 10 * time.Second

// held are sockets on their way to the next program of a process.
type held struct {
	PID     int                   `json:"pid"` // children of the process have the variable, but not the sockets
	Sockets map[string]heldSocket `json:"sockets"`
}

type heldSocket struct {
	Descriptor int    `json:"fd"`
	Own        string `json:"own,omitempty"` // as in Socket
}

// Renewal puts the program, as it is now on disk, in the place of this process, which
// keeps its number and its sockets: who connects meanwhile waits. The program begins
// only when this one has ended all its work, so that there are never two of them, one
// of which the store does not know about.
type Renewal struct {
	program string
	args    []string
	files   map[string]*os.File
	own     map[string]string
}

// NewRenewal is called at the start of a process, before its folder or its path to
// programs can change. The arguments are without the program's name.
func NewRenewal(args []string) (*Renewal, error) {
	program, err := exec.LookPath(os.Args[0])
	if err == nil {
		program, err = filepath.Abs(program)
	}
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	return &Renewal{program: program, args: args, files: make(map[string]*os.File), own: make(map[string]string)}, nil
}

// Check asks the program on disk whether it could start, which a flag has it say.
func (r *Renewal) Check(ctx context.Context, flag string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	said, err := exec.CommandContext(ctx, r.program, append(append([]string(nil), r.args...), flag)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s could not start: %w: %s", r.program, err, strings.TrimSpace(string(said)))
	}
	return nil
}

// Hold keeps a socket open for the next program. Own is as in Socket.
func (r *Renewal) Hold(name string, file *os.File, own string) {
	r.files[name], r.own[name] = file, own
}

// Begin starts the next program. It returns only if that fails.
func (r *Renewal) Begin() error {
	next := held{PID: os.Getpid(), Sockets: make(map[string]heldSocket)}
	for name, file := range r.files {
		raw, err := file.SyscallConn()
		if err != nil {
			return err
		}
		// Not by file.Fd, which would make the socket wait for both programs.
		if err := errors.Join(raw.Control(func(fd uintptr) {
			next.Sockets[name] = heldSocket{int(fd), r.own[name]}
			_, _, failed := syscall.RawSyscall(syscall.SYS_FCNTL, fd, syscall.F_SETFD, 0)
			if failed != 0 {
				err = failed
			}
		}), err); err != nil {
			return fmt.Errorf("keep socket %s: %w", name, err)
		}
	}
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	var env []string
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); name != heldVariable && !strings.HasPrefix(name, "LISTEN_") {
			env = append(env, v)
		}
	}
	env = append(env, heldVariable+"="+string(text))
	if err := syscall.Exec(r.program, append([]string{os.Args[0]}, r.args...), env); err != nil {
		return fmt.Errorf("start %s: %w", r.program, err)
	}
	return nil
}

// resumed takes the sockets over that the program before this one has left.
func resumed(getenv func(string) string) (Inherited, error) {
	text := getenv(heldVariable)
	if text == "" {
		return nil, nil
	}
	var before held
	if err := json.Unmarshal([]byte(text), &before); err != nil {
		return nil, fmt.Errorf("%s: %w", heldVariable, err)
	}
	if before.PID != os.Getpid() {
		return nil, nil
	}
	sockets := Inherited{}
	for name, s := range before.Sockets {
		l, err := listener(s.Descriptor, name)
		if err != nil {
			return nil, fmt.Errorf("socket %s of the program before: %w", name, err)
		}
		sockets[name] = Socket{l, s.Own}
	}
	return sockets, nil
}

// listener takes a descriptor that this process was started with.
func listener(descriptor int, name string) (net.Listener, error) {
	syscall.CloseOnExec(descriptor)
	file := os.NewFile(uintptr(descriptor), name)
	if file == nil {
		return nil, errors.New("descriptor " + strconv.Itoa(descriptor) + " cannot be")
	}
	defer file.Close()
	return net.FileListener(file)
}
