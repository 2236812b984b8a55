package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
)

// posixFlags are the owner of the files behind a user's objects.
type posixFlags struct{ uid, gid uint32 }

func (p *posixFlags) add(cmd *cobra.Command) {
	cmd.Flags().Uint32Var(&p.uid, "posix-uid", 0, "owner `UID` of the files behind the user's objects; needs --posix-gid")
	cmd.Flags().Uint32Var(&p.gid, "posix-gid", 0, "group `GID` of the files behind the user's objects; needs --posix-uid")
}

// value returns the ids, or nil if none were given. Zero is an id too.
func (p *posixFlags) value(cmd *cobra.Command) (*client.POSIX, error) {
	uid, gid := cmd.Flags().Changed("posix-uid"), cmd.Flags().Changed("posix-gid")
	if uid != gid {
		return nil, withHint(errors.New("one POSIX id is missing"), "Give both --posix-uid and --posix-gid.")
	}
	if !uid {
		return nil, nil
	}
	return &client.POSIX{UID: p.uid, GID: p.gid}, nil
}

func parseTags(texts []string) ([]client.Tag, error) {
	var tags []client.Tag
	for _, text := range texts {
		key, value, found := strings.Cut(text, "=")
		if !found || key == "" {
			return nil, withHint(fmt.Errorf("tag %q is not KEY=VALUE", text), "For example --tag team=build.")
		}
		tags = append(tags, client.Tag{Key: key, Value: value})
	}
	return tags, nil
}
