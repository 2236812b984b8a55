package versitygw

import (
	"context"
	"strings"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/sidecar"
	"github.com/doorward/doorward/sidecar/protocol"
)

type versionQuestion struct{}

type versionAnswer struct {
	Protocol  int    `json:"protocol"`
	MinClient int    `json:"minClient"`
	Version   string `json:"serverVersion,omitempty"`
	AccountID string `json:"accountId,omitempty"`
}

// version is asked once, when the gateway starts.
func (h *Handler) version(context.Context, *versionQuestion) (*versionAnswer, error) {
	account, err := h.authorizer.Account()
	if err != nil {
		return nil, err
	}
	return &versionAnswer{protocolVersion, protocolVersion, h.config.Version, string(account)}, nil
}

type keyQuestion struct {
	AccessKeyID  iam.AccessKeyID `json:"accessKeyId"`
	SessionToken string          `json:"sessionToken"`
	Date         string          `json:"date"`
	Region       string          `json:"region"`
	Service      string          `json:"service"`
}

type keyAnswer struct {
	DerivedKey   []byte `json:"derivedKey"`
	PrincipalARN string `json:"principalArn,omitempty"`
	RoleARN      string `json:"roleArn,omitempty"`
}

// signingKey gives the gateway what it verifies a signature with: one key for one
// day and region of S3, worth no more than that.
func (h *Handler) signingKey(ctx context.Context, q *keyQuestion) (*keyAnswer, error) {
	scope := sigv4.Scope{Date: q.Date, Region: q.Region, Service: sigv4.Service(q.Service)}
	held, err := h.authorizer.SigningKey(ctx, q.AccessKeyID, q.SessionToken, scope, 0)
	if err != nil {
		return nil, aboutClient(err)
	}
	return &keyAnswer{held.Key[:], string(held.Principal), string(held.Role)}, nil
}

type policyQuestion struct {
	AccessKeyID  iam.AccessKeyID     `json:"accessKeyId"`
	SessionToken string              `json:"sessionToken"`
	Actions      []string            `json:"actions"`
	Resources    []string            `json:"resources"`
	Condition    map[string][]string `json:"condition"`
	Region       string              `json:"region"`
}

type policyAnswer struct {
	Decisions        [][]string `json:"decisions"`
	SessionDecisions [][]string `json:"sessionDecisions,omitempty"`
	HasSessionPolicy bool       `json:"hasSessionPolicy,omitempty"`
	PrincipalARN     string     `json:"principalArn,omitempty"`
}

// evaluate decides about every action on every resource. The gateway combines the
// first matrix with its bucket policy and lets the second cut the result.
func (h *Handler) evaluate(ctx context.Context, q *policyQuestion) (*policyAnswer, error) {
	if len(q.Actions) == 0 || len(q.Resources) == 0 {
		return nil, malformed("want at least one action and one resource")
	}
	var d sidecar.Decision
	inspection, err := h.authorizer.Inspect(ctx, &sidecar.Question{
		AccessKey: q.AccessKeyID, Token: q.SessionToken, Conditions: pairs(q.Condition), Region: q.Region,
	}, &d)
	if err != nil {
		return nil, aboutClient(err)
	}
	defer inspection.Close()
	result := &policyAnswer{PrincipalARN: string(inspection.Principal())}
	for _, resource := range q.Resources {
		own, limit := make([]string, len(q.Actions)), make([]string, len(q.Actions))
		for at, action := range q.Actions {
			v := inspection.Ask(action, resource)
			own[at], limit[at] = word(v.Own), word(v.Limit)
			result.HasSessionPolicy = v.Limited
		}
		result.Decisions = append(result.Decisions, own)
		result.SessionDecisions = append(result.SessionDecisions, limit)
	}
	if !result.HasSessionPolicy {
		result.SessionDecisions = nil
	}
	return result, nil
}

// word is the protocol's word for a decision. no_match is what a bucket policy may
// still allow; a guard rail that does not allow, or a decision that turns on what
// nobody here knows, is a deny.
func word(d authz.Decision) string {
	switch {
	case d.Effect == authz.Allow:
		return "allow"
	case d.Effect == authz.Deny && !d.Explicit && d.Layer != authz.ServiceControlLayer:
		return "no_match"
	}
	return "deny"
}

// pairs makes a list of a condition context.
func pairs(condition map[string][]string) (list []protocol.Pair) {
	for name, values := range condition {
		for _, value := range values {
			list = append(list, protocol.Pair{Name: name, Value: value})
		}
	}
	return list
}

type identityQuestion struct {
	AccessKeyIDs []iam.AccessKeyID `json:"accessKeyIds"`
}

type identityAnswer struct {
	Identities []identity `json:"identities"`
}

type identity struct {
	Found        bool   `json:"found"`
	Kind         string `json:"kind,omitempty"`
	PrincipalARN string `json:"principalArn,omitempty"`
}

// identities tells whose some access keys are, in the order of the question.
func (h *Handler) identities(ctx context.Context, q *identityQuestion) (*identityAnswer, error) {
	result := &identityAnswer{Identities: make([]identity, len(q.AccessKeyIDs))}
	for at, id := range q.AccessKeyIDs {
		found, err := h.authorizer.Identify(ctx, id)
		switch {
		case err != nil:
			return nil, err
		case found.Found && found.Session:
			result.Identities[at] = identity{true, "session", string(found.Principal)}
		case found.Found:
			result.Identities[at] = identity{true, "user", string(found.Principal)}
		}
	}
	return result, nil
}

type principalQuestion struct {
	Principals []string `json:"principals"`
}

type principalAnswer struct {
	Invalid []string `json:"invalid"`
}

// principals returns those that no bucket policy may name, because there is nobody
// of that name. Of those that there are, nothing is told.
func (h *Handler) principals(ctx context.Context, q *principalQuestion) (*principalAnswer, error) {
	result := &principalAnswer{Invalid: []string{}}
	for _, p := range q.Principals {
		exists, err := h.authorizer.PrincipalExists(ctx, p)
		if err != nil {
			return nil, err
		}
		if !exists {
			result.Invalid = append(result.Invalid, strings.Clone(p))
		}
	}
	return result, nil
}
