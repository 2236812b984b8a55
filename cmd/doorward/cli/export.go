package cli

import (
	"bytes"
	"encoding/json"
	"fmt"

	"filippo.io/age"
	"github.com/spf13/cobra"
)

func newExport(a *app) *cobra.Command {
	var recipients []string
	var file string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write users, groups, roles and policies to a file",
		Long: `Write users, groups, roles and policies as one view of the store has them, in
JSON, to standard output or to a file that only its owner may read.

There are no secrets in it: a store gives no secret out a second time. They travel
sealed in a snapshot of the store. Nor are there service accounts, which are their
users' own affair, or sessions. With --age-recipient the file is encrypted to whoever
has the identity (https://age-encryption.org).

` + "`doorward import doorward`" + ` reads it. Needs the permission doorward:Export.`,
		Example: `  doorward export > identities.json
  doorward export --age-recipient age1… --file identities.age`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.export(cmd, recipients, file) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&recipients, "age-recipient", nil, "encrypt to this age `RECIPIENT`; may be given again")
	f.StringVar(&file, "file", "", "write to `FILE`, which must not exist yet")
	return cmd
}

func (a *app) export(cmd *cobra.Command, recipients []string, file string) error {
	var to []age.Recipient
	for _, text := range recipients {
		r, err := age.ParseX25519Recipient(text)
		if err != nil {
			return withHint(fmt.Errorf("age recipient %q: %w", text, err), "It begins with age1. `age-keygen` makes one.")
		}
		to = append(to, r)
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	d, err := c.Export(cmd.Context())
	if err != nil {
		return err
	}
	plain, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	content := append(plain, '\n')
	if len(to) > 0 {
		if content, err = encrypted(content, to); err != nil {
			return err
		}
	}
	if file == "" {
		_, err = a.Out.Write(content)
	} else {
		err = newFile(file, content, 0o600)
	}
	if err != nil {
		return err
	}
	a.say("%d policies, %d groups, %d roles and %d users exported; secrets and service accounts are not among them",
		len(d.Policies), len(d.Groups), len(d.Roles), len(d.Users))
	return nil
}

func encrypted(plain []byte, to []age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
