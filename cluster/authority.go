package cluster

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/cluster/feed"
	"github.com/doorward/doorward/cluster/pki"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/state"
)

// The authority of a cluster is replaced in three steps, each of which is made when
// nobody is cut off by it:
//
//	stage  another authority is trusted by all and signs nothing
//	use    it signs; whoever has a certificate of the one before gets another
//	drop   the one before is trusted no longer
//
// Between two steps everything works, for as long as anybody likes, and with all nodes
// and sidecars restarted. Nodes learn of a step from the log and sidecars from the feed;
// those that are behind are named, and why.

// Step is one in the replacement of an authority.
type Step string

// The steps.
const (
	Stage Step = "stage"
	Use   Step = "use"
	Drop  Step = "drop"
)

// Duty is what an authority is there for.
type Duty string

// The duties.
const (
	Staged  Duty = "staged"  // it is trusted, and is to sign
	Signing Duty = "signing" // it signs
	Former  Duty = "former"  // it has signed, and is trusted still
)

// Authority is an authority of the cluster.
type Authority struct {
	Fingerprint string
	Certificate string // PEM
	Duty        Duty
	Since       iam.Time  // when it was the last to begin to sign; zero: never
	Until       time.Time // the end of its certificate
}

// Authorities is how far the replacement of an authority has come.
type Authorities struct {
	All    []Authority // the one that signs first
	Next   Step        // that is to be made
	Behind []Straggler // those for whom the next step is too early; after the last, nodes that have yet to take it
	ByHand []string    // ids of nodes whose certificates are made by hand, and which trust none of these authorities
}

// Straggler is a member for whom a step is too early.
type Straggler struct {
	Role   pki.Role
	Name   string // of a sidecar; id of a node
	Reason string // what it lacks, and what helps
}

// ErrAuthority: a step in the replacement of an authority is refused. The message says why,
// and whether force would help.
var ErrAuthority = errors.New("cluster: the authorities stay as they are")

// Authorities asks all members whose certificates they accept and have. The error is
// [ErrNoAuthority] or one of [Node.Consistent].
func (n *Node) Authorities(ctx context.Context) (Authorities, error) {
	v, err := n.Consistent(ctx)
	if err != nil {
		return Authorities{}, err
	}
	signs := v.Authority()
	if signs == nil {
		return Authorities{}, ErrNoAuthority
	}
	a := Authorities{Next: Stage}
	for record := range v.Authorities() {
		one := Authority{Fingerprint: record.Fingerprint, Certificate: record.Certificate, Since: record.Signing, Duty: Former}
		switch {
		case record == signs:
			one.Duty = Signing
		case record.Signing == 0:
			one.Duty = Staged
		}
		if block, _ := pem.Decode([]byte(record.Certificate)); block != nil {
			if c, err := x509.ParseCertificate(block.Bytes); err == nil {
				one.Until = c.NotAfter
			}
		}
		a.All = append(a.All, one)
	}
	slices.SortStableFunc(a.All, func(x, y Authority) int { return cmp.Compare(duties[x.Duty], duties[y.Duty]) })
	if len(a.All) > 1 {
		a.Next = map[Duty]Step{Staged: Use, Former: Drop}[a.All[1].Duty]
	}
	a.askNodes(n.Survey(ctx))
	if a.Next != Stage {
		a.askSidecars(v, n.Sidecars(ctx))
	}
	return a, nil
}

var duties = map[Duty]int{Signing: 0, Staged: 1, Former: 2}

// named returns the first authority with a duty, empty if there is none.
func (a *Authorities) named(d Duty) string {
	for _, one := range a.All {
		if one.Duty == d {
			return one.Fingerprint
		}
	}
	return ""
}

func (a *Authorities) fingerprints() (all []string) {
	for _, one := range a.All {
		all = append(all, one.Fingerprint)
	}
	return all
}

// askNodes finds the nodes that are behind.
func (a *Authorities) askNodes(s Survey) {
	signs, staged := a.named(Signing), a.named(Staged)
	late := func(m *MemberState, reason string, args ...any) {
		a.Behind = append(a.Behind, Straggler{pki.Node, m.Member.ID, fmt.Sprintf(reason, args...)})
	}
	for i := range s.Members {
		m := &s.Members[i]
		has := func(authority string) bool { return slices.Contains(m.Trust.Authorities, authority) }
		switch {
		case m.Gone != "":
			late(m, "it does not answer; start it, or take it out (doorward cluster remove)")
		case m.ByHand && !slices.ContainsFunc(a.fingerprints(), has):
			a.ByHand = append(a.ByHand, m.Member.ID)
		case a.Next == Use && !has(staged) && m.ByHand:
			late(m, "its certificate is made by hand; add the certificate of the authority %s to its peer.authority file", staged)
		case a.Next == Use && !has(staged):
			late(m, "it does not trust the authority %s yet", staged)
		case a.Next != Use && m.Trust.Signer != signs && m.ByHand:
			late(m, "its certificate is made by hand, and of another authority than %s; replace its files", signs)
		case a.Next != Use && m.Trust.Signer != signs:
			late(m, "it has no certificate of the authority %s yet", signs)
		case a.Next == Stage && len(m.Trust.Authorities) > 1 && !m.ByHand:
			late(m, "it still trusts an authority that was dropped")
		}
	}
}

// askSidecars finds the sidecars that are behind: of those that have ever become a
// member, and of those that follow a node.
func (a *Authorities) askSidecars(v *state.View, s Sidecars) {
	enrolled := make(map[string]string) // the id of the newest enrolment, by name
	newest := make(map[string]iam.Time)
	for e := range v.Enrolments() {
		if e.Kind == iam.MemberSidecar && e.Used != 0 && e.Used >= newest[e.Name] {
			enrolled[e.Name], newest[e.Name] = e.ID, e.Used
		}
	}
	seen := make(map[string]bool)
	for _, f := range s.Followers {
		if f.Signer == "" { // in the process of a node
			continue
		}
		id, known := enrolled[f.Name]
		reason := a.lacks(f, !known)
		if seen[f.Name] = true; reason == "" {
			continue
		}
		if !f.Left.IsZero() {
			reason = absent(id)
		}
		a.Behind = append(a.Behind, Straggler{pki.Sidecar, f.Name, reason})
	}
	for name, id := range enrolled {
		if !seen[name] {
			a.Behind = append(a.Behind, Straggler{pki.Sidecar, name, absent(id)})
		}
	}
	slices.SortStableFunc(a.Behind, func(x, y Straggler) int {
		return cmp.Or(strings.Compare(string(x.Role), string(y.Role)), strings.Compare(x.Name, y.Name))
	})
}

// absent says what helps for a sidecar that is not there, given its enrolment if it has
// one.
func absent(enrolment string) string {
	if enrolment == "" {
		return "it is not connected; start it"
	}
	return "it is not connected; start it, or take its leave to connect back (doorward cluster token delete " + enrolment + ")"
}

// lacks says for what the next step is too early for a sidecar, nothing if it is not.
func (a *Authorities) lacks(f feed.Follower, byHand bool) string {
	staged, signs := a.named(Staged), a.named(Signing)
	switch {
	case a.Next == Use && f.Trusts == nil:
		return fmt.Sprintf("its build (%s) does not say whose certificates it accepts; upgrade it", f.Version)
	case a.Next == Use && !slices.Contains(f.Trusts, staged) && byHand:
		return fmt.Sprintf("its certificate is made by hand; add the certificate of the authority %s to its file of authorities", staged)
	case a.Next == Use && !slices.Contains(f.Trusts, staged):
		return fmt.Sprintf("it does not trust the authority %s yet", staged)
	case a.Next == Drop && f.Signer != signs && byHand:
		return fmt.Sprintf("its certificate is made by hand, and of another authority than %s; replace its files and restart it", signs)
	case a.Next == Drop && f.Signer != signs:
		return fmt.Sprintf("it has no certificate of the authority %s yet", signs)
	}
	return ""
}

// maxNamed is how many stragglers an error names.
const maxNamed = 10

// wait returns an error that names those for whom the next step is too early. With
// force, sidecars do not count.
func (a *Authorities) wait(force bool) error {
	var names []string
	nodes := false
	for _, b := range a.Behind {
		if b.Role == pki.Sidecar && force {
			continue
		}
		nodes = nodes || b.Role == pki.Node
		names = append(names, fmt.Sprintf("%s %s: %s", b.Role, b.Name, b.Reason))
	}
	if len(names) == 0 {
		return nil
	}
	if more := len(names) - maxNamed; more > 0 {
		names = append(names[:maxNamed], fmt.Sprintf("and %d more", more))
	}
	way := ""
	if !nodes {
		way = " (force goes on without them, and they have to join anew)"
	}
	return fmt.Errorf("%w, because it is too early to %s: %s%s", ErrAuthority, a.Next, strings.Join(names, "; "), way)
}

// StageAuthority makes an authority that is to replace the one that signs, unless there
// is one already.
func (n *Node) StageAuthority(ctx context.Context) error {
	a, err := n.Authorities(ctx)
	if err != nil {
		return err
	}
	switch a.Next {
	case Use:
		return nil
	case Drop:
		return fmt.Errorf("%w, because the authority %s is to be dropped first", ErrAuthority, a.named(Former))
	}
	authority, err := n.newAuthority()
	if err != nil {
		return err
	}
	n.log.Info("authority staged", "authority", authority.Fingerprint)
	return n.command(ctx, iam.StageAuthority{Authority: authority})
}

// UseAuthority makes the authority sign that was staged, unless that is so already. It
// is refused with [ErrAuthority] while a member does not trust it; with force, though
// sidecars do not, which are cut off. Join tokens that wait are of no use any more.
func (n *Node) UseAuthority(ctx context.Context, force bool) error {
	a, err := n.Authorities(ctx)
	if err != nil {
		return err
	}
	switch a.Next {
	case Stage:
		return fmt.Errorf("%w, because none is staged", ErrAuthority)
	case Drop:
		return nil
	}
	if err := a.wait(force); err != nil {
		return err
	}
	n.log.Info("authority in use", "authority", a.named(Staged), "forced", force)
	return n.command(ctx, iam.UseAuthority{Fingerprint: a.named(Staged)})
}

// DropAuthority ends the trust in the authority that signed before, unless that is so
// already, or in the one that is named and does not sign. It is refused with [ErrAuthority]
// while a member has a certificate of it; with force, though sidecars have, which are
// cut off.
func (n *Node) DropAuthority(ctx context.Context, fingerprint string, force bool) error {
	a, err := n.Authorities(ctx)
	if err != nil {
		return err
	}
	if fingerprint == "" {
		switch a.Next {
		case Stage:
			return nil
		case Use:
			return fmt.Errorf("%w, because the authority %s has not signed yet; it is dropped if it is named", ErrAuthority, a.named(Staged))
		}
		fingerprint = a.named(Former)
	}
	if fingerprint != a.named(Staged) { // of which nobody has a certificate
		if err := a.wait(force); err != nil {
			return err
		}
	}
	n.log.Info("authority dropped", "authority", fingerprint, "forced", force)
	return n.command(ctx, iam.DeleteAuthority{Fingerprint: fingerprint})
}
