package sidecar

import (
	"errors"
	"fmt"
	"time"

	"github.com/doorward/doorward/authz/s3"
	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/internal/lockout"
)

// Config says how a sidecar behaves. Start from [DefaultConfig].
type Config struct {
	// Region is the S3 server's own; it is named to clients that sign for another.
	Region string
	// Regions are accepted in signatures beside Region.
	Regions []string
	// AnyRegion accepts signatures for every region.
	AnyRegion bool
	// Endpoints are the S3 server's own host names, for bucket names in Host.
	// Hosts that match none of them are path style.
	Endpoints []string

	// Prove is how often the sidecar asks whether it is current. It must be well
	// below the store's max staleness; it is also how much staler than the truth a
	// sidecar reports itself to be.
	Prove time.Duration
	// ConfirmGap is the least time between two questions for the current index,
	// whatever the number of unknown access keys: the bound on what a flood of bad
	// keys costs the store. An unknown key waits this long at worst, plus the way
	// to the store and back.
	ConfirmGap time.Duration
	// Patience is how long a request waits for an index, a confirmation or a
	// signing key before it is answered 503.
	Patience time.Duration
	// MaxWaiting is how many requests may wait at once; further ones get 503.
	MaxWaiting int
	// Callers is how many access keys are kept ready to decide; the others are made
	// ready again when they come. A power of two.
	Callers int
	// Keys is how many signing keys asked for on demand are kept.
	Keys int

	// Keep says where the sidecar keeps what it needs to start without the store; nil:
	// nowhere.
	Keep *KeepConfig

	// Lockout says how many wrong signatures lock an access key for the source that
	// sent them.
	Lockout lockout.Config

	// Now is the clock, read once for each request. Nil means time.Now.
	Now func() time.Time
	// Events are told what happens.
	Events Events
}

// DefaultConfig returns the settings that fit one host.
func DefaultConfig() Config {
	return Config{
		Region:     "us-east-1",
		Prove:      time.Second,
		ConfirmGap: 20 * time.Millisecond,
		Patience:   2 * time.Second,
		MaxWaiting: 4096,
		Callers:    1 << 16,
		Keys:       1 << 16,
	}
}

// Validate says what is wrong with c, in the words of the settings.
func (c *Config) Validate() error {
	switch {
	case c.Region == "":
		return errors.New("sidecar: no region: name the S3 server's own, e.g. us-east-1")
	case c.Prove <= 0 || c.ConfirmGap <= 0 || c.Patience <= 0:
		return errors.New("sidecar: Prove, ConfirmGap and Patience must be positive")
	case c.MaxWaiting <= 0 || c.Keys <= 0:
		return errors.New("sidecar: MaxWaiting and Keys must be positive")
	case c.Callers < waysPerSet || c.Callers&(c.Callers-1) != 0:
		return fmt.Errorf("sidecar: Callers is %d: want a power of two of at least %d", c.Callers, waysPerSet)
	}
	return nil
}

func (c *Config) rules() *sigv4.Rules {
	return &sigv4.Rules{
		Services:  []sigv4.Service{sigv4.S3},
		Regions:   append([]string{c.Region}, c.Regions...),
		AnyRegion: c.AnyRegion,
		// The feed brings day keys and no public keys.
		SymmetricOnly: true,
	}
}

func (c *Config) mapper() (*s3.Mapper, error) {
	return s3.New(s3.Config{Endpoints: c.Endpoints, OtherHosts: true})
}
