package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cluster/pki"
)

// The files of an authority that a person keeps.
const (
	authorityCertificate = "ca.crt"
	authorityKey         = "ca.key"
)

func newTLS(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tls",
		Short: "Make the certificates of nodes and sidecars by hand",
		Long: `Make the certificates of nodes and sidecars by hand, with an authority that you keep.
There is no need to: a store makes its own, and members get theirs with a token
(` + "`doorward cluster token create`" + `). Settings peer.certificate, peer.key and
peer.authority name the files.`,
		Example: `  doorward tls init --dir ca
  doorward tls issue --dir ca --kind node --name store-1 --host 10.0.0.1`,
	}
	cmd.AddCommand(newTLSInit(a), newTLSIssue(a))
	return cmd
}

func newTLSInit(a *app) *cobra.Command {
	var dir, name string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make an authority",
		Long: `Make an authority in a directory: ca.crt, which every member needs, and ca.key, which
stays with whoever issues certificates.`,
		Example: `  doorward tls init --dir ca`,
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			authority, err := pki.NewAuthority(name, time.Now())
			if err != nil {
				return err
			}
			key, err := authority.Key()
			if err != nil {
				return err
			}
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
			if err := newFile(filepath.Join(dir, authorityKey), key, 0o600); err != nil {
				return err
			}
			if err := newFile(filepath.Join(dir, authorityCertificate), authority.Certificate(), 0o644); err != nil {
				return err
			}
			a.say("The authority is in %s. Keep %s where no member is.", dir, authorityKey)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "ca", "`DIR` of the authority")
	cmd.Flags().StringVar(&name, "name", "store", "`NAME` that tells authorities apart")
	return cmd
}

func newTLSIssue(a *app) *cobra.Command {
	var dir, kind, name, out string
	var hosts []string
	cmd := &cobra.Command{
		Use:   "issue",
		Short: "Make a certificate and key for a node or sidecar",
		Long: `Make a certificate and key, good for a year. The files are NAME.crt and NAME.key in
the directory that --out names; existing ones are not overwritten. A member that
runs notices when its files are replaced.`,
		Example: `  doorward tls issue --dir ca --kind node --name store-1 --host store-1 --host 10.0.0.1
  doorward tls issue --dir ca --kind sidecar --name s3-host-1 --out /etc/doorward`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
				return fmt.Errorf("--name is %q: name the member, without slashes", name)
			}
			certificate, err := os.ReadFile(filepath.Join(dir, authorityCertificate))
			if err != nil {
				return withHint(err, "Make the authority first: doorward tls init --dir %s", dir)
			}
			key, err := os.ReadFile(filepath.Join(dir, authorityKey))
			if err != nil {
				return err
			}
			authority, err := pki.ParseAuthority(certificate, key)
			if err != nil {
				return err
			}
			certificate, key, err = authority.Issue(pki.Role(kind), name, hosts, time.Now())
			if err != nil {
				return err
			}
			path := filepath.Join(out, name)
			if err := newFile(path+".key", key, 0o600); err != nil {
				return err
			}
			if err := newFile(path+".crt", certificate, 0o644); err != nil {
				return err
			}
			a.say("The certificate is %s.crt, its key %s.key.", path, path)
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "ca", "`DIR` of the authority")
	cmd.Flags().StringVar(&kind, "kind", "", "`KIND` of member: node or sidecar")
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of the member")
	cmd.Flags().StringArrayVar(&hosts, "host", nil, "`NAME` or address of the member, for clients that check it; may be repeated")
	cmd.Flags().StringVar(&out, "out", ".", "`DIR` for the files")
	return cmd
}

// newFile writes a file that is not there yet.
func newFile(path string, text []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}
