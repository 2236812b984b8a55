package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

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
		tag, err := keyValue("tag", text, "team=build")
		if err != nil {
			return nil, err
		}
		tags = append(tags, tag)
	}
	return tags, nil
}

// keyValue reads the KEY=VALUE of a flag; the example is one.
func keyValue(flag, text, example string) (client.Tag, error) {
	key, value, found := strings.Cut(text, "=")
	if !found || key == "" {
		return client.Tag{}, withHint(fmt.Errorf("%s %q is not KEY=VALUE", flag, text), "For example --%s %s.", flag, example)
	}
	return client.Tag{Key: key, Value: value}, nil
}

// contextPair reads a condition key and a value of it.
func contextPair(text string) (client.Tag, error) {
	return keyValue("context", text, "aws:SourceIp=10.0.0.7")
}

// exclusiveGroup is the annotation that cobra keeps the groups of a flag under.
const exclusiveGroup = "cobra_annotation_mutually_exclusive"

// checkFlags says in our words what cobra would: which flag is missing, and which ones
// exclude each other.
func checkFlags(cmd *cobra.Command) error {
	var missing string
	given := map[string][]string{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if len(f.Annotations[cobra.BashCompOneRequiredFlag]) > 0 && !f.Changed && missing == "" {
			missing = f.Name
		}
		for _, group := range f.Annotations[exclusiveGroup] {
			if f.Changed {
				given[group] = append(given[group], "--"+f.Name)
			}
		}
	})
	if missing != "" {
		return withHint(fmt.Errorf("--%s is missing", missing), "See `%s --help`.", cmd.CommandPath())
	}
	for _, names := range given {
		if len(names) > 1 {
			return withHint(fmt.Errorf("%s exclude each other", strings.Join(names, " and ")), "Give one of them. See `%s --help`.", cmd.CommandPath())
		}
	}
	return nil
}
