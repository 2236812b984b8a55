package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cluster"
	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/cmd/doorward/server"
	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
)

func newSnapshot(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Back a store up, and make one out of a backup",
		Long: `Back a store up into a file that is encrypted with age (age-encryption.org), for
recipients or with a passphrase, and make a store out of such a file. Secrets are
sealed with the store's root key besides, which is not in the backup: keep a copy of
the root key elsewhere.`,
		Example: `  doorward cluster snapshot save store.age --passphrase-file backup.pass
  doorward cluster snapshot inspect store.age --passphrase-file backup.pass`,
	}
	cmd.AddCommand(newSnapshotSave(a), newSnapshotInspect(a), newSnapshotRestore(a))
	return cmd
}

const passphraseUsage = "`FILE` whose first line is the passphrase"

func newSnapshotSave(a *app) *cobra.Command {
	var recipients []string
	var passphrase string
	var stale bool
	cmd := &cobra.Command{
		Use:   "save FILE",
		Short: "Write the state of the store to an encrypted file",
		Long: `Write the state of the store to an encrypted file. Writers are not held up. The file
appears under its name only once it is complete and was verified; it is not
overwritten. --stale takes what the node at --endpoint has heard of, for a store that
has no leader.`,
		Example: `  doorward cluster snapshot save store.age --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
  doorward cluster snapshot save store.age --passphrase-file backup.pass`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := ageRecipients(recipients, passphrase)
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			bar := a.progress("saving", 0, megabytes)
			h, err := saveSnapshot(cmd.Context(), c, args[0], to, stale, bar)
			bar.end()
			if err != nil {
				return err
			}
			return a.showHeader(h)
		},
	}
	cmd.Flags().StringArrayVar(&recipients, "recipient", nil, "`KEY` that can open the file, age1…; may be repeated")
	cmd.Flags().StringVar(&passphrase, "passphrase-file", "", passphraseUsage)
	cmd.Flags().BoolVar(&stale, "stale", false, "do without a leader")
	return cmd
}

// ageRecipients returns who can open a file.
func ageRecipients(keys []string, passphraseFile string) ([]age.Recipient, error) {
	if (len(keys) == 0) == (passphraseFile == "") {
		return nil, errors.New("want --recipient or --passphrase-file, so that the backup is not readable to everybody")
	}
	if passphraseFile != "" {
		passphrase, err := secretFile(passphraseFile)
		if err != nil {
			return nil, err
		}
		recipient, err := age.NewScryptRecipient(passphrase)
		return []age.Recipient{recipient}, err
	}
	var recipients []age.Recipient
	for _, key := range keys {
		recipient, err := age.ParseX25519Recipient(key)
		if err != nil {
			return nil, fmt.Errorf("--recipient: %w", err)
		}
		recipients = append(recipients, recipient)
	}
	return recipients, nil
}

// saveSnapshot writes the file, and reads along to see that it is complete. What is
// written passes by.
func saveSnapshot(ctx context.Context, c *client.Client, path string, to []age.Recipient, stale bool, passing io.Writer) (wire.Header, error) {
	if _, err := os.Stat(path); err == nil {
		return wire.Header{}, fmt.Errorf("%s exists already", path)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".snapshot-*") // mode 0600
	if err != nil {
		return wire.Header{}, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	sealed, err := age.Encrypt(file, to...)
	if err != nil {
		return wire.Header{}, err
	}
	read := make(chan error, 1)
	var s *wire.Snapshot
	in, out := io.Pipe()
	go func() { // ends with the pipe
		s, err = wire.ReadSnapshot(in, cluster.SideBySide)
		in.CloseWithError(err)
		read <- err
	}()
	saved := c.SaveSnapshot(ctx, io.MultiWriter(sealed, out, passing), stale)
	out.CloseWithError(saved) // nil is the end of the file
	verified := <-read
	if saved != nil {
		return wire.Header{}, saved
	}
	if err := errors.Join(verified, sealed.Close(), file.Sync()); err != nil {
		return wire.Header{}, err
	}
	return s.Header, os.Link(file.Name(), path) // unlike a rename, it overwrites nothing
}

// backupKeys are the ways to open a backup.
type backupKeys struct{ identity, passphrase string }

func (k *backupKeys) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&k.identity, "identity-file", "", "`FILE` of age identities, AGE-SECRET-KEY-1…")
	cmd.Flags().StringVar(&k.passphrase, "passphrase-file", "", passphraseUsage)
}

// open begins to decrypt a backup. A bar shows how much of it is read, until it is closed.
func (k *backupKeys) open(a *app, path string) (io.Reader, io.Closer, error) {
	if (k.identity == "") == (k.passphrase == "") {
		return nil, nil, errors.New("want --identity-file or --passphrase-file, whichever the backup was made for")
	}
	identities, err := k.identities()
	if err != nil {
		return nil, nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	about, err := file.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	bar := a.progress("reading", about.Size(), megabytes)
	plain, err := age.Decrypt(io.TeeReader(file, bar), identities...)
	if err != nil {
		bar.end()
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return plain, backup{file, bar}, nil
}

// backup is a backup that is being read.
type backup struct {
	file *os.File
	bar  *progress
}

func (b backup) Close() error {
	b.bar.end()
	return b.file.Close()
}

func (k *backupKeys) identities() ([]age.Identity, error) {
	if k.passphrase != "" {
		passphrase, err := secretFile(k.passphrase)
		if err != nil {
			return nil, err
		}
		identity, err := age.NewScryptIdentity(passphrase)
		return []age.Identity{identity}, err
	}
	file, err := os.Open(k.identity)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	identities, err := age.ParseIdentities(file)
	if err != nil {
		// The cause could quote a line of the file.
		return nil, fmt.Errorf("%s holds no age identities", k.identity)
	}
	return identities, nil
}

func newSnapshotInspect(a *app) *cobra.Command {
	var keys backupKeys
	cmd := &cobra.Command{
		Use:     "inspect FILE",
		Short:   "Verify a backup and show what it holds",
		Long:    `Read a backup from end to end, verify every checksum, and show what it holds.`,
		Example: `  doorward cluster snapshot inspect store.age --identity-file backup.key`,
		Args:    exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			plain, file, err := keys.open(a, args[0])
			if err != nil {
				return err
			}
			s, err := wire.ReadSnapshot(plain, cluster.SideBySide)
			file.Close()
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return a.showHeader(s.Header)
		},
	}
	keys.add(cmd)
	return cmd
}

var sectionNames = map[iam.Table]string{
	iam.TableUsers: "users", iam.TableGroups: "groups", iam.TableRoles: "roles", iam.TablePolicies: "policies",
	iam.TableAccessKeys: "access_keys", iam.TableServiceAccounts: "service_accounts", iam.TableSessions: "sessions",
	iam.TableBuckets: "buckets", iam.TableProviders: "providers", iam.TableEnrolments: "enrolments",
}

// showHeader describes a backup that was read through.
func (a *app) showHeader(h wire.Header) error {
	records := map[string]uint64{}
	for _, s := range h.Sections {
		if name := sectionNames[iam.Table(s.ID)]; name != "" {
			records[name] = s.Records
		}
	}
	return a.record(struct {
		Cluster string            `json:"cluster_id"`
		Epoch   uint64            `json:"epoch,string"`
		Index   iam.Index         `json:"index"`
		Term    uint64            `json:"term"`
		Level   uint16            `json:"feature_level"`
		Time    string            `json:"time"` // of the newest command
		Sum     string            `json:"sum"`
		Records map[string]uint64 `json:"records"`
	}{h.Cluster, h.Epoch, h.Index, h.Term, h.FeatureLevel, h.Time.ISO(), h.Sum.String(), records},
		field{"Cluster", h.Cluster}, field{"Epoch", strconv.FormatUint(h.Epoch, 10)},
		field{"Index", fmt.Sprint(h.Index)}, field{"Newest change", h.Time.Go().UTC().Format(time.RFC3339)},
		field{"Sum", h.Sum.String()},
		field{"Users", fmt.Sprint(records["users"])}, field{"Access keys", fmt.Sprint(records["access_keys"])},
		field{"Roles", fmt.Sprint(records["roles"])}, field{"Policies", fmt.Sprint(records["policies"])},
		field{"Sessions", fmt.Sprint(records["sessions"])},
	)
}

func newSnapshotRestore(a *app) *cobra.Command {
	var flags serverFlags
	var keys backupKeys
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a store out of a backup, in an empty data directory",
		Long: `Make a store out of a backup, in the empty data directory that the settings name. Its
node is then the only member; start it with ` + "`doorward server`" + ` and let the others join,
with empty directories. It needs the root key that the store had. Stop every node of
the store as it was first: two stores with one identity confuse their sidecars and
clients. Sidecars notice that a new epoch has begun, and begin anew.`,
		Example: `  doorward cluster snapshot restore store.age --passphrase-file backup.pass --config /etc/doorward/server.yaml`,
		Args:    exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			loaded, err := flags.loadValid(a, cmd)
			if err != nil {
				return err
			}
			plain, file, err := keys.open(a, args[0])
			if err != nil {
				return err
			}
			h, err := server.Restore(&loaded.Server, a.quietLogger(), plain)
			file.Close()
			if err != nil {
				return err
			}
			a.say("The store is as it was at index %d, %s. Start it: doorward server", h.Index, h.Time.ISO())
			return a.showHeader(h)
		},
	}
	keys.add(cmd)
	flags.add(a, cmd)
	return cmd
}

func newRecover(a *app) *cobra.Command {
	var flags serverFlags
	var look bool
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Make this node the only member of its store, when a majority is lost for good",
		Long: `Make this node the only member of its store, when so many nodes are lost for good that
the rest cannot elect a leader. Of several survivors take the one with the highest
term, and then the highest index: --look shows both and changes nothing. What was
acknowledged is there if a majority's worth of nodes was not lost at once with the
last writes on them.

No node may be running. Start this one afterwards; move the data directories of all
others away, and let them join again. A new epoch begins, so sidecars begin anew.`,
		Example: `  doorward cluster recover --look --config /etc/doorward/server.yaml
  doorward cluster recover --config /etc/doorward/server.yaml`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := flags.loadValid(a, cmd)
			if err != nil {
				return err
			}
			index, term, err := server.Recover(&loaded.Server, slog.New(slog.DiscardHandler), look)
			if err != nil {
				return err
			}
			if !look {
				a.say("This node is the only member of its store now. Start it: doorward server")
			}
			return a.record(struct {
				Term  uint64 `json:"term"`
				Index uint64 `json:"index"`
			}{term, index}, field{"Term", fmt.Sprint(term)}, field{"Index", fmt.Sprint(index)})
		},
	}
	cmd.Flags().BoolVar(&look, "look", false, "show how far this node had come, and change nothing")
	flags.add(a, cmd)
	return cmd
}
