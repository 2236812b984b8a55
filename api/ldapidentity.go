package api

import (
	"context"
	"errors"
	"log/slog"

	"github.com/doorward/doorward/api/ldap"
	"github.com/doorward/doorward/iam"
)

// Directory proves users by a directory; *ldap.Directory is one. Its errors are those
// of ldap.Directory.Authenticate.
type Directory interface {
	Authenticate(ctx context.Context, name, password string) (ldap.Person, error)
}

var (
	ldapName     = param{name: "LDAPUsername", presence: needed, min: 1, max: 64, chars: only("+=,.@-"), wrong: wrongSession}
	ldapPassword = param{name: "LDAPPassword", presence: needed, min: 1, max: 1024}
)

// errDirectory does not say whether the name or the password was wrong.
var errDirectory = iam.Errorf(iam.AccessDenied, "The directory does not know this name with this password, or no policy is mapped to the user or its groups.")

// assumeRoleWithLDAPIdentity gives a session to whoever proves a name and password of
// the directory, as MinIO's clients ask for it. The request is not signed. The session
// is a federated user of the account's root, so it may do what the mapped policies
// allow, evaluated afresh at each use, and nothing else. Session policies cannot be
// passed: in such a session they would add to the mapped ones instead of cutting them.
func assumeRoleWithLDAPIdentity(c *call) (any, error) {
	directory := c.server.config.Directory
	if directory == nil {
		return nil, iam.Errorf(iam.InvalidAction, "This store has no directory: AssumeRoleWithLDAPIdentity has to be set up with the settings ldap.….")
	}
	c.caller.account = c.view.Store().Account
	lasts, err := c.duration(defaultSession, maxSelfSession)
	if err != nil {
		return nil, err
	}
	person, err := directory.Authenticate(c.ctx, c.form["LDAPUsername"], c.form["LDAPPassword"])
	if err != nil {
		return nil, c.unproved(err)
	}
	if len(person.Policies) == 0 || check(ldapName, person.Name) != nil {
		c.server.config.Log.Info("directory user gets no session", slog.String("dn", person.DN), slog.Any("policies", person.Policies))
		return nil, errDirectory
	}
	root := iam.Ref{Account: c.caller.account, Kind: iam.KindRoot}
	c.caller.arn = federatedARN(root.Account, person.Name)
	s, err := c.newSession(iam.SessionFederated, root, iam.UniqueID(root.Account), lasts)
	if err != nil {
		return nil, err
	}
	s.Name = person.Name
	for _, name := range person.Policies {
		p, ok := c.view.PolicyNamed(root.Account, name)
		if !ok {
			c.server.config.Log.Error("a policy that a directory user is mapped to does not exist", slog.String("policy", name), slog.String("dn", person.DN))
			return nil, errDirectory
		}
		s.PolicyARNs = append(s.PolicyARNs, p.ARN())
	}
	given, err := c.begin(s)
	answer := assumedXML{Credentials: given}
	answer.AssumedRoleUser.ARN = c.caller.arn
	answer.AssumedRoleUser.AssumedRoleID = string(root.Account) + ":" + s.Name
	return answer, err
}

// unproved tells the operator why, and the client no more than it has to know.
func (c *call) unproved(err error) error {
	if errors.Is(err, ldap.ErrRefused) {
		c.server.config.Log.Info("the directory refused a user", slog.Any("reason", err))
		return errDirectory
	}
	c.server.config.Log.Warn("the directory could not be asked", slog.Any("error", err))
	return iam.Errorf(iam.ServiceUnavailable, "The directory could not be asked. Try again.")
}
