package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
)

// Sidecar is what a sidecar is told. [DefaultSidecar] fills what has a default.
type Sidecar struct {
	// Nodes are addresses of store nodes (their peer.listen). One will do: a node tells
	// the others.
	Nodes []string `yaml:"nodes"`
	// Name is what this sidecar would like to be called when it joins; with a
	// certificate, it is called what that says. Default: the host's name.
	Name string `yaml:"name"`
	// State is the directory of the certificate and of the local snapshot. Default
	// /var/lib/doorward-sidecar.
	State string `yaml:"state"`
	// Certificate, Key and Authority are PEM files. Default: the sidecar joins with a
	// token, keeps its certificate in State and renews it.
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	Authority   string `yaml:"authority"`
	// Plain does without certificates, to nodes on loopback only.
	Plain bool `yaml:"plain"`
	// SnapshotKey says where the key is that seals the local snapshot. Default: a file
	// snapshot.key in State, which is made. None: no snapshot, so that the sidecar
	// cannot start without the store.
	SnapshotKey SnapshotKey `yaml:"snapshot_key"`

	// Region is the S3 server's own, Regions others that are accepted, AnyRegion all.
	Region    string   `yaml:"region"`
	Regions   []string `yaml:"regions"`
	AnyRegion bool     `yaml:"any_region"`
	// Endpoints are the S3 server's host names, for bucket names in Host.
	Endpoints []string `yaml:"endpoints"`

	// Socket is the path of the socket with frames, Gateway that of versitygw's
	// protocol; HTTP is the loopback address of the HTTP doors. Empty: none.
	Socket  string `yaml:"socket"`
	Gateway string `yaml:"versitygw_socket"`
	HTTP    string `yaml:"http"`
	// Users are those that may connect to the sockets, names or numbers; default: the
	// process's own and root. The others narrow that for one operation: checks, verifying,
	// chunks, and the socket of versitygw, which gives signing keys too; default: Users.
	// KeyUsers may ask for signing keys; default: the process's own and root. Group owns
	// the sockets.
	Users        []string `yaml:"users"`
	CheckUsers   []string `yaml:"check_users"`
	VerifyUsers  []string `yaml:"verify_users"`
	ChunkUsers   []string `yaml:"chunk_users"`
	KeyUsers     []string `yaml:"key_users"`
	GatewayUsers []string `yaml:"versitygw_users"`
	Group        string   `yaml:"group"`
	// Proxy is who asks at /auth: nginx, caddy or haproxy; empty closes it. MinIOToken
	// is a file with what MinIO sends in Authorization; empty closes the webhook.
	Proxy      string `yaml:"proxy"`
	MinIOToken string `yaml:"minio_token_file"`

	// DecisionLog is a file that decisions are appended to, - for standard output.
	// One in Allows allowed requests is written, each refused one is.
	DecisionLog string `yaml:"decision_log"`
	Allows      int    `yaml:"decision_log_allows"`

	LogLevel  string `yaml:"log_level"`
	LogFormat string `yaml:"log_format"`
}

// SnapshotKey is where the key of the local snapshot can be.
type SnapshotKey struct {
	File       string `yaml:"file"`
	Credential string `yaml:"credential"`
	None       bool   `yaml:"none"`
}

// SidecarSettings are those of a sidecar, in the order of the file.
var SidecarSettings = []Setting[Sidecar]{
	{"nodes", "`ADDRESSES` of store nodes, their peer.listen", func(s *Sidecar) any { return &s.Nodes }},
	{"name", "`NAME` that this sidecar would like when it joins; default: the host's", func(s *Sidecar) any { return &s.Name }},
	{"state", "`DIR` of the certificate and the local snapshot", func(s *Sidecar) any { return &s.State }},
	{"certificate", "`FILE` of the certificate, PEM; default: joined with a token, and kept in the state directory", func(s *Sidecar) any { return &s.Certificate }},
	{"key", "`FILE` of the private key, PEM", func(s *Sidecar) any { return &s.Key }},
	{"authority", "`FILE` of the authority that signed the members' certificates, PEM", func(s *Sidecar) any { return &s.Authority }},
	{"plain", "`BOOL`: no certificates, for nodes on loopback", func(s *Sidecar) any { return &s.Plain }},
	{"snapshot_key.file", "`FILE` of the key that seals the local snapshot; default snapshot.key in the state directory, which is made", func(s *Sidecar) any { return &s.SnapshotKey.File }},
	{"snapshot_key.credential", "`NAME` of the systemd credential that holds it", func(s *Sidecar) any { return &s.SnapshotKey.Credential }},
	{"snapshot_key.none", "`BOOL`: keep no local snapshot", func(s *Sidecar) any { return &s.SnapshotKey.None }},
	{"region", "`REGION` of the S3 server", func(s *Sidecar) any { return &s.Region }},
	{"regions", "`REGIONS` that are accepted in signatures too", func(s *Sidecar) any { return &s.Regions }},
	{"any_region", "`BOOL`: accept signatures for every region", func(s *Sidecar) any { return &s.AnyRegion }},
	{"endpoints", "`HOSTS` of the S3 server, for bucket names in Host", func(s *Sidecar) any { return &s.Endpoints }},
	{"socket", "`PATH` of the socket for S3 servers (docs/protocol.md)", func(s *Sidecar) any { return &s.Socket }},
	{"versitygw_socket", "`PATH` of the socket for versitygw", func(s *Sidecar) any { return &s.Gateway }},
	{"http", "loopback `ADDRESS` of /auth, /minio/authz, health and metrics", func(s *Sidecar) any { return &s.HTTP }},
	{"users", "`USERS` that may connect to the sockets; default: this process's and root", func(s *Sidecar) any { return &s.Users }},
	{"check_users", "`USERS` that may ask about requests as they came; default: users", func(s *Sidecar) any { return &s.CheckUsers }},
	{"verify_users", "`USERS` that may ask about signatures; default: users", func(s *Sidecar) any { return &s.VerifyUsers }},
	{"chunk_users", "`USERS` that may ask about chunk signatures; default: users", func(s *Sidecar) any { return &s.ChunkUsers }},
	{"key_users", "`USERS` that may ask for signing keys; default: this process's and root", func(s *Sidecar) any { return &s.KeyUsers }},
	{"versitygw_users", "`USERS` that may connect to versitygw's socket, which gives signing keys too; default: users", func(s *Sidecar) any { return &s.GatewayUsers }},
	{"group", "`GROUP` that owns the sockets", func(s *Sidecar) any { return &s.Group }},
	{"proxy", "`KIND` of proxy that asks at /auth: nginx, caddy or haproxy", func(s *Sidecar) any { return &s.Proxy }},
	{"minio_token_file", "`FILE` with the token of MinIO's webhook", func(s *Sidecar) any { return &s.MinIOToken }},
	{"decision_log", "`FILE` that decisions are appended to; - is standard output", func(s *Sidecar) any { return &s.DecisionLog }},
	{"decision_log_allows", "`NUMBER`: write one in so many allowed requests", func(s *Sidecar) any { return &s.Allows }},
	{"log_level", "`LEVEL` of what is logged: debug, info, warn or error", func(s *Sidecar) any { return &s.LogLevel }},
	{"log_format", "`FORM` of the log: text or json", func(s *Sidecar) any { return &s.LogFormat }},
}

// DefaultSidecar returns the values named at the fields of [Sidecar].
func DefaultSidecar() Sidecar {
	return Sidecar{
		State: "/var/lib/doorward-sidecar", Region: "us-east-1",
		Socket: "/run/doorward/sidecar.sock", Gateway: "/run/doorward/versitygw.sock", HTTP: "127.0.0.1:8475",
		Allows: 1, LogLevel: "info", LogFormat: "text",
	}
}

// LoadedSidecar is Loaded for a sidecar.
type LoadedSidecar struct {
	Sidecar
	Origin map[string]string
}

// LoadSidecar is Load for a sidecar.
func LoadSidecar(file string, getenv func(string) string, flags map[string]string) (*LoadedSidecar, error) {
	l := &LoadedSidecar{Sidecar: DefaultSidecar()}
	var err error
	l.Origin, err = load(SidecarSettings, &l.Sidecar, file, getenv, flags)
	return l, err
}

// Complete fills in what depends on other settings.
func (s *Sidecar) Complete(hostname string) {
	if s.Name == "" {
		s.Name = hostname
	}
	if s.SnapshotKey == (SnapshotKey{}) {
		s.SnapshotKey.File = filepath.Join(s.State, "snapshot.key")
	}
}

// Validate says the first thing that cannot work, by the setting's name, and what
// would.
func (s *Sidecar) Validate() error {
	switch {
	case len(s.Nodes) == 0:
		return errors.New("nodes is empty: name a store node at least, such as store-1:8471")
	case count(s.Certificate, s.Key, s.Authority)%3 != 0:
		return errors.New("some of certificate, key and authority are set: set all three or none")
	case s.Plain && s.Certificate != "":
		return errors.New("plain is set, and so is certificate: set one of them")
	case s.State == "":
		return errors.New("state is empty: name a directory")
	case s.Socket == "" && s.Gateway == "" && s.HTTP == "":
		return errors.New("socket, versitygw_socket and http are empty: nobody could ask")
	case s.Allows < 1:
		return fmt.Errorf("decision_log_allows is %d: want 1 or more", s.Allows)
	case s.SnapshotKey.None && (s.SnapshotKey.File != "" || s.SnapshotKey.Credential != ""), s.SnapshotKey.File != "" && s.SnapshotKey.Credential != "":
		return errors.New("several of snapshot_key.file, .credential and .none are set: set one or none of them")
	case s.Proxy != "" && s.Proxy != "nginx" && s.Proxy != "caddy" && s.Proxy != "haproxy":
		return fmt.Errorf("proxy is %q: want nginx, caddy or haproxy", s.Proxy)
	case s.HTTP == "" && (s.Proxy != "" || s.MinIOToken != ""):
		return errors.New("http is empty, but proxy or minio_token_file is set: set it, such as 127.0.0.1:8475")
	}
	for _, node := range s.Nodes {
		host, _, err := net.SplitHostPort(node)
		if err != nil {
			return fmt.Errorf("nodes has %q: want HOST:PORT, such as store-1:8471", node)
		}
		if s.Plain && !Loopback(host) {
			return fmt.Errorf("plain is set, and nodes has %q, which is not on loopback: use certificates", node)
		}
	}
	if err := s.validateHTTP(); err != nil {
		return err
	}
	return validateLog(s.LogLevel, s.LogFormat)
}

func (s *Sidecar) validateHTTP() error {
	if s.HTTP == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(s.HTTP)
	if err != nil {
		return fmt.Errorf("http is %q: want HOST:PORT, such as 127.0.0.1:8475", s.HTTP)
	}
	if !Loopback(host) {
		return fmt.Errorf("http is %q, which others can reach: whoever asks there is believed, so want 127.0.0.1, ::1 or localhost", s.HTTP)
	}
	return nil
}

func validateLog(level, format string) error {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil || strings.TrimSpace(level) == "" {
		return fmt.Errorf("log_level is %q: want debug, info, warn or error", level)
	}
	if format != "text" && format != "json" {
		return fmt.Errorf("log_format is %q: want text or json", format)
	}
	return nil
}
