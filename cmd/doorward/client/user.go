package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/doorward/doorward/iam"
)

// POSIX is the owner of the files behind a user's objects.
type POSIX struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

// String returns uid:gid, empty for none.
func (p *POSIX) String() string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("%d:%d", p.UID, p.GID)
}

// User is a user as the IAM API shows it, and what Doorward adds to AWS's user.
// The JSON names are those of the command line's output and stay as they are.
type User struct {
	Name    string  `xml:"UserName" json:"name"`
	ARN     iam.ARN `xml:"Arn" json:"arn"`
	ID      string  `xml:"UserId" json:"id"`
	Path    string  `xml:"Path" json:"path"`
	Created string  `xml:"CreateDate" json:"created"`
	Status  string  `xml:"-" json:"status,omitempty"`
	POSIX   *POSIX  `xml:"-" json:"posix,omitempty"`
	Tags    []Tag   `xml:"Tags>member" json:"tags,omitempty"`
}

// NewUser is a user to create.
type NewUser struct {
	Name   string `json:"name"`
	Path   string `json:"path,omitempty"`
	Secret string `json:"secret_key,omitempty"` // set: the user's name is an access key id with this secret
	POSIX  *POSIX `json:"posix,omitempty"`
	Tags   []Tag  `json:"tags,omitempty"`
}

// UserChange is what to change of a user; zero fields stay as they are.
type UserChange struct {
	NewName  string
	NewPath  string
	Status   iam.Status
	SetPOSIX bool
	POSIX    *POSIX // with SetPOSIX, nil clears
}

// IsZero reports whether nothing would change.
func (u UserChange) IsZero() bool { return u == UserChange{} }

// CreateUser creates a user with its secret and POSIX ids in one step.
func (c *Client) CreateUser(ctx context.Context, user NewUser) (User, Meta, error) {
	var made User
	meta, err := c.JSON(ctx, http.MethodPost, "/v1/users", user, &made)
	return made, meta, err
}

// GetUser returns a user.
func (c *Client) GetUser(ctx context.Context, name string) (User, error) {
	var user User
	_, err := c.JSON(ctx, http.MethodGet, "/v1/users/"+url.PathEscape(name), nil, &user)
	return user, err
}

// ListUsers returns the users under a path prefix; an empty one means all.
func (c *Client) ListUsers(ctx context.Context, prefix string) ([]User, error) {
	return list[User](ctx, c, "ListUsers", form("PathPrefix", prefix))
}

// UpdateUser changes a user.
func (c *Client) UpdateUser(ctx context.Context, name string, change UserChange) (Meta, error) {
	body := map[string]any{}
	if change.NewName != "" {
		body["new_name"] = change.NewName
	}
	if change.NewPath != "" {
		body["new_path"] = change.NewPath
	}
	if change.Status != 0 {
		body["status"] = change.Status.String()
	}
	if change.SetPOSIX {
		body["posix"] = change.POSIX
	}
	return c.JSON(ctx, http.MethodPatch, "/v1/users/"+url.PathEscape(name), body, nil)
}

// SetSecret sets the secret with which the user's name is an access key id.
func (c *Client) SetSecret(ctx context.Context, name, secret string) (Meta, error) {
	return c.JSON(ctx, http.MethodPut, "/v1/users/"+url.PathEscape(name)+"/secret-key", map[string]string{"secret_key": secret}, nil)
}

// RemoveSecret makes the user's name no access key id any more.
func (c *Client) RemoveSecret(ctx context.Context, name string) (Meta, error) {
	return c.JSON(ctx, http.MethodDelete, "/v1/users/"+url.PathEscape(name)+"/secret-key", nil, nil)
}

// DeleteUser deletes a user; with cascade also all that is the user's.
func (c *Client) DeleteUser(ctx context.Context, name string, cascade bool) (Meta, error) {
	return c.JSON(ctx, http.MethodDelete, "/v1/users/"+url.PathEscape(name)+"?cascade="+strconv.FormatBool(cascade), nil, nil)
}
