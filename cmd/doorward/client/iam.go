package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/doorward/doorward/iam"
)

// pageSize is the most that the IAM API gives in one answer.
const pageSize = "1000"

// Tag is a key and a value on an entity or session.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// AccessKey is a long-term credential. Secret is known in the answer to its
// creation only.
type AccessKey struct {
	User    string          `xml:"UserName" json:"user"`
	ID      iam.AccessKeyID `xml:"AccessKeyId" json:"access_key_id"`
	Secret  string          `xml:"SecretAccessKey" json:"secret_access_key,omitempty"`
	Status  string          `xml:"Status" json:"status"`
	Created string          `xml:"CreateDate" json:"created"`
	Expires string          `xml:"-" json:"expires,omitempty"`
	// LastUsed is the day on which it last signed an S3 request; empty: on none that is
	// known of.
	LastUsed string `xml:"-" json:"last_used,omitempty"`
}

// Policy is a managed policy. Document is filled by GetPolicy only.
type Policy struct {
	Name        string  `xml:"PolicyName" json:"name"`
	ARN         iam.ARN `xml:"Arn" json:"arn"`
	ID          string  `xml:"PolicyId" json:"id"`
	Path        string  `xml:"Path" json:"path"`
	Description string  `xml:"Description" json:"description,omitempty"`
	Version     string  `xml:"DefaultVersionId" json:"default_version"`
	Attachments int     `xml:"AttachmentCount" json:"attachments"`
	Created     string  `xml:"CreateDate" json:"created"`
	Updated     string  `xml:"UpdateDate" json:"updated"`
	Document    string  `xml:"-" json:"document,omitempty"`
}

// AttachedPolicy is a managed policy as a user, group or role holds it.
type AttachedPolicy struct {
	Name string  `xml:"PolicyName" json:"name"`
	ARN  iam.ARN `xml:"PolicyArn" json:"arn"`
}

// Holder is whatever policies are attached to.
type Holder struct {
	Kind string // "User", "Group" or "Role", as in the names of the API's actions
	Name string
}

// UserNamed is the user as a holder of policies.
func UserNamed(name string) Holder { return Holder{"User", name} }

func (h Holder) form(more ...string) url.Values { return form(append(more, h.Kind+"Name", h.Name)...) }

// form makes values from pairs, leaving out empty ones.
func form(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	return values
}

// listing is one page of any list: the lists differ in the name of the one
// element that holds the members.
type listing[T any] struct {
	IsTruncated bool
	Marker      string
	Lists       []struct {
		Members []T `xml:"member"`
	} `xml:",any"`
}

// list collects all pages of a list.
func list[T any](ctx context.Context, c *Client, action string, query url.Values) ([]T, error) {
	all := []T{}
	if query == nil {
		query = url.Values{}
	}
	query.Set("MaxItems", pageSize)
	for {
		var page listing[T]
		if _, err := c.query(ctx, iamService, action, query, &page); err != nil {
			return nil, err
		}
		for _, part := range page.Lists {
			all = append(all, part.Members...)
		}
		if !page.IsTruncated {
			return all, nil
		}
		query.Set("Marker", page.Marker)
	}
}

// AttachPolicy attaches a managed policy.
func (c *Client) AttachPolicy(ctx context.Context, to Holder, policy iam.ARN) (Meta, error) {
	return c.query(ctx, iamService, "Attach"+to.Kind+"Policy", to.form("PolicyArn", string(policy)), nil)
}

// DetachPolicy detaches a managed policy.
func (c *Client) DetachPolicy(ctx context.Context, from Holder, policy iam.ARN) (Meta, error) {
	return c.query(ctx, iamService, "Detach"+from.Kind+"Policy", from.form("PolicyArn", string(policy)), nil)
}

// ListAttached returns the managed policies of a holder.
func (c *Client) ListAttached(ctx context.Context, of Holder) ([]AttachedPolicy, error) {
	return list[AttachedPolicy](ctx, c, "ListAttached"+of.Kind+"Policies", of.form())
}

// ListInline returns the names of the inline policies of a holder.
func (c *Client) ListInline(ctx context.Context, of Holder) ([]string, error) {
	return list[string](ctx, c, "List"+of.Kind+"Policies", of.form())
}

// CreateAccessKey makes a key pair for a user; an empty name means the caller.
// The secret is in this answer and nowhere else.
func (c *Client) CreateAccessKey(ctx context.Context, user string) (AccessKey, Meta, error) {
	var result struct{ AccessKey AccessKey }
	meta, err := c.query(ctx, iamService, "CreateAccessKey", form("UserName", user), &result)
	return result.AccessKey, meta, err
}

// NewAccessKey is a key pair to make with an expiry, or to take over from elsewhere.
type NewAccessKey struct {
	ID      string `json:"access_key_id,omitempty"` // empty: made by the store
	Secret  string `json:"secret_access_key,omitempty"`
	Expires string `json:"expires,omitempty"` // RFC 3339; empty: never
}

// AddAccessKey makes or takes over a key pair for a user. The answer has a secret
// only if the store made it.
func (c *Client) AddAccessKey(ctx context.Context, user string, wanted NewAccessKey) (AccessKey, Meta, error) {
	var made AccessKey
	meta, err := c.JSON(ctx, http.MethodPost, accessKeys(user), wanted, &made)
	return made, meta, err
}

// ListAccessKeys returns a user's keys, without secrets; an empty name means the
// caller, whose keys are told without their ends.
func (c *Client) ListAccessKeys(ctx context.Context, user string) ([]AccessKey, error) {
	if user == "" {
		return list[AccessKey](ctx, c, "ListAccessKeys", nil)
	}
	var answer struct {
		Keys []AccessKey `json:"access_keys"`
	}
	_, err := c.JSON(ctx, http.MethodGet, accessKeys(user), nil, &answer)
	return answer.Keys, err
}

func accessKeys(user string) string { return "/v1/users/" + url.PathEscape(user) + "/access-keys" }

// ExpireAccessKey sets when a key ends, as RFC 3339.
func (c *Client) ExpireAccessKey(ctx context.Context, user string, key iam.AccessKeyID, at string) (Meta, error) {
	return c.JSON(ctx, http.MethodPatch, accessKeys(user)+"/"+url.PathEscape(string(key)), map[string]string{"expires": at}, nil)
}

// UpdateAccessKey sets a key's status.
func (c *Client) UpdateAccessKey(ctx context.Context, user string, key iam.AccessKeyID, status iam.Status) (Meta, error) {
	return c.query(ctx, iamService, "UpdateAccessKey",
		form("UserName", user, "AccessKeyId", string(key), "Status", status.String()), nil)
}

// DeleteAccessKey deletes a key.
func (c *Client) DeleteAccessKey(ctx context.Context, user string, key iam.AccessKeyID) (Meta, error) {
	return c.query(ctx, iamService, "DeleteAccessKey", form("UserName", user, "AccessKeyId", string(key)), nil)
}

// CreatePolicy makes a managed policy.
func (c *Client) CreatePolicy(ctx context.Context, name, path, description, document string) (Policy, Meta, error) {
	var result struct{ Policy Policy }
	meta, err := c.query(ctx, iamService, "CreatePolicy",
		form("PolicyName", name, "Path", path, "Description", description, "PolicyDocument", document), &result)
	return result.Policy, meta, err
}

// GetPolicy returns a managed policy with the document in force.
func (c *Client) GetPolicy(ctx context.Context, arn iam.ARN) (Policy, error) {
	var result struct{ Policy Policy }
	if _, err := c.query(ctx, iamService, "GetPolicy", form("PolicyArn", string(arn)), &result); err != nil {
		return Policy{}, err
	}
	var version struct {
		Document string `xml:"PolicyVersion>Document"`
	}
	_, err := c.query(ctx, iamService, "GetPolicyVersion",
		form("PolicyArn", string(arn), "VersionId", result.Policy.Version), &version)
	if err != nil {
		return Policy{}, err
	}
	// The IAM API gives documents URL-encoded (RFC 3986), where a plus is a plus.
	result.Policy.Document, err = url.PathUnescape(version.Document)
	return result.Policy, err
}

// ListPolicies returns all managed policies, or those that the store was not
// born with.
func (c *Client) ListPolicies(ctx context.Context, customOnly bool) ([]Policy, error) {
	scope := "All"
	if customOnly {
		scope = "Local"
	}
	return list[Policy](ctx, c, "ListPolicies", form("Scope", scope))
}

// DeletePolicy deletes a managed policy that is attached nowhere.
func (c *Client) DeletePolicy(ctx context.Context, arn iam.ARN) (Meta, error) {
	return c.query(ctx, iamService, "DeletePolicy", form("PolicyArn", string(arn)), nil)
}
