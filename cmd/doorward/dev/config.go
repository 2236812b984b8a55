package dev

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"

	serverconfig "github.com/doorward/doorward/cmd/doorward/config"
)

// DefaultListen is the address of the API.
const DefaultListen = "127.0.0.1:8470"

// DefaultHTTP is the address of the authorizer's HTTP.
const DefaultHTTP = "127.0.0.1:8475"

// maxSocket is the longest path of a unix socket, in bytes (unix(7), without the
// closing zero).
const maxSocket = 107

// Config says where a dev node keeps its data and what it tells whom. Dir, Out,
// Err and Log have to be set.
type Config struct {
	Dir         string // data directory, made if it isn't there
	Objects     string // directory of the S3 server's objects, shown only; default s3 in Dir
	Listen      string // loopback address of the API; default DefaultListen
	Socket      string // path of the unix socket that versitygw asks; default versitygw.sock in Dir
	Frames      string // path of the unix socket for other S3 servers; default sidecar.sock in Dir
	HTTP        string // loopback address of /auth, health and metrics of the authorizer; default DefaultHTTP, or a free port if Listen takes one
	ReadyFile   string // gets a Ready as JSON, mode 0600, once all parts serve; empty: none
	DecisionLog string // gets every decision as a line of JSON; empty: none
	Version     string // of this build, told to S3 servers that ask

	JSON bool      // print a Ready as JSON instead of the welcome
	Out  io.Writer // the welcome
	Err  io.Writer // warnings
	Log  *slog.Logger
}

func (c *Config) complete() error {
	if c.Listen == "" {
		c.Listen = DefaultListen
	}
	if err := loopback(c.Listen); err != nil {
		return err
	}
	var err error
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if c.HTTP == "" {
		c.HTTP = DefaultHTTP
		if _, port, _ := net.SplitHostPort(c.Listen); port == "0" {
			c.HTTP = "127.0.0.1:0"
		}
	}
	if err := loopback(c.HTTP); err != nil {
		return err
	}
	if err := c.completeSocket(&c.Socket, "versitygw.sock", "--socket"); err != nil {
		return err
	}
	if err := c.completeSocket(&c.Frames, "sidecar.sock", "--frames-socket"); err != nil {
		return err
	}
	if c.Objects == "" {
		c.Objects = filepath.Join(c.Dir, "s3")
	}
	c.Objects, err = filepath.Abs(c.Objects)
	return err
}

// completeSocket gives a socket its default name and looks at its length.
func (c *Config) completeSocket(path *string, name, flag string) (err error) {
	if *path == "" {
		*path = filepath.Join(c.Dir, name)
	}
	if *path, err = filepath.Abs(*path); err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if len(*path) > maxSocket {
		return fmt.Errorf("socket %s: %d bytes, and unix sockets allow %d: choose a shorter path with %s", *path, len(*path), maxSocket, flag)
	}
	return nil
}

// loopback refuses addresses that other machines could reach: dev mode speaks
// plain HTTP.
func loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen address %q: want HOST:PORT, such as %s", address, DefaultListen)
	}
	if serverconfig.Loopback(host) {
		return nil
	}
	return errors.New("listen address " + address + " is not on loopback: dev mode speaks plain HTTP, for this machine only; choose 127.0.0.1, ::1 or localhost")
}
