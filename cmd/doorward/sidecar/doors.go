package sidecar

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/doorward/doorward/cmd/doorward/config"
	"github.com/doorward/doorward/cmd/doorward/parts"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/frontend"
	"github.com/doorward/doorward/sidecar/protocol"
)

// The names of the sockets that may be held (FileDescriptorName= of systemd).
const (
	framesSocket  = "sidecar"
	gatewaySocket = "versitygw"
	httpSocket    = "http"
)

// takeDoors takes the sockets that are held and makes the others.
func takeDoors(s *config.Sidecar, held parts.Inherited, p Process) (doors parts.Doors, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, doors.Close())
		}
	}()
	doors = parts.Doors{Server: sidecar.DefaultServerConfig(), Version: p.Version, Log: p.Log}
	doors.Server.Name, doors.Server.Logger = "doorward "+p.Version, p.Log.With("part", "socket")
	if doors.Server.Users, err = operationUsers(s); err != nil {
		return doors, err
	}
	unix := sidecar.Socket{Group: -1}
	if unix.Users, err = userIDs("users", s.Users); err != nil {
		return doors, err
	}
	if unix.Group, err = groupID(s.Group); err != nil {
		return doors, err
	}
	if doors.Frames, err = takeSocket(held, framesSocket, unix, s.Socket); err != nil {
		return doors, err
	}
	if len(s.GatewayUsers) > 0 {
		if unix.Users, err = userIDs("versitygw_users", s.GatewayUsers); err != nil {
			return doors, err
		}
	}
	if doors.Gateway, err = takeSocket(held, gatewaySocket, unix, s.Gateway); err != nil {
		return doors, err
	}
	if doors.HTTP, err = takeHTTP(held, s.HTTP); err != nil {
		return doors, fmt.Errorf("http: %w", err)
	}
	doors.Frontend, err = frontDoors(s, p)
	return doors, err
}

// takeSocket takes a socket that was open before, or makes one at path, if there is one.
func takeSocket(held parts.Inherited, name string, unix sidecar.Socket, path string) (net.Listener, error) {
	before, found := held[name]
	unix.Path = path
	switch {
	case found && before.Own == "":
		return unix.Adopt(before.Listener)
	case found && before.Own == path:
		return unix.Resume(before.Listener)
	case found: // the settings have changed
		if err := errors.Join(before.Close(), os.Remove(before.Own)); err != nil {
			return nil, err
		}
	}
	if path == "" {
		return nil, nil
	}
	return unix.Listen()
}

// takeHTTP does the same for an address.
func takeHTTP(held parts.Inherited, address string) (net.Listener, error) {
	before, found := held[httpSocket]
	if found && (before.Own == "" || before.Own == address) {
		return before.Listener, nil
	}
	if found {
		if err := before.Close(); err != nil {
			return nil, err
		}
	}
	if address == "" {
		return nil, nil
	}
	return net.Listen("tcp", address)
}

// hold keeps the sockets of the doors open for the program that begins next.
func hold(r *parts.Renewal, s *config.Sidecar, doors parts.Doors, held parts.Inherited) error {
	for _, door := range []struct {
		name    string
		socket  net.Listener
		address string
	}{
		{framesSocket, doors.Frames, s.Socket}, {gatewaySocket, doors.Gateway, s.Gateway}, {httpSocket, doors.HTTP, s.HTTP},
	} {
		if door.socket == nil {
			continue
		}
		file, err := sidecar.Hold(door.socket)
		if err != nil {
			return fmt.Errorf("hold socket %s: %w", door.name, err)
		}
		if before, found := held[door.name]; found && before.Own == "" {
			door.address = "" // systemd's
		}
		r.Hold(door.name, file, door.address)
	}
	return nil
}

func frontDoors(s *config.Sidecar, p Process) (frontend.Config, error) {
	c := frontend.Config{Logger: p.Log.With("part", "http")}
	switch s.Proxy {
	case "nginx":
		c.Proxy = &frontend.Nginx
	case "caddy":
		c.Proxy = &frontend.Caddy
	case "haproxy":
		c.Proxy = &frontend.HAProxy
	}
	if s.MinIOToken != "" {
		text, err := os.ReadFile(s.MinIOToken)
		if err != nil {
			return c, fmt.Errorf("minio_token_file: %w", err)
		}
		if c.MinIOToken = strings.TrimSpace(string(text)); c.MinIOToken == "" {
			return c, fmt.Errorf("minio_token_file %s is empty: write what MINIO_POLICY_PLUGIN_AUTH_TOKEN says", s.MinIOToken)
		}
	}
	return c, nil
}

// operationUsers returns who may ask what, where not everybody may who can connect.
func operationUsers(s *config.Sidecar) (map[protocol.Type][]int, error) {
	users := make(map[protocol.Type][]int)
	for _, o := range []struct {
		operation protocol.Type
		setting   string
		names     []string
	}{
		{protocol.TypeCheck, "check_users", s.CheckUsers},
		{protocol.TypeVerify, "verify_users", s.VerifyUsers},
		{protocol.TypeChunk, "chunk_users", s.ChunkUsers},
		{protocol.TypeSigningKey, "key_users", s.KeyUsers},
	} {
		ids, err := userIDs(o.setting, o.names)
		if err != nil {
			return nil, err
		}
		users[o.operation] = ids
	}
	return users, nil
}

// userIDs returns the numbers of users that are given by name or number.
func userIDs(setting string, names []string) (ids []int, err error) {
	for _, name := range names {
		id, err := strconv.Atoi(name)
		if err != nil {
			u, unknown := user.Lookup(name)
			if unknown != nil {
				return nil, fmt.Errorf("%s has %q: %w", setting, name, unknown)
			}
			if id, err = strconv.Atoi(u.Uid); err != nil {
				return nil, fmt.Errorf("%s has %q, whose id is %q", setting, name, u.Uid)
			}
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// groupID returns the number of a group, -1 for none.
func groupID(name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	if id, err := strconv.Atoi(name); err == nil {
		return id, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return -1, fmt.Errorf("group is %q: %w", name, err)
	}
	return strconv.Atoi(g.Gid)
}
