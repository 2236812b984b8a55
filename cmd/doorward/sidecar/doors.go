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

// The names of the sockets that systemd may hold (FileDescriptorName=).
const (
	framesSocket  = "sidecar"
	gatewaySocket = "versitygw"
	httpSocket    = "http"
)

// takeDoors takes the sockets that systemd holds and makes the others.
func takeDoors(s *config.Sidecar, p Process) (doors parts.Doors, err error) {
	held, err := parts.Inherit(p.Getenv)
	if err != nil {
		return doors, err
	}
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
	if doors.Frames, err = takeSocket(held[framesSocket], unix, s.Socket); err != nil {
		return doors, err
	}
	if len(s.GatewayUsers) > 0 {
		if unix.Users, err = userIDs("versitygw_users", s.GatewayUsers); err != nil {
			return doors, err
		}
	}
	if doors.Gateway, err = takeSocket(held[gatewaySocket], unix, s.Gateway); err != nil {
		return doors, err
	}
	if doors.HTTP = held[httpSocket]; doors.HTTP == nil && s.HTTP != "" {
		if doors.HTTP, err = net.Listen("tcp", s.HTTP); err != nil {
			return doors, fmt.Errorf("http: %w", err)
		}
	}
	doors.Frontend, err = frontDoors(s, p)
	return doors, err
}

// takeSocket adopts a socket that is held, or makes one at path, if there is one.
func takeSocket(held net.Listener, unix sidecar.Socket, path string) (net.Listener, error) {
	unix.Path = path
	switch {
	case held != nil:
		return unix.Adopt(held)
	case path != "":
		return unix.Listen()
	}
	return nil, nil
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
