package s3

// Config says under which names the S3 service is reached.
type Config struct {
	// Endpoints are the service's own host names or addresses, without wildcard;
	// a port is ignored. Host equal to one is path style, Host below one is
	// virtual-host style. Of two that fit, the longer counts.
	Endpoints []string
	// OtherHosts makes any other Host path style instead of refusing it.
	OtherHosts bool
}

// Mapper maps requests. It holds no state and may be used by many at once.
type Mapper struct {
	endpoints  []string
	otherHosts bool
}

// New returns a Mapper. It fails if an endpoint is not a host name or address.
func New(c Config) (*Mapper, error) {
	return &Mapper{endpoints: c.Endpoints, otherHosts: c.OtherHosts}, nil
}
