package api

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/policy"
	"github.com/doorward/doorward/iam"
)

// target is a resource that a call is about, and what policies may ask about it.
type target struct {
	arn      iam.ARN
	tags     []iam.Tag
	boundary iam.ARN // the permissions boundary that the entity has, or is about to get
}

// authorize refuses a call that the caller's policies do not allow. An error of
// any kind refuses.
func (c *call) authorize(a *action) error {
	if a.open {
		return nil
	}
	targets := []target{{arn: "*"}}
	if a.targets != nil {
		targets = a.targets(c)
	}
	for _, t := range targets {
		if err := c.need(a.permission(), t); err != nil {
			return err
		}
	}
	return nil
}

// barred refuses what temporary credentials of a kind cannot do, whatever the
// policies say. Source: IAM user guide, "Compare AWS STS credentials":
// GetSessionToken without MFA gives no IAM calls and of STS only AssumeRole and
// GetCallerIdentity, GetFederationToken only the latter.
func (c *call) barred(permission string) error {
	if c.caller.Session == nil || permission == "sts:GetCallerIdentity" {
		return nil
	}
	switch c.caller.Session.Kind {
	case iam.SessionToken:
		if permission == "sts:AssumeRole" {
			return nil
		}
	case iam.SessionFederated:
	default:
		return nil
	}
	return iam.Errorf(iam.AccessDenied, "User: %s is not authorized to perform: %s with these temporary credentials",
		c.caller.arn, permission)
}

// need refuses unless the caller may do one thing to one resource.
func (c *call) need(permission string, t target) error {
	if d := c.decide(permission, t, nil); !d.Allowed() {
		if owner := t.arn.Account(); owner != "" && owner != c.caller.account {
			return iam.Errorf(iam.AccessDenied, "User: %s is not authorized to perform this action on resource: %s", c.caller.arn, t.arn)
		}
		return c.denied(permission, d)
	}
	return nil
}

// decide asks whether the caller may do one thing to one resource. Trust is the
// trust policy of a role that is about to be assumed, nil for all else.
func (c *call) decide(permission string, t target, trust *authz.Policy) authz.Decision {
	policies := c.caller.Policies
	policies.Trust = trust
	return authz.Reference(policies, &authz.Request{
		Principal:       c.caller.Principal,
		Action:          permission,
		Resource:        string(t.arn),
		ResourceAccount: t.arn.Account(),
		Context:         c.conditions(permission, t),
	})
}

// denied words a refusal as AWS does, naming the layer that did not allow.
func (c *call) denied(permission string, d authz.Decision) error {
	layer := map[authz.Layer]string{
		authz.ServiceControlLayer: "service control policy",
		authz.ParentLayer:         "identity-based policy of the parent user",
		authz.BoundaryLayer:       "permissions boundary",
		authz.SessionLayer:        "session policy",
		authz.ResourceLayer:       "resource-based policy",
	}[d.Layer]
	if layer == "" {
		layer = "identity-based policy"
	}
	if d.Explicit {
		return iam.Errorf(iam.AccessDenied, "User: %s is not authorized to perform: %s with an explicit deny in a%s %s",
			c.caller.arn, permission, article(layer), layer)
	}
	return iam.Errorf(iam.AccessDenied, "User: %s is not authorized to perform: %s because no %s allows the %s action",
		c.caller.arn, permission, layer, permission)
}

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "n"
	}
	return ""
}

// conditions are the condition keys of a call: those of the caller, of the
// connection, of the resource and of what is asked for. Source: IAM user guide,
// "AWS global condition context keys"; service authorization reference, "Actions,
// resources, and condition keys for AWS IAM" and "for AWS STS".
func (c *call) conditions(permission string, t target) *authz.Context {
	ctx := c.connection()
	c.caller.Describe(ctx)
	if account := t.arn.Account(); account != "" {
		ctx.Set(policy.ResourceAccount, string(account))
	}
	ctx.SetTags(policy.ResourceTag, contextTags(t.tags))
	for _, tag := range t.tags {
		ctx.SetNamed("iam:ResourceTag/"+tag.Key, tag.Value)
	}
	c.requested(ctx, t)
	if strings.HasPrefix(permission, "sts:") {
		c.requestedSession(ctx)
	}
	return ctx
}

// connection are the condition keys of every call: the time, and how it came.
func (c *call) connection() *authz.Context {
	ctx := &authz.Context{}
	ctx.Set(policy.CurrentTime, c.now.ISO())
	ctx.Set(policy.EpochTime, strconv.FormatInt(int64(c.now)/1000, 10))
	ctx.Set(policy.SecureTransport, strconv.FormatBool(c.http.TLS != nil))
	if peer, ok := peerOf(c.http.RemoteAddr); ok {
		ctx.Set(policy.SourceIP, peer)
	}
	if agent := c.http.Header.Get("User-Agent"); agent != "" {
		ctx.Set(policy.UserAgent, agent)
	}
	if referer := c.http.Header.Get("Referer"); referer != "" {
		ctx.Set(policy.Referer, referer)
	}
	ctx.Set(policy.RequestedRegion, c.server.config.Region)
	ctx.Set(policy.ViaAWSService, "false")
	return ctx
}

// requested adds the condition keys that repeat what the call asks for.
func (c *call) requested(ctx *authz.Context, t target) {
	if tags := c.form.tags(); len(tags) > 0 {
		ctx.SetTags(policy.RequestTag, contextTags(tags))
		ctx.SetList(policy.TagKeys, keysOf(tags))
	} else if keys := c.form.list("TagKeys"); len(keys) > 0 {
		ctx.SetList(policy.TagKeys, keys)
	}
	if arn := c.form["PolicyArn"]; arn != "" {
		ctx.SetNamed("iam:PolicyARN", arn)
	}
	boundary := t.boundary
	if asked := c.form["PermissionsBoundary"]; asked != "" {
		boundary = iam.ARN(asked)
	}
	if boundary != "" {
		ctx.SetNamed("iam:PermissionsBoundary", string(boundary))
	}
}

// requestedSession adds the condition keys of a session that is asked for.
func (c *call) requestedSession(ctx *authz.Context) {
	if id := c.form["ExternalId"]; id != "" {
		ctx.Set(policy.STSExternalID, id)
	}
	if name := c.form["RoleSessionName"]; name != "" {
		ctx.Set(policy.STSRoleSessionName, name)
	}
	if identity := c.form["SourceIdentity"]; identity != "" {
		ctx.SetNamed("sts:SourceIdentity", identity)
	}
	if keys := c.form.list("TransitiveTagKeys"); len(keys) > 0 {
		ctx.SetList(policy.STSTransitiveTagKeys, keys)
	}
	ctx.SetNamed("sts:DurationSeconds", strconv.FormatUint(uint64(c.seconds("DurationSeconds", defaultSession)), 10))
}

func contextTags(tags []iam.Tag) []authz.Tag {
	out := make([]authz.Tag, len(tags))
	for i, t := range tags {
		out[i] = authz.Tag{Name: t.Key, Value: t.Value}
	}
	return out
}

func keysOf(tags []iam.Tag) []string {
	keys := make([]string, len(tags))
	for i, t := range tags {
		keys[i] = t.Key
	}
	return keys
}

// peerOf is the address of the connection, never of a header.
func peerOf(remote string) (string, bool) {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return "", false
	}
	return addr.Unmap().WithZone("").String(), true
}
