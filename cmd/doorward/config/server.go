package config

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// Server is what a store node is told. [Default] fills what has a default.
type Server struct {
	// Data is the directory of the node's data. Default /var/lib/doorward.
	Data string `yaml:"data"`
	// Listen is the address of IAM, STS, /v1, health and metrics. Default :8470.
	Listen string `yaml:"listen"`
	// TLS is the certificate of Listen. Without one the API speaks plain HTTP, which
	// is accepted on loopback only, unless Plain says that a proxy ends TLS.
	TLS   Certificate `yaml:"tls"`
	Plain bool        `yaml:"plain_http"`
	// RootKey says where the key is that seals the secrets. Exactly one is set.
	RootKey RootKey `yaml:"root_key"`
	// FormerRootKey is another key that opens what it has sealed, while one replaces the
	// other. At most one is set.
	FormerRootKey RootKey `yaml:"former_root_key"`
	// Peer is the port for other nodes and sidecars. Without Listen the node is alone.
	Peer Peer `yaml:"peer"`
	// Regions are those of the S3 servers. Default us-east-1.
	Regions []string `yaml:"regions"`
	// Limits bound what one source may ask of the API.
	Limits Limits `yaml:"limits"`
	// LDAP is the directory whose users get sessions with AssumeRoleWithLDAPIdentity.
	// Without a URL there is none.
	LDAP LDAP `yaml:"ldap"`
	// LogLevel is debug, info, warn or error, LogFormat text or json.
	LogLevel  string `yaml:"log_level"`
	LogFormat string `yaml:"log_format"`
}

// Limits are of one source, by its address. Zero is no limit.
type Limits struct {
	// Requests is how many calls a second one source may make. Default 1000.
	Requests int `yaml:"requests"`
	// WrongSignatures is how many of them within a minute lock an access key for the
	// source. Default 10. LockSeconds is for how long. Default 60.
	WrongSignatures int `yaml:"wrong_signatures"`
	LockSeconds     int `yaml:"lock_seconds"`
}

// LDAP is how to ask a directory; package api/ldap says what each means. The password
// of the lookup account comes from a file or from a variable, never from a setting.
type LDAP struct {
	URL           string `yaml:"url"`
	StartTLS      bool   `yaml:"start_tls"`
	Authorities   string `yaml:"authorities"`
	LookupDN      string `yaml:"lookup_dn"`
	PasswordFile  string `yaml:"lookup_password_file"`
	PasswordEnv   string `yaml:"lookup_password_env"`
	UserBase      string `yaml:"user_base"`
	UserFilter    string `yaml:"user_filter"`
	NameAttribute string `yaml:"name_attribute"`
	GroupBase     string `yaml:"group_base"`
	GroupFilter   string `yaml:"group_filter"`
	Policies      string `yaml:"policies"`
}

func (l *LDAP) validate() error {
	switch {
	case l.URL == "" && *l != (LDAP{}):
		return errors.New("ldap.url is empty, but other settings of ldap are set: set it, such as ldaps://ldap.example.org, or none of them")
	case l.URL == "":
	case count(l.PasswordFile, l.PasswordEnv) != 1:
		return errors.New("set one of ldap.lookup_password_file and ldap.lookup_password_env")
	case l.Policies == "":
		return errors.New("ldap.policies is empty: name the file that maps DNs to policies")
	}
	return nil
}

// Certificate is a pair of PEM files.
type Certificate struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
}

// RootKey is where a root key can be; see seal.Source.
type RootKey struct {
	File       string `yaml:"file"`
	Env        string `yaml:"env"`
	Credential string `yaml:"credential"`
	Passphrase string `yaml:"passphrase"`
}

// Peer is how a node reaches the others, with mutual TLS. Without a certificate the
// node keeps its own, below Data, from the authority that the store has.
type Peer struct {
	Listen      string   `yaml:"listen"`
	Advertise   string   `yaml:"advertise"`
	Certificate string   `yaml:"certificate"`
	Key         string   `yaml:"key"`
	Authority   string   `yaml:"authority"`
	Known       []string `yaml:"known"`
	// Gossip is the address on which nodes tell one another who is alive, over UDP and
	// TCP. Default the port after that of Listen, such as :8472; off: none.
	Gossip string `yaml:"gossip"`
	// RemoveDeadHours is how long a node has to be silent in every way before the leader
	// removes it, if the others are well without it. Default 72; 0: never.
	RemoveDeadHours int `yaml:"remove_dead_hours"`
	// Plain says that there is no TLS, on loopback only.
	Plain bool `yaml:"plain"`
}

// Default returns the values named at the fields of [Server].
func Default() Server {
	return Server{
		Data: "/var/lib/doorward", Listen: ":8470", Regions: []string{"us-east-1"},
		Peer:     Peer{RemoveDeadHours: 72},
		Limits:   Limits{Requests: 1000, WrongSignatures: 10, LockSeconds: 60},
		LogLevel: "info", LogFormat: "text",
	}
}

// Validate says the first thing that cannot work, by the setting's name, and what
// would.
func (s *Server) Validate() error {
	if s.Data == "" {
		return errors.New("data is empty: name the directory of the node's data")
	}
	if l := s.Limits; l.Requests < 0 || l.WrongSignatures < 0 || l.LockSeconds < 1 {
		return errors.New("limits cannot be negative, and a lock lasts at least a second: set limits.requests or limits.wrong_signatures to 0 for none")
	}
	if err := s.validateAPI(); err != nil {
		return err
	}
	if err := s.validatePeer(); err != nil {
		return err
	}
	if n := count(s.RootKey.File, s.RootKey.Env, s.RootKey.Credential, s.RootKey.Passphrase); n != 1 {
		return fmt.Errorf("%d of root_key.file, .env, .credential and .passphrase are set: set exactly one", n)
	}
	if err := s.LDAP.validate(); err != nil {
		return err
	}
	if n := count(s.FormerRootKey.File, s.FormerRootKey.Env, s.FormerRootKey.Credential, s.FormerRootKey.Passphrase); n > 1 {
		return fmt.Errorf("%d of former_root_key.file, .env, .credential and .passphrase are set: set one or none", n)
	}
	if len(s.Regions) == 0 {
		return errors.New("regions is empty: name the region of the S3 servers, such as us-east-1")
	}
	return validateLog(s.LogLevel, s.LogFormat)
}

func (s *Server) validateAPI() error {
	host, _, err := net.SplitHostPort(s.Listen)
	switch {
	case err != nil:
		return fmt.Errorf("listen is %q: want HOST:PORT or :PORT", s.Listen)
	case (s.TLS.Certificate == "") != (s.TLS.Key == ""):
		return errors.New("one of tls.certificate and tls.key is set: set both or none")
	case s.TLS.Certificate == "" && !s.Plain && !Loopback(host):
		return fmt.Errorf("listen is %q, which others can reach, without TLS: set tls.certificate and tls.key, or plain_http if a proxy ends TLS", s.Listen)
	}
	return nil
}

func (s *Server) validatePeer() error {
	p := &s.Peer
	files := count(p.Certificate, p.Key, p.Authority)
	if p.Listen == "" {
		if files > 0 || p.Advertise != "" || len(p.Known) > 0 || p.Plain || p.Gossip != "" {
			return errors.New("peer.listen is empty, but other settings of peer are set: set it, such as :8471, or none of them")
		}
		return nil
	}
	if p.RemoveDeadHours < 0 {
		return fmt.Errorf("peer.remove_dead_hours is %d: want a number of hours, or 0 for never", p.RemoveDeadHours)
	}
	host, _, err := net.SplitHostPort(p.Listen)
	switch {
	case err != nil:
		return fmt.Errorf("peer.listen is %q: want HOST:PORT or :PORT", p.Listen)
	case p.Advertise == "" && !Loopback(host) && (host == "" || net.ParseIP(host).IsUnspecified()):
		return fmt.Errorf("peer.listen is %q, which is no address that other nodes could use: set peer.advertise, such as store-1:8471", p.Listen)
	case p.Plain && files > 0:
		return errors.New("peer.plain is set, and so is a certificate: set one of them")
	case p.Plain && !Loopback(host):
		return fmt.Errorf("peer.listen is %q, which others can reach: peer.plain is for loopback", p.Listen)
	case p.Gossip != "" && p.Gossip != GossipOff && !isAddress(p.Gossip):
		return fmt.Errorf("peer.gossip is %q: want HOST:PORT, :PORT or %s", p.Gossip, GossipOff)
	case files != 0 && files != 3:
		return errors.New("some of peer.certificate, peer.key and peer.authority are set: set all three")
	}
	return nil
}

// GossipOff as the setting peer.gossip is no gossip.
const GossipOff = "off"

func isAddress(text string) bool {
	_, _, err := net.SplitHostPort(text)
	return err == nil
}

// GossipAddress is where the node's gossip listens, empty if there is none.
func (p *Peer) GossipAddress() string {
	switch {
	case p.Listen == "" || p.Gossip == GossipOff:
		return ""
	case p.Gossip != "":
		return p.Gossip
	}
	host, port, err := net.SplitHostPort(p.Listen)
	if err != nil {
		return ""
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 65535 {
		return ""
	}
	if number > 0 {
		number++
	}
	return net.JoinHostPort(host, strconv.FormatUint(number, 10))
}

func count(texts ...string) (n int) {
	for _, text := range texts {
		if text != "" {
			n++
		}
	}
	return n
}

// Loopback reports whether only this machine can reach an address on host.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
