package sidecar

import (
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/authz"
	"github.com/doorward/doorward/authz/s3"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/iam"
)

// Decision is the answer to a request, and why. The zero Decision denies. It is
// made to be used again.
type Decision struct {
	// Effect is what the S3 server has to do. Need is not an allow: ask again with
	// the facts in Missing, or refuse.
	Effect authz.Effect
	// Refusal is the S3 error to send to the client, nil if the request may pass or
	// more facts are needed. Status 503 means that the sidecar could not tell.
	Refusal *sigv4.Error
	// Missing are the facts that the decision turns on, as patterns of condition
	// keys, or "body:" and the root element of a body that was not given.
	Missing []string

	Principal iam.ARN // empty: anonymous, or not known
	Account   iam.AccountID
	Name      string // of the user or role
	AccessKey iam.AccessKeyID
	Parent    iam.ARN // of a role session, the role; of a federated user, the user
	Session   string  // role session name
	POSIX     *iam.POSIX

	// Each says that this is the decision about one object, Key, of those that the
	// request names; see Authorizer.AuthorizeObjects.
	Each bool
	// Action and Resource are what decided: of an allowed request the first that
	// was needed. Bucket and Key are the bytes that were authorised; the S3 server
	// acts on these.
	Action, Resource string
	Bucket, Key      string
	Reason           authz.Decision

	Index     iam.Index     // of the view that decided
	Staleness time.Duration // since the view was last known to be current
	Took      time.Duration
}

// Allowed reports whether the request may pass.
func (d *Decision) Allowed() bool { return d.Effect == authz.Allow }

func (d *Decision) reset() { *d = Decision{Missing: d.Missing[:0]} }

// refuse turns an error into what the client is told.
func (d *Decision) refuse(err error) {
	d.Effect = authz.Deny
	switch e := err.(type) {
	case *sigv4.Error:
		d.Refusal = e
	case *iam.Error:
		d.Refusal = &sigv4.Error{Code: e.Code, Status: s3.Status(e.Code), Message: e.Message}
	default:
		d.Refusal = unavailable(err)
	}
}

// conclude takes the answer about one action and resource as the decision.
func (d *Decision) conclude(answer authz.Decision, action, resource string) {
	d.Effect, d.Reason, d.Action, d.Resource = answer.Effect, answer, action, resource
	switch answer.Effect {
	case authz.Deny:
		d.Refusal = accessDenied
	case authz.Need:
		d.Missing = append(d.Missing, answer.Missing.Keys()...)
	}
}

// unnamed is the answer to a request that does not say what it needs: the body
// says it, or it is one that nobody has to allow and that the S3 server answers by
// itself.
func (d *Decision) unnamed(r *s3.Result) {
	if r.Missing == s3.NoBody {
		d.Effect, d.Refusal = authz.Deny, accessDenied
		return
	}
	d.Effect = authz.Need
	d.Missing = append(d.Missing, "body:"+r.Missing.String())
}

// accessDenied is the refusal of all requests that policies do not let pass; what
// is particular to one is in Message.
var accessDenied = &sigv4.Error{Code: iam.AccessDenied, Status: 403, Message: "Access Denied"}

// Message returns the text of the S3 error, empty for a request that may pass.
func (d *Decision) Message() string {
	switch {
	case d.Refusal == accessDenied:
		return d.deniedMessage()
	case d.Refusal != nil:
		return d.Refusal.Message
	}
	return ""
}

// deniedMessage says who may not do what to which resource and why, in the words
// of the S3 error of that name.
func (d *Decision) deniedMessage() string {
	if d.Principal == "" || d.Action == "" {
		return accessDenied.Message
	}
	var b strings.Builder
	b.WriteString("User: ")
	b.WriteString(string(d.Principal))
	b.WriteString(" is not authorized to perform: ")
	b.WriteString(d.Action)
	b.WriteString(" on resource: ")
	b.WriteString(strconv.Quote(d.Resource))
	kind := policyKind(d.Reason.Layer)
	switch {
	case d.Reason.Explicit:
		b.WriteString(" with an explicit deny in " + article(kind) + " " + kind)
	case kind != "":
		b.WriteString(" because no " + kind + " allows the " + d.Action + " action")
	}
	return b.String()
}

// policyKind is what AWS calls the policies of a layer in its messages.
func policyKind(l authz.Layer) string {
	switch l {
	case authz.ServiceControlLayer:
		return "service control policy"
	case authz.IdentityLayer, authz.ParentLayer:
		return "identity-based policy"
	case authz.BoundaryLayer:
		return "permissions boundary"
	case authz.SessionLayer:
		return "session policy"
	case authz.ResourceLayer:
		return "resource-based policy"
	}
	return ""
}

func article(noun string) string {
	if strings.HasPrefix(noun, "i") {
		return "an"
	}
	return "a"
}

// Code returns the S3 error code, empty for a request that may pass.
func (d *Decision) Code() iam.Code {
	if d.Refusal == nil {
		return ""
	}
	return d.Refusal.Code
}

// Status returns the HTTP status of the answer: 200 if the request may pass.
func (d *Decision) Status() int {
	switch {
	case d.Refusal != nil:
		return d.Refusal.Status
	case d.Effect == authz.Allow:
		return 200
	}
	return 403
}

// Statement returns the deciding statement's Sid, or its number counted from 1;
// empty if none decided.
func (d *Decision) Statement() string {
	switch {
	case d.Reason.Sid != "":
		return d.Reason.Sid
	case d.Reason.Policy == "" || d.Reason.Statement < 0:
		return ""
	}
	return strconv.Itoa(d.Reason.Statement + 1)
}

// Why returns the reason in a few words: "allowed", "explicit deny", "no identity
// policy allows" or the S3 error code.
func (d *Decision) Why() string {
	switch {
	case d.Effect == authz.Allow:
		return "allowed"
	case d.Effect == authz.Need:
		return "more facts are needed"
	case d.Refusal != nil && d.Refusal.Code != iam.AccessDenied:
		return string(d.Refusal.Code)
	case d.Reason.Explicit:
		return "explicit deny"
	case d.Reason.Layer != authz.NoLayer:
		return "no " + d.Reason.Layer.String() + " policy allows"
	}
	return string(iam.AccessDenied)
}

// name fills in who asks.
func (d *Decision) name(c *caller) {
	if c == nil {
		return
	}
	p := &c.identity.Principal
	d.Principal, d.Account, d.Name, d.AccessKey = p.ARN, p.Account, c.name(), c.id
	d.POSIX = c.identity.POSIX()
	if c.session() {
		d.Session = c.identity.Session.Name
	}
	if d.Parent = p.RoleARN; d.Parent == "" {
		d.Parent = p.UserARN
	}
}
