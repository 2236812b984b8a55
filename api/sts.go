package api

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// The lengths of sessions, in seconds. Sources: STS API reference; a session of the
// caller's own identity is no AWS call and may last a week.
const (
	minSession      = 900
	defaultSession  = 3600
	maxSelfSession  = 7 * 24 * 3600
	maxRoleSession  = 12 * 3600
	maxChained      = 3600
	defaultToken    = 12 * 3600
	maxTokenSession = 36 * 3600
	maxRootToken    = 3600
)

// maxSessionPolicy is the limit of the session policies of one call together, in
// characters, of which PackedPolicySize is a percentage.
const maxSessionPolicy = 2048

var (
	roleARN       = param{name: "RoleArn", min: 20, max: 2048}
	federatedName = param{name: "Name", presence: notNull, min: 2, max: 32, chars: only("+=,.@-"), wrong: wrongSession, echo: true}
)

type identityXML struct {
	UserID  string `xml:"UserId"`
	Account iam.AccountID
	ARN     iam.ARN `xml:"Arn"`
}

// getCallerIdentity needs no permission and cannot be denied.
func getCallerIdentity(c *call) (any, error) {
	return identityXML{c.caller.UserID(), c.caller.account, c.caller.arn}, nil
}

func getAccessKeyInfo(c *call) (any, error) {
	id := iam.AccessKeyID(c.form["AccessKeyId"])
	var account iam.AccountID
	if key, ok := c.view.AccessKey(id); ok {
		account = key.Owner.Account
	} else if session, ok := c.view.Session(id); ok {
		account = session.Parent.Account
	}
	if err := c.need("sts:GetAccessKeyInfo", target{arn: "*"}); err != nil {
		return nil, err
	}
	if account == "" {
		return nil, iam.Errorf(iam.ValidationError, "The Access Key with id %s is not one of this store.", id)
	}
	return struct{ Account iam.AccountID }{account}, nil
}

type credentialsXML struct {
	AccessKeyID     iam.AccessKeyID `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      stamp
}

type assumedXML struct {
	Credentials     credentialsXML
	AssumedRoleUser struct {
		AssumedRoleID string  `xml:"AssumedRoleId"`
		ARN           iam.ARN `xml:"Arn"`
	}
	PackedPolicySize int    `xml:",omitempty"`
	SourceIdentity   string `xml:",omitempty"`
}

// assumeRole gives a session of the role that RoleArn names or, if it names none
// that exists, of the caller's own identity, as the reference system and MinIO do
// (setting no_self_assume gives AWS's refusal instead).
func assumeRole(c *call) (any, error) {
	role, found := c.roleAt(iam.ARN(c.form["RoleArn"]))
	if !found {
		return assumeSelf(c)
	}
	if c.form["RoleSessionName"] == "" {
		return nil, violated(constraint("roleSessionName", "not be null"))
	}
	if err := c.mayAssume(role); err != nil {
		return nil, err
	}
	lasts, err := c.roleDuration(role)
	if err != nil {
		return nil, err
	}
	s, err := c.newSession(iam.SessionRole, role.Ref(), role.ID, lasts)
	if err != nil {
		return nil, err
	}
	s.Name = c.form["RoleSessionName"]
	if err := c.inherit(&s); err != nil {
		return nil, err
	}
	given, err := c.begin(s)
	if err != nil {
		return nil, err
	}
	answer := assumedXML{Credentials: given, PackedPolicySize: c.packedSize(), SourceIdentity: s.SourceIdentity}
	answer.AssumedRoleUser.AssumedRoleID = string(role.ID) + ":" + s.Name
	answer.AssumedRoleUser.ARN = assumedARN(role, s.Name)
	return answer, nil
}

// assumedARN is the ARN of a role session: without the role's path.
func assumedARN(role *iam.Role, session string) iam.ARN {
	return iam.ARN(fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", role.Account, role.Name, session))
}

// roleAt finds a role by its ARN, in whatever account.
func (c *call) roleAt(arn iam.ARN) (*iam.Role, bool) {
	role, ok := c.view.Role(arn.Account(), lastSegment(arn))
	if !ok || role.ARN() != arn {
		return nil, false
	}
	return role, true
}

// mayAssume asks the role's trust policy and the caller's own policies. Tags and a
// source identity each need their own permission (STS API reference, AssumeRole).
func (c *call) mayAssume(role *iam.Role) error {
	trust := &authz.Policy{Name: "trust policy", Document: role.Trust}
	needed := []string{"sts:AssumeRole"}
	if len(c.form.tags()) > 0 {
		needed = append(needed, "sts:TagSession")
	}
	if c.form["SourceIdentity"] != "" {
		needed = append(needed, "sts:SetSourceIdentity")
	}
	if c.caller.root() {
		return iam.Errorf(iam.AccessDenied, "Roles may not be assumed by root accounts.")
	}
	for _, permission := range needed {
		if d := c.decide(permission, targetOf(entityOfRole(role)), trust); !d.Allowed() {
			return iam.Errorf(iam.AccessDenied, "User: %s is not authorized to perform: %s on resource: %s",
				c.caller.arn, permission, role.ARN())
		}
	}
	return nil
}

// duration returns DurationSeconds, which must lie between the shortest session of
// the settings and most seconds, or the longest of the settings if that is less.
func (c *call) duration(byDefault, most uint32) (uint32, error) {
	set := c.view.Settings()
	least := iam.Or(set.MinSession, minSession)
	most = max(least, min(most, iam.Or(set.MaxSession, maxSelfSession)))
	text := c.form["DurationSeconds"]
	if text == "" {
		return min(max(byDefault, least), most), nil
	}
	seconds, _ := strconv.ParseInt(text, 10, 32)
	switch {
	case seconds < int64(least):
		return 0, violated(durationSeconds.constraint(text, fmt.Sprintf("have value greater than or equal to %d", least)))
	case seconds > int64(most):
		return 0, violated(durationSeconds.constraint(text, fmt.Sprintf("have value less than or equal to %d", most)))
	}
	return uint32(seconds), nil
}

// roleDuration is how long a session of the role lasts.
func (c *call) roleDuration(role *iam.Role) (uint32, error) {
	lasts, err := c.duration(defaultSession, maxRoleSession)
	switch {
	case err != nil:
		return 0, err
	case lasts > iam.Or(role.MaxSession, defaultMaxSession):
		return 0, iam.Errorf(iam.ValidationError, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	case c.chains() && lasts > maxChained:
		return 0, iam.Errorf(iam.ValidationError, "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	return lasts, nil
}

// chains reports whether the caller is itself a role session.
func (c *call) chains() bool { return c.caller.Role != nil }

// assumeSelf gives a session of the caller's own identity, which can never do more
// than the caller. It needs no permission, as GetSessionToken in AWS, but an
// explicit Deny of sts:AssumeRole on the caller's own ARN forbids it. Only
// long-term credentials can ask: the limits of a session could not be handed on.
func assumeSelf(c *call) (any, error) {
	self := c.caller.arn
	refused := iam.Errorf(iam.AccessDenied, "User: %s is not authorized to perform: sts:AssumeRole on resource: %s", self, c.form["RoleArn"])
	if c.view.Settings().NoSelfAssume || !c.caller.longTerm() || len(c.form.tags()) > 0 || c.form["SourceIdentity"] != "" {
		return nil, refused
	}
	if d := c.decide("sts:AssumeRole", target{arn: self}, nil); d.Explicit {
		return nil, c.denied("sts:AssumeRole", d)
	}
	lasts, err := c.duration(defaultSession, maxSelfSession)
	if err != nil {
		return nil, err
	}
	s, err := c.newSession(iam.SessionSelf, c.caller.ref(), c.caller.parentID(), lasts)
	if err != nil {
		return nil, err
	}
	s.Name = c.form["RoleSessionName"]
	given, err := c.begin(s)
	if err != nil {
		return nil, err
	}
	answer := assumedXML{Credentials: given, PackedPolicySize: c.packedSize()}
	answer.AssumedRoleUser.AssumedRoleID = c.caller.UserID()
	if s.Name != "" {
		answer.AssumedRoleUser.AssumedRoleID += ":" + s.Name
	}
	answer.AssumedRoleUser.ARN = self
	return answer, nil
}

// getSessionToken needs no permission, but the user's or root's own long-term key.
func getSessionToken(c *call) (any, error) {
	if !c.caller.own() && !(c.caller.root() && c.caller.longTerm()) {
		return nil, iam.Errorf(iam.AccessDenied, "Cannot call GetSessionToken with session credentials")
	}
	if d := c.decide("sts:GetSessionToken", target{arn: "*"}, nil); d.Explicit {
		return nil, c.denied("sts:GetSessionToken", d)
	}
	lasts, err := c.tokenDuration()
	if err != nil {
		return nil, err
	}
	s, err := c.newSession(iam.SessionToken, c.caller.ref(), c.caller.parentID(), lasts)
	if err != nil {
		return nil, err
	}
	given, err := c.begin(s)
	return struct{ Credentials credentialsXML }{given}, err
}

// tokenDuration is how long a session of GetSessionToken or GetFederationToken
// lasts: root's is cut to an hour, as AWS does.
func (c *call) tokenDuration() (uint32, error) {
	if c.caller.root() {
		lasts, err := c.duration(maxRootToken, maxTokenSession)
		return min(lasts, maxRootToken), err
	}
	return c.duration(defaultToken, maxTokenSession)
}

// getFederationToken gives a session under another name. It may do what the user
// and the session policy both allow, and without one nothing.
func getFederationToken(c *call) (any, error) {
	if !c.caller.own() && !(c.caller.root() && c.caller.longTerm()) {
		return nil, iam.Errorf(iam.AccessDenied, "Cannot call GetFederationToken with session credentials")
	}
	arn := federatedARN(c.caller.account, c.form["Name"])
	needed := []string{"sts:GetFederationToken"}
	if len(c.form.tags()) > 0 {
		needed = append(needed, "sts:TagSession")
	}
	for _, permission := range needed {
		if err := c.need(permission, target{arn: arn}); err != nil {
			return nil, err
		}
	}
	lasts, err := c.tokenDuration()
	if err != nil {
		return nil, err
	}
	s, err := c.newSession(iam.SessionFederated, c.caller.ref(), c.caller.parentID(), lasts)
	if err != nil {
		return nil, err
	}
	s.Name, s.Tags = c.form["Name"], c.form.tags()
	given, err := c.begin(s)
	answer := struct {
		Credentials   credentialsXML
		FederatedUser struct {
			FederatedUserID string  `xml:"FederatedUserId"`
			ARN             iam.ARN `xml:"Arn"`
		}
		PackedPolicySize int `xml:",omitempty"`
	}{Credentials: given, PackedPolicySize: c.packedSize()}
	answer.FederatedUser.FederatedUserID = string(c.caller.account) + ":" + s.Name
	answer.FederatedUser.ARN = arn
	return answer, err
}

func federatedARN(account iam.AccountID, name string) iam.ARN {
	return iam.ARN(fmt.Sprintf("arn:aws:sts::%s:federated-user/%s", account, name))
}

// newSession is a session with the policies that the call passes.
func (c *call) newSession(kind iam.SessionKind, parent iam.Ref, parentID iam.UniqueID, lasts uint32) (iam.Session, error) {
	s := iam.Session{
		Key: c.newKeyID(sessionPrefix), Kind: kind, Parent: parent, ParentID: parentID,
		Issuer: c.caller.key, Issued: c.now, Expires: c.now.Add(time.Duration(lasts) * time.Second),
	}
	if text := c.form["Policy"]; text != "" {
		if err := malformed(policy.Session, text); err != nil {
			return s, err
		}
		s.Policies = []string{text}
	}
	for _, m := range c.form.members("PolicyArns") {
		p, err := c.policyAt(iam.ARN(m.fields["arn"]))
		if err != nil {
			return s, err
		}
		s.PolicyARNs = append(s.PolicyARNs, p.ARN())
	}
	if c.packedSize() > 100 {
		return s, iam.Errorf(iam.PackedPolicyTooLarge, "Packed size of session policies and tags consumes %d%% of allotted space.", c.packedSize())
	}
	return s, nil
}

// packedSize is the percentage of the space for session policies and tags that the
// call uses. Nothing is packed, so it is the ratio of the texts.
func (c *call) packedSize() int {
	size := len(c.form["Policy"])
	for _, m := range c.form.members("PolicyArns") {
		size += len(m.fields["arn"])
	}
	for _, t := range c.form.tags() {
		size += len(t.Key) + len(t.Value)
	}
	return (size*100 + maxSessionPolicy - 1) / maxSessionPolicy
}

// inherit gives a role session its tags and source identity: those that the call
// passes and those that pass down a chain, which cannot be overridden.
func (c *call) inherit(s *iam.Session) error {
	s.Tags, s.TransitiveTags, s.SourceIdentity = c.form.tags(), c.form.list("TransitiveTagKeys"), c.form["SourceIdentity"]
	s.Chained = c.chains()
	for _, key := range s.TransitiveTags {
		if _, ok := tagOf(s.Tags, key); !ok {
			return iam.Errorf(iam.InvalidParameterValue, "The transitive tag key %s is not among the session tags.", key)
		}
	}
	before := c.caller.Session
	if before == nil {
		return nil
	}
	for _, key := range before.TransitiveTags {
		if _, ok := tagOf(s.Tags, key); ok {
			return iam.Errorf(iam.InvalidParameterValue, "The tag %s was passed on by an earlier session and cannot be set again.", key)
		}
		value, _ := tagOf(before.Tags, key)
		s.Tags = append(s.Tags, iam.Tag{Key: key, Value: value})
		s.TransitiveTags = append(s.TransitiveTags, key)
	}
	if before.SourceIdentity != "" && s.SourceIdentity != "" && s.SourceIdentity != before.SourceIdentity {
		return iam.Errorf(iam.AccessDenied, "The source identity %s of the session cannot be changed.", before.SourceIdentity)
	}
	if s.SourceIdentity == "" {
		s.SourceIdentity = before.SourceIdentity
	}
	return nil
}

func tagOf(tags []iam.Tag, key string) (string, bool) {
	for _, t := range tags {
		if strings.EqualFold(t.Key, key) {
			return t.Value, true
		}
	}
	return "", false
}

// begin makes the session's secret, has the session committed, and returns the
// credentials: the only place that the secret and the token are in.
func (c *call) begin(s iam.Session) (credentialsXML, error) {
	secret := c.newSecret()
	sealed, err := c.server.config.Secrets.SealSecret(s.Key, []byte(secret))
	if err != nil {
		return credentialsXML{}, fmt.Errorf("seal the secret of %s: %w", s.Key, err)
	}
	s.Secret = sealed
	if err := c.proposeSecret(iam.CreateSession{Session: s}); err != nil {
		return credentialsXML{}, err
	}
	token := c.server.config.Tokens.SealToken(s.Key, c.index, s.Expires)
	return credentialsXML{s.Key, secret, token, stamp(s.Expires)}, nil
}
