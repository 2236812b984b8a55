package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// Setting is one value that can be set in a configuration C.
type Setting[C any] struct {
	Name  string // path in the file, dots between
	Usage string
	field func(*C) any // *string, *bool, *int or *[]string
}

// Settings are those of a node, in the order of the file.
var Settings = []Setting[Server]{
	{"data", "`DIR` of the node's data", func(s *Server) any { return &s.Data }},
	{"listen", "`ADDRESS` of IAM, STS, /v1, health and metrics", func(s *Server) any { return &s.Listen }},
	{"tls.certificate", "`FILE` of the API's certificate, PEM", func(s *Server) any { return &s.TLS.Certificate }},
	{"tls.key", "`FILE` of the API's private key, PEM", func(s *Server) any { return &s.TLS.Key }},
	{"plain_http", "`BOOL`: speak plain HTTP to others, because a proxy ends TLS", func(s *Server) any { return &s.Plain }},
	{"root_key.file", "`FILE` of the root key; init makes it", func(s *Server) any { return &s.RootKey.File }},
	{"root_key.env", "`NAME` of the variable that holds the root key", func(s *Server) any { return &s.RootKey.Env }},
	{"root_key.credential", "`NAME` of the systemd credential that holds the root key", func(s *Server) any { return &s.RootKey.Credential }},
	{"root_key.passphrase", "`FILE` whose first line is stretched into the root key", func(s *Server) any { return &s.RootKey.Passphrase }},
	{"former_root_key.file", "`FILE` of another root key that still opens what it has sealed", func(s *Server) any { return &s.FormerRootKey.File }},
	{"former_root_key.env", "`NAME` of the variable that holds it", func(s *Server) any { return &s.FormerRootKey.Env }},
	{"former_root_key.credential", "`NAME` of the systemd credential that holds it", func(s *Server) any { return &s.FormerRootKey.Credential }},
	{"former_root_key.passphrase", "`FILE` whose first line is stretched into it", func(s *Server) any { return &s.FormerRootKey.Passphrase }},
	{"peer.listen", "`ADDRESS` for other nodes and sidecars; empty for a node that is alone", func(s *Server) any { return &s.Peer.Listen }},
	{"peer.advertise", "`ADDRESS` under which others reach this node", func(s *Server) any { return &s.Peer.Advertise }},
	{"peer.certificate", "`FILE` of the node's certificate, PEM", func(s *Server) any { return &s.Peer.Certificate }},
	{"peer.key", "`FILE` of the node's private key, PEM", func(s *Server) any { return &s.Peer.Key }},
	{"peer.authority", "`FILE` of the authority that signed the members' certificates, PEM", func(s *Server) any { return &s.Peer.Authority }},
	{"peer.known", "`ADDRESSES` of other nodes, for one that finds none where it knew them", func(s *Server) any { return &s.Peer.Known }},
	{"peer.gossip", "`ADDRESS` on which nodes tell one another who is alive, UDP and TCP; empty: the port after that of peer.listen; off: none", func(s *Server) any { return &s.Peer.Gossip }},
	{"peer.remove_dead_hours", "`HOURS` of silence after which the leader removes a node; 0: never", func(s *Server) any { return &s.Peer.RemoveDeadHours }},
	{"peer.plain", "`BOOL`: no TLS between nodes, on loopback only", func(s *Server) any { return &s.Peer.Plain }},
	{"regions", "`REGIONS` of the S3 servers", func(s *Server) any { return &s.Regions }},
	{"limits.requests", "`N` calls a second that one source may make, 0 for any number", func(s *Server) any { return &s.Limits.Requests }},
	{"limits.wrong_signatures", "`N` wrong signatures within a minute that lock an access key for a source, 0 for none", func(s *Server) any { return &s.Limits.WrongSignatures }},
	{"limits.lock_seconds", "`N` seconds that such a lock lasts", func(s *Server) any { return &s.Limits.LockSeconds }},
	{"ldap.url", "`URL` of the directory: ldaps://HOST, or ldap://HOST with start_tls; empty for none", func(s *Server) any { return &s.LDAP.URL }},
	{"ldap.start_tls", "`BOOL`: change to TLS on ldap://", func(s *Server) any { return &s.LDAP.StartTLS }},
	{"ldap.authorities", "`FILE` of certificates to trust for the directory, PEM; empty for those of the system", func(s *Server) any { return &s.LDAP.Authorities }},
	{"ldap.lookup_dn", "`DN` of the account that looks users up", func(s *Server) any { return &s.LDAP.LookupDN }},
	{"ldap.lookup_password_file", "`FILE` whose first line is its password", func(s *Server) any { return &s.LDAP.PasswordFile }},
	{"ldap.lookup_password_env", "`NAME` of the variable that holds its password", func(s *Server) any { return &s.LDAP.PasswordEnv }},
	{"ldap.user_base", "`DN` below which users are", func(s *Server) any { return &s.LDAP.UserBase }},
	{"ldap.user_filter", "`FILTER` for a user, %s for the name; empty for (uid=%s)", func(s *Server) any { return &s.LDAP.UserFilter }},
	{"ldap.name_attribute", "`ATTRIBUTE` that names a user here; empty for uid", func(s *Server) any { return &s.LDAP.NameAttribute }},
	{"ldap.group_base", "`DN` below which groups are; empty if they do not count", func(s *Server) any { return &s.LDAP.GroupBase }},
	{"ldap.group_filter", "`FILTER` for the groups of a user, %d for its DN; empty for groups of names", func(s *Server) any { return &s.LDAP.GroupFilter }},
	{"ldap.policies", "`FILE` that maps DNs of users and groups to policies, JSON", func(s *Server) any { return &s.LDAP.Policies }},
	{"log_level", "`LEVEL` of what is logged: debug, info, warn or error", func(s *Server) any { return &s.LogLevel }},
	{"log_format", "`FORM` of the log: text or json", func(s *Server) any { return &s.LogFormat }},
}

var spelling = strings.NewReplacer(".", "-", "_", "-")

// Flag is the setting's flag without dashes: root-key-file for root_key.file.
func (s Setting[C]) Flag() string { return spelling.Replace(s.Name) }

// Variable is the setting's environment variable: DOORWARD_ROOT_KEY_FILE.
func (s Setting[C]) Variable() string {
	return "DOORWARD_" + strings.ToUpper(strings.ReplaceAll(s.Flag(), "-", "_"))
}

// Switch reports whether the setting is true or false, so that its flag alone says
// true.
func (s Setting[C]) Switch() bool {
	_, is := s.field(new(C)).(*bool)
	return is
}

// Value returns the setting's value as a flag would give it.
func (s Setting[C]) Value(in *C) string {
	switch v := s.field(in).(type) {
	case *string:
		return *v
	case *bool:
		return strconv.FormatBool(*v)
	case *int:
		return strconv.Itoa(*v)
	case *[]string:
		return strings.Join(*v, ",")
	}
	panic("config: " + s.Name + " has a type without a text form")
}

// set sets the value from its text form: lists have commas between.
func (s Setting[C]) set(in *C, text string) error {
	switch v := s.field(in).(type) {
	case *string:
		*v = text
	case *bool:
		set, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*v = set
	case *int:
		number, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		*v = number
	case *[]string:
		*v = nil
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				*v = append(*v, part)
			}
		}
	}
	return nil
}

// Loaded is a configuration and where each of its values came from: "default", the
// file, a variable or a flag, by setting.
type Loaded struct {
	Server
	Origin map[string]string
}

// Load reads the file, if one is named, then the environment, then flags, which
// holds the text of those that were given by setting. The result is not validated.
func Load(file string, getenv func(string) string, flags map[string]string) (*Loaded, error) {
	l := &Loaded{Server: Default()}
	var err error
	l.Origin, err = load(Settings, &l.Server, file, getenv, flags)
	return l, err
}

// load fills in, which holds the defaults, and returns where each value came from.
func load[C any](settings []Setting[C], in *C, file string, getenv func(string) string, flags map[string]string) (map[string]string, error) {
	origin := map[string]string{}
	for _, s := range settings {
		origin[s.Name] = "default"
	}
	if file != "" {
		if err := readFile(settings, in, origin, file); err != nil {
			return nil, err
		}
	}
	for _, s := range settings {
		if text := getenv(s.Variable()); text != "" {
			if err := s.set(in, text); err != nil {
				return nil, fmt.Errorf("%s: %w", s.Variable(), err)
			}
			origin[s.Name] = s.Variable()
		}
		if text, given := flags[s.Name]; given {
			if err := s.set(in, text); err != nil {
				return nil, fmt.Errorf("--%s: %w", s.Flag(), err)
			}
			origin[s.Name] = "--" + s.Flag()
		}
	}
	return origin, nil
}

func readFile[C any](settings []Setting[C], in *C, origin map[string]string, name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if err := parse(settings, in, origin, text, name); err != nil {
		return fmt.Errorf("configuration %s: %w", name, err)
	}
	return nil
}

// parse reads one YAML document over the defaults. What is not a setting is
// refused, with its line and column.
func parse[C any](settings []Setting[C], in *C, origin map[string]string, text []byte, name string) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err := decoder.Decode(in); err != nil && !errors.Is(err, io.EOF) {
		return errors.New(strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return errors.New(strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	for _, s := range settings {
		if has(tree, s.Name) {
			origin[s.Name] = name
		}
	}
	return nil
}

// has reports whether the tree has a value at a path.
func has(tree map[string]any, path string) bool {
	first, rest, nested := strings.Cut(path, ".")
	value, found := tree[first]
	if !found || !nested {
		return found
	}
	below, ok := value.(map[string]any)
	return ok && has(below, rest)
}
