package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/iam"
)

// overlapUsage is the flag of both rotations.
const overlapUsage = "`DURATION` for which the old key is good still"

func newAccessKeyRotate(a *app) *cobra.Command {
	var overlap time.Duration
	cmd := &cobra.Command{
		Use:   "rotate [USER]",
		Short: "Replace an access key by a new one, with time to change over",
		Long: `Make a new access key for a user, or for the caller if none is named, and let the old
one end after the overlap. The secret of the new one is shown once. A user has at most
two keys: one that has ended makes room for the next.`,
		Example: `  doorward access-key rotate alice
  doorward access-key rotate alice --overlap 1h --output json > alice-key.json
  doorward access-key rotate --overlap 0s`,
		Args: atMostUser,
		RunE: func(cmd *cobra.Command, args []string) error {
			if overlap < 0 {
				return errOverlap
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			user, err := userOrSelf(cmd.Context(), c, args)
			if err != nil {
				return err
			}
			if user == "" {
				return withHint(errors.New("the root user's key is not replaced while the store runs"), "Name a user: doorward access-key rotate USER.")
			}
			return a.rotateAccessKey(cmd.Context(), c, user, overlap)
		},
	}
	cmd.Flags().DurationVar(&overlap, "overlap", 24*time.Hour, overlapUsage)
	return cmd
}

var errOverlap = withHint(errors.New("the overlap is negative"), "For example --overlap 24h, or --overlap 0s to end the old key at once.")

// userOrSelf is the user that is named, else the caller; empty if that is the root.
func userOrSelf(ctx context.Context, c *client.Client, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	self, err := c.CallerIdentity(ctx)
	if err != nil {
		return "", err
	}
	if kind, path, _ := strings.Cut(self.ARN.Resource(), "/"); kind == "user" {
		return path[strings.LastIndexByte(path, '/')+1:], nil
	}
	return "", nil
}

// rotateAccessKey makes the new key before it touches the old one: whatever goes wrong
// on the way, one of them works.
func (a *app) rotateAccessKey(ctx context.Context, c *client.Client, user string, overlap time.Duration) error {
	keys, err := c.ListAccessKeys(ctx, user)
	if err != nil {
		return err
	}
	var alive, ended []client.AccessKey
	for _, k := range keys {
		switch at, err := time.Parse(time.RFC3339, k.Expires); {
		case iam.Fold(string(k.ID)) == iam.Fold(user): // the name-and-password form
		case err == nil && at.Before(time.Now()):
			ended = append(ended, k)
		default:
			alive = append(alive, k)
		}
	}
	switch {
	case len(alive) == 0:
		return withHint(fmt.Errorf("user %s has no access key to replace", user), "Make one: doorward access-key create %s.", user)
	case len(alive) > 1:
		return withHint(fmt.Errorf("user %s has more than one access key", user), "Delete one that is no longer used: see `doorward access-key list %s`.", user)
	}
	for _, k := range ended {
		if _, err := c.DeleteAccessKey(ctx, user, k.ID); err != nil {
			return err
		}
		a.say("access key %s, which had ended, deleted", k.ID)
	}
	made, meta, err := c.CreateAccessKey(ctx, user)
	if err != nil {
		return err
	}
	if err := a.showAccessKey(made, meta); err != nil {
		return err
	}
	old := alive[0].ID
	if overlap == 0 {
		if _, err := c.UpdateAccessKey(ctx, user, old, iam.Inactive); err != nil {
			return withHint(err, "The new key works; the old one still does. End it: doorward access-key disable %s %s.", user, old)
		}
		a.say("access key %s disabled", old)
		return nil
	}
	at := soonest(alive[0].Expires, overlap)
	if _, err := c.ExpireAccessKey(ctx, user, old, at); err != nil {
		return withHint(err, "The new key works; the old one has no end yet. End it: doorward access-key disable %s %s.", user, old)
	}
	a.say("access key %s is good until %s", old, at)
	return nil
}

// soonest is the end after an overlap, or an earlier one that is set already.
func soonest(set string, overlap time.Duration) string {
	end := time.Now().Add(overlap)
	if at, err := time.Parse(time.RFC3339, set); err == nil && at.Before(end) {
		end = at
	}
	return end.UTC().Format(time.RFC3339)
}

func newServiceAccountRotate(a *app) *cobra.Command {
	var overlap time.Duration
	cmd := &cobra.Command{
		Use:   "rotate ACCESS-KEY-ID",
		Short: "Give a service account a new secret or a successor, and show it once",
		Long: `Give a service account a new secret under the same access key id; the old one is
refused from then on. Where both have to work for a while, --overlap makes a second
service account with the same description and policy, and lets the old one end.`,
		Example: `  doorward service-account rotate AKIAEXAMPLE000000001
  doorward service-account rotate AKIAEXAMPLE000000001 --overlap 24h`,
		Args: exactly("ACCESS-KEY-ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if overlap < 0 {
				return errOverlap
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if overlap > 0 {
				return a.succeedServiceAccount(cmd.Context(), c, iam.AccessKeyID(args[0]), overlap)
			}
			rotated, meta, err := c.RotateServiceAccount(cmd.Context(), iam.AccessKeyID(args[0]))
			if err != nil {
				return err
			}
			return a.showServiceAccountSecret(rotated, meta)
		},
	}
	cmd.Flags().DurationVar(&overlap, "overlap", 0, overlapUsage+"; then the new one has another id")
	return cmd
}

// succeedServiceAccount makes a successor and lets the old service account end.
func (a *app) succeedServiceAccount(ctx context.Context, c *client.Client, key iam.AccessKeyID, overlap time.Duration) error {
	old, err := c.GetServiceAccount(ctx, key)
	if err != nil {
		return err
	}
	made, meta, err := c.CreateServiceAccount(ctx, client.ServiceAccountChange{Description: &old.Description, Policy: &old.Policy})
	if err != nil {
		return err
	}
	if err := a.showServiceAccountSecret(made, meta); err != nil {
		return err
	}
	end := client.Expiry(soonest(old.Expires, overlap))
	if _, err := c.UpdateServiceAccount(ctx, key, client.ServiceAccountChange{Expires: &end}); err != nil {
		return withHint(err, "The new service account works; the old one has no end yet. End it: doorward service-account delete %s.", key)
	}
	a.say("service account %s is good until %s", key, end)
	return nil
}
