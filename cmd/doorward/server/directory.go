package server

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/doorward/doorward/api"
	"github.com/doorward/doorward/api/ldap"
	"github.com/doorward/doorward/cmd/doorward/config"
)

// directory is what the settings name, nil if they name none.
func directory(s *config.LDAP) (api.Directory, error) {
	if s.URL == "" {
		return nil, nil
	}
	password, err := lookupPassword(s)
	if err != nil {
		return nil, err
	}
	policies, err := ldap.ReadPolicies(s.Policies)
	if err != nil {
		return nil, fmt.Errorf("ldap.policies: %w", err)
	}
	return ldap.New(ldap.Config{
		URL: s.URL, StartTLS: s.StartTLS, Authorities: s.Authorities, LookupDN: s.LookupDN, LookupPassword: password,
		UserBase: s.UserBase, UserFilter: s.UserFilter, NameAttribute: s.NameAttribute,
		GroupBase: s.GroupBase, GroupFilter: s.GroupFilter, Policies: policies,
	})
}

// lookupPassword is the first line of a file, or of a variable whose name the
// settings say: a password is no setting itself.
func lookupPassword(s *config.LDAP) (string, error) {
	if s.PasswordEnv != "" {
		if password := os.Getenv(s.PasswordEnv); password != "" {
			return password, nil
		}
		return "", fmt.Errorf("ldap.lookup_password_env: the variable %s is empty", s.PasswordEnv)
	}
	text, err := os.ReadFile(s.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("ldap.lookup_password_file: %w", err)
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if len(bytes.TrimSpace(line)) == 0 {
		return "", errors.New("ldap.lookup_password_file: its first line is empty")
	}
	return string(bytes.TrimRight(line, "\r")), nil
}
