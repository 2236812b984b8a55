// Package ldap proves users by a directory: [Directory.Authenticate] looks a user up,
// binds as the user, and returns the managed policies that its DN and those of its
// groups are mapped to.
package ldap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Config says which directory to ask and how.
type Config struct {
	// URL is ldaps://HOST[:PORT], or ldap://HOST[:PORT] with StartTLS. Without TLS
	// only ldap:// of a loopback address is taken: passwords pass over the line.
	URL string
	// StartTLS changes to TLS before anything is said.
	StartTLS bool
	// Authorities is a file of PEM certificates to trust. Default: the system's.
	Authorities string
	// LookupDN and LookupPassword are those of an account that may search.
	LookupDN, LookupPassword string
	// UserBase is below which users are looked for with UserFilter, in which %s stands
	// for the name. Default (uid=%s).
	UserBase, UserFilter string
	// NameAttribute holds the name that a user gets here, as the directory spells it.
	// Default uid.
	NameAttribute string
	// GroupBase is below which groups are looked for with GroupFilter, in which %d
	// stands for the user's DN and %s for the name. Empty: groups do not count. Default
	// filter (&(objectClass=groupOfNames)(member=%d)).
	GroupBase, GroupFilter string
	// Policies are names of managed policies by DN of a user or group.
	Policies map[string][]string
	// Timeout bounds one authentication. Default 10 s.
	Timeout time.Duration
}

// Errors of [Directory.Authenticate].
var (
	// ErrRefused: there is no such user, or not exactly one, or the password is wrong.
	// Which of them, only the operator may know.
	ErrRefused = errors.New("the directory does not know this name with this password")
	// ErrUnreachable: the directory did not answer, or refused the lookup account. Ask
	// again later.
	ErrUnreachable = errors.New("the directory cannot be asked")
)

// Person is a user of the directory.
type Person struct {
	DN       string
	Name     string
	Groups   []string // DNs
	Policies []string // names of managed policies, each once; empty: nobody gave the user any
}

// maxGroups bounds the groups of a user that are read.
const maxGroups = 1000

// maxAsking bounds the authentications under way.
const maxAsking = 16

// Directory asks one directory. It is safe for concurrent use.
type Directory struct {
	config  Config
	tls     *tls.Config
	mapping []mapped
	asking  chan struct{}
}

type mapped struct {
	dn       *ldap.DN
	policies []string
}

// New checks c. It opens no connection.
func New(c Config) (*Directory, error) {
	at, err := url.Parse(c.URL)
	if err != nil || at.Hostname() == "" || at.Scheme != "ldap" && at.Scheme != "ldaps" {
		return nil, fmt.Errorf("ldap url %q: want ldaps://HOST or ldap://HOST", c.URL)
	}
	ip := net.ParseIP(at.Hostname())
	local := at.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case at.Scheme == "ldaps" && c.StartTLS:
		return nil, errors.New("ldap: ldaps:// speaks TLS from the start: leave start_tls out")
	case at.Scheme == "ldap" && !c.StartTLS && !local:
		return nil, fmt.Errorf("ldap url %q: passwords would pass in the clear: use ldaps://, or start_tls", c.URL)
	case c.LookupDN == "" || c.LookupPassword == "":
		return nil, errors.New("ldap: the lookup account needs a DN and a password")
	case c.UserBase == "":
		return nil, errors.New("ldap: the user base is empty: name the DN below which users are")
	}
	c.UserFilter, c.NameAttribute = or(c.UserFilter, "(uid=%s)"), or(c.NameAttribute, "uid")
	c.GroupFilter = or(c.GroupFilter, "(&(objectClass=groupOfNames)(member=%d))")
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if !strings.Contains(c.UserFilter, "%s") {
		return nil, fmt.Errorf("ldap user filter %q: %%s is missing, where the name goes", c.UserFilter)
	}
	if !strings.Contains(c.GroupFilter, "%d") && !strings.Contains(c.GroupFilter, "%s") {
		return nil, fmt.Errorf("ldap group filter %q: %%d is missing, where the user's DN goes", c.GroupFilter)
	}
	for _, filter := range []string{c.UserFilter, c.GroupFilter} {
		if _, err := ldap.CompileFilter(filled(filter, "x", "cn=x")); err != nil {
			return nil, fmt.Errorf("ldap filter %q: %w", filter, err)
		}
	}
	d := &Directory{config: c, asking: make(chan struct{}, maxAsking)}
	for text, policies := range c.Policies {
		dn, err := ldap.ParseDN(text)
		if err != nil || len(dn.RDNs) == 0 {
			return nil, fmt.Errorf("ldap policies: %q is not a DN", text)
		}
		d.mapping = append(d.mapping, mapped{dn, policies})
	}
	d.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: at.Hostname()}
	if c.Authorities != "" {
		pem, err := os.ReadFile(c.Authorities)
		if err != nil {
			return nil, fmt.Errorf("ldap authorities: %w", err)
		}
		d.tls.RootCAs = x509.NewCertPool()
		if !d.tls.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ldap authorities %s: no certificate in it", c.Authorities)
		}
	}
	return d, nil
}

func or(s, byDefault string) string {
	if s == "" {
		return byDefault
	}
	return s
}

// filled puts name and DN into a filter, escaped: neither can end its value.
func filled(filter, name, dn string) string {
	return strings.NewReplacer("%s", ldap.EscapeFilter(name), "%d", ldap.EscapeFilter(dn)).Replace(filter)
}

// ReadPolicies reads a file that maps DNs to names of policies, as a JSON object:
// {"cn=staff,ou=groups,dc=example,dc=org": ["readonly"]}.
func ReadPolicies(file string) (map[string][]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var policies map[string][]string
	if err := json.Unmarshal(text, &policies); err != nil {
		return nil, fmt.Errorf("%s: want an object of DNs and lists of policy names: %w", file, err)
	}
	return policies, nil
}

// Authenticate proves name and password. The error is, or wraps, [ErrRefused],
// [ErrUnreachable], or that of ctx.
//
// An empty password is refused here: a directory takes a bind with a name and
// without a password for an anonymous one and lets it in (RFC 4513, section 5.1.2).
func (d *Directory) Authenticate(ctx context.Context, name, password string) (Person, error) {
	if name == "" || password == "" {
		return Person{}, ErrRefused
	}
	ctx, cancel := context.WithTimeout(ctx, d.config.Timeout)
	defer cancel()
	select {
	case d.asking <- struct{}{}:
		defer func() { <-d.asking }()
	case <-ctx.Done():
		return Person{}, fmt.Errorf("%w: too many ask at once", ErrUnreachable)
	}
	conn, err := d.dial(ctx)
	if err != nil {
		return Person{}, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	return d.person(conn, name, password)
}

func (d *Directory) dial(ctx context.Context) (*ldap.Conn, error) {
	deadline, _ := ctx.Deadline()
	conn, err := ldap.DialURL(d.config.URL, ldap.DialWithDialer(&net.Dialer{Deadline: deadline}), ldap.DialWithTLSConfig(d.tls))
	if err != nil {
		return nil, err
	}
	conn.SetTimeout(d.config.Timeout)
	if d.config.StartTLS {
		if err := conn.StartTLS(d.tls); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

// person looks the user up and then becomes it. Groups are read before that: the
// lookup account may see them, and not every user.
func (d *Directory) person(conn *ldap.Conn, name, password string) (Person, error) {
	if err := conn.Bind(d.config.LookupDN, d.config.LookupPassword); err != nil {
		return Person{}, fmt.Errorf("%w: bind as the lookup account: %w", ErrUnreachable, err)
	}
	users, err := d.search(conn, d.config.UserBase, filled(d.config.UserFilter, name, ""), 2, d.config.NameAttribute)
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded):
		return Person{}, fmt.Errorf("%w: more than one user has this name", ErrRefused)
	case ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject):
		return Person{}, fmt.Errorf("%w: there is no user base %s", ErrUnreachable, d.config.UserBase)
	case err != nil:
		return Person{}, fmt.Errorf("%w: look for the user: %w", ErrUnreachable, err)
	case len(users) != 1:
		return Person{}, fmt.Errorf("%w: %d users have this name", ErrRefused, len(users))
	}
	p := Person{DN: users[0].DN, Name: users[0].GetAttributeValue(d.config.NameAttribute)}
	if p.DN == "" || p.Name == "" {
		return Person{}, fmt.Errorf("%w: %s has no attribute %s", ErrRefused, p.DN, d.config.NameAttribute)
	}
	if d.config.GroupBase != "" {
		groups, err := d.search(conn, d.config.GroupBase, filled(d.config.GroupFilter, name, p.DN), maxGroups, "1.1")
		if err != nil {
			return Person{}, fmt.Errorf("%w: look for groups: %w", ErrUnreachable, err)
		}
		for _, g := range groups {
			p.Groups = append(p.Groups, g.DN)
		}
	}
	if err := conn.Bind(p.DN, password); err != nil {
		if ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultInappropriateAuthentication,
			ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultConstraintViolation, ldap.ErrorEmptyPassword) {
			return Person{}, fmt.Errorf("%w: bind as %s: %w", ErrRefused, p.DN, err)
		}
		return Person{}, fmt.Errorf("%w: bind as %s: %w", ErrUnreachable, p.DN, err)
	}
	p.Policies = d.policiesOf(append([]string{p.DN}, p.Groups...))
	return p, nil
}

func (d *Directory) search(conn *ldap.Conn, base, filter string, most int, attribute string) ([]*ldap.Entry, error) {
	result, err := conn.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, most,
		int(d.config.Timeout.Seconds())+1, false, filter, []string{attribute}, nil))
	if err != nil {
		return nil, err
	}
	return result.Entries, nil
}

// policiesOf are the policies of some DNs, which compare as directories compare them:
// ignoring case and the spaces between.
func (d *Directory) policiesOf(dns []string) (policies []string) {
	for _, text := range dns {
		dn, err := ldap.ParseDN(text)
		if err != nil {
			continue
		}
		for _, m := range d.mapping {
			if m.dn.EqualFold(dn) {
				policies = append(policies, m.policies...)
			}
		}
	}
	slices.Sort(policies)
	return slices.Compact(policies)
}
