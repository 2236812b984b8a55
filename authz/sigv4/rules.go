package sigv4

import (
	"errors"
	"time"
)

// Service is the service name of a credential scope. It selects the rules: S3's
// own, or those of the Query services for every other name.
type Service string

// The services that Doorward answers for.
const (
	S3  Service = "s3"
	IAM Service = "iam"
	STS Service = "sts"
)

// DefaultMaxSkew is the clock difference that AWS tolerates, each way.
const DefaultMaxSkew = 15 * time.Minute

// Rules says what a server accepts. A Rules value is not changed after its
// first use and may be shared.
type Rules struct {
	// Services are the names accepted in the credential scope. The first decides
	// how an error is phrased before the scope is known.
	Services []Service
	// Regions are the names accepted in the scope; the first is the server's own
	// and is the one named to a client that signed for another. A store that
	// also answers clients without configuration lists us-east-1 second.
	Regions []string
	// AnyRegion accepts every region name. Regions then only names the server.
	AnyRegion bool
	// MaxSkew is the greatest difference between the signed time and now for
	// header signatures, and how far a presigned URL may lie in the future. Zero
	// means DefaultMaxSkew.
	MaxSkew time.Duration
	// SymmetricOnly refuses SigV4A, for servers that have day keys and no public keys.
	SymmetricOnly bool
	// KeepDotSegments leaves "//", "/./" and "/../" in the canonical path of
	// services other than S3. S3 paths are never normalised.
	KeepDotSegments bool
}

// S3Rules are the rules of an S3 endpoint in region.
func S3Rules(region string) *Rules {
	return &Rules{Services: []Service{S3}, Regions: []string{region}}
}

// QueryRules are the rules of an endpoint that serves IAM and STS. Clients sign
// for us-east-1 or for their own region, so every region is accepted.
func QueryRules() *Rules {
	return &Rules{Services: []Service{IAM, STS}, Regions: []string{"us-east-1"}, AnyRegion: true}
}

// Validate reports rules under which no request could be accepted.
func (r *Rules) Validate() error {
	if len(r.Services) == 0 {
		return errors.New("sigv4: no service is accepted: name at least one in Services")
	}
	if len(r.Regions) == 0 {
		return errors.New("sigv4: no region is accepted: name the server's own in Regions")
	}
	if r.MaxSkew < 0 {
		return errors.New("sigv4: MaxSkew is negative: it is a tolerance each way")
	}
	return nil
}

func (r *Rules) maxSkew() time.Duration {
	if r.MaxSkew == 0 {
		return DefaultMaxSkew
	}
	return r.MaxSkew
}
