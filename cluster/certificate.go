package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/doorward/doorward/cluster/enrol"
	"github.com/doorward/doorward/cluster/pki"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
	"github.com/doorward/doorward/internal/seal"
)

// TLSDir is where in its data directory a node keeps its own certificate.
func TLSDir(data string) string { return filepath.Join(data, "tls") }

// ErrNoAuthority: the store signs no certificates, because those of its members are
// made by hand.
var ErrNoAuthority = errors.New("cluster: the store has no authority, because the certificates of its nodes are made by hand (doorward tls issue)")

// keepCertificate makes sure that the store has an authority, and this node a
// certificate of the one that signs, that is good for a while, and trust in all. A node
// has all that it takes to sign its own.
func (n *Node) keepCertificate(ctx context.Context) error {
	if !n.cfg.OwnTLS {
		return nil
	}
	if n.View().Authority() == nil {
		if !n.raft.IsLeader() {
			return nil
		}
		if err := n.putAuthority(ctx); err != nil {
			return err
		}
	}
	note := func() { n.certified.Store(n.cfg.TLS.Check() == nil) }
	note() // what follows may wait for a leader
	defer note()
	id, from, until, err := n.cfg.TLS.Identity()
	due := err != nil || enrol.Due(from, until, n.cfg.Now())
	if !due && n.current(n.View()) {
		return nil
	}
	v := n.View()
	authorities := authoritiesOf(v)
	if err == nil && n.cfg.Now().Before(until) {
		// Right after its start, what a node knows may be older than its files: to act on
		// that would cut it off from the others.
		newest, err := n.Consistent(ctx)
		if err != nil {
			return err
		}
		v, authorities = newest, authoritiesOf(newest)
	} else if kept, err := os.ReadFile(n.cfg.TLS.Authority); err == nil {
		// Nobody can be asked without a certificate.
		authorities = append(kept, authorities...)
	}
	if trust, err := n.cfg.TLS.Trust(); err == nil && !due && trust.Signer == v.Authority().Fingerprint {
		return n.cfg.TLS.KeepAuthorities(authorities)
	}
	if err != nil {
		id = pki.Identity{Role: pki.Node, Name: n.ID()}
		if host, _, err := net.SplitHostPort(n.mesh.Address()); err == nil {
			id.Hosts = []string{host}
		}
	}
	request, key, err := pki.NewRequest()
	if err != nil {
		return err
	}
	parsed, err := pki.ParseRequest(request)
	if err != nil {
		return err
	}
	certificate, err := n.sign(v, parsed, id)
	if err != nil {
		return err
	}
	if err := n.cfg.TLS.Keep(certificate, key, authorities); err != nil {
		return err
	}
	n.log.Info("certificate made", "name", id.Name, "authority", v.Authority().Fingerprint)
	return nil
}

// current reports whether this node trusts the authorities of a view, and has a
// certificate of the one that signs.
func (n *Node) current(v *state.View) bool {
	trust, err := n.cfg.TLS.Trust()
	return err == nil && trust.Signer == v.Authority().Fingerprint && slices.Equal(trust.Authorities, fingerprintsOf(v))
}

// putAuthority makes the first authority of the store.
func (n *Node) putAuthority(ctx context.Context) error {
	a, err := n.newAuthority()
	if err != nil {
		return err
	}
	return n.command(ctx, iam.PutAuthority{Authority: a})
}

// newAuthority makes an authority. Its key is sealed as every secret is.
func (n *Node) newAuthority() (iam.Authority, error) {
	k := n.keys.Load()
	if k == nil {
		return iam.Authority{}, ErrNotInitialized
	}
	authority, err := pki.NewAuthority(k.cluster, n.cfg.Now())
	if err != nil {
		return iam.Authority{}, err
	}
	key, err := authority.Key()
	if err != nil {
		return iam.Authority{}, err
	}
	return iam.Authority{
		Fingerprint: authority.Fingerprint(), Certificate: string(authority.Certificate()),
		Key: k.seal.Seal(k.authority(authority.Fingerprint()), key),
	}, nil
}

// command proposes one of the node's own; a refusal is an error.
func (n *Node) command(ctx context.Context, c iam.Command) error {
	result, err := n.Propose(ctx, iam.Envelope{Command: c, Request: newRequest(), Actor: n.actor(), Time: iam.At(n.cfg.Now())})
	if err == nil && result.Err != nil {
		return result.Err
	}
	return err
}

func (k *keys) authority(fingerprint string) seal.Record {
	return seal.Record{Cluster: k.cluster, Table: "authorities", Key: fingerprint}
}

// sign makes a certificate with the authority that signs.
func (n *Node) sign(v *state.View, r pki.Request, id pki.Identity) ([]byte, error) {
	k, record := n.keys.Load(), v.Authority()
	if k == nil || record == nil {
		return nil, ErrNoAuthority
	}
	key, err := k.seal.Open(k.authority(record.Fingerprint), record.Key)
	if err != nil {
		return nil, fmt.Errorf("cluster: the authority's key: %w", err)
	}
	authority, err := pki.ParseAuthority([]byte(record.Certificate), key)
	if err != nil {
		return nil, err
	}
	return authority.Sign(r, id, n.cfg.Now())
}

func authoritiesOf(v *state.View) (pem []byte) {
	for a := range v.Authorities() {
		pem = append(pem, a.Certificate...)
	}
	return pem
}

func fingerprintsOf(v *state.View) (all []string) {
	for a := range v.Authorities() {
		all = append(all, a.Fingerprint)
	}
	return all
}

// NewJoinToken makes a token for one new member: its id and text, and the hash that
// an iam.CreateEnrolment carries. It is of use once that has been committed.
func (n *Node) NewJoinToken() (id, text string, hash []byte, err error) {
	authority := n.View().Authority()
	if authority == nil {
		return "", "", nil, ErrNoAuthority
	}
	token := enrol.NewToken(authority.Fingerprint)
	text, err = token.Reveal()
	return token.ID, text, token.Hash(), err
}

// admitted refuses sidecars that were taken out of the cluster. Nodes are not asked:
// what this node knows may be older than the leader that brings it up to date, and
// who is a node is settled by the log's configuration.
func (n *Node) admitted(id pki.Identity) error {
	v := n.View()
	if id.Role == pki.Node || id.Enrolment == "" || v.Store().ClusterID == "" {
		return nil
	}
	if e, ok := v.Enrolment(id.Enrolment); !ok || e.Used == 0 {
		return fmt.Errorf("%s %q was taken out of the cluster, or this node does not know it yet", id.Role, id.Name)
	}
	return nil
}

// issuer gives certificates to members.
type issuer struct{ node *Node }

var _ enrol.Issuer = issuer{}

var roles = map[iam.Member]pki.Role{iam.MemberNode: pki.Node, iam.MemberSidecar: pki.Sidecar}

// Enrol uses a token up. The log decides who was first.
func (i issuer) Enrol(ctx context.Context, token string, hash []byte, name string, hosts []string, r pki.Request) (enrol.Grant, error) {
	n := i.node
	result, err := n.Propose(ctx, iam.Envelope{
		Command: iam.TakeEnrolment{ID: token, Hash: hash, Name: name, Key: r.KeyHash()},
		Request: newRequest(), Actor: n.actor(), Time: iam.At(n.cfg.Now()),
	})
	if err != nil {
		return enrol.Grant{}, err
	}
	if result.Err != nil {
		return enrol.Grant{}, fmt.Errorf("%w: %s", enrol.ErrRefused, result.Err.Message)
	}
	return i.grant(n.View(), token, hosts, r)
}

// Renew makes a certificate for a member that has one.
func (i issuer) Renew(ctx context.Context, member pki.Identity, r pki.Request) (enrol.Grant, error) {
	v, err := i.node.Consistent(ctx)
	if err != nil {
		return enrol.Grant{}, err
	}
	e, ok := v.Enrolment(member.Enrolment)
	if !ok || e.Used == 0 || e.Name != member.Name || roles[e.Kind] != member.Role {
		return enrol.Grant{}, fmt.Errorf("%w: %s %q has no enrolment; it was taken out of the cluster, or its certificate was made by hand", enrol.ErrRefused, member.Role, member.Name)
	}
	return i.grant(v, e.ID, member.Hosts, r)
}

func (i issuer) grant(v *state.View, enrolment string, hosts []string, r pki.Request) (enrol.Grant, error) {
	e, ok := v.Enrolment(enrolment)
	if !ok {
		return enrol.Grant{}, fmt.Errorf("%w: the enrolment was deleted", enrol.ErrRefused)
	}
	certificate, err := i.node.sign(v, r, pki.Identity{Role: roles[e.Kind], Name: e.Name, Enrolment: e.ID, Hosts: hosts})
	if err != nil {
		return enrol.Grant{}, err
	}
	return enrol.Grant{Certificate: certificate, Authorities: authoritiesOf(v), Cluster: v.Store().ClusterID}, nil
}
