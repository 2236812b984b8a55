package s3

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/doorward/doorward/authz/head"
)

// Config says under which names the S3 service is reached.
type Config struct {
	// Endpoints are the service's own host names or addresses, without wildcard;
	// a port is ignored. A Host equal to one is path style, a Host below one is
	// virtual-host style. Of two that fit, the longer counts.
	Endpoints []string
	// OtherHosts makes any other Host path style; otherwise it is refused. At least
	// one of the two settings has to be there.
	OtherHosts bool
}

// Mapper maps requests. It holds no state and may be used by many at once.
type Mapper struct {
	endpoints  []string // in small letters, longest first
	otherHosts bool
}

// New returns a Mapper. It fails if an endpoint is not a host name or address, or
// if the configuration leaves no Host that could be answered.
func New(c Config) (*Mapper, error) {
	m := &Mapper{otherHosts: c.OtherHosts}
	for _, e := range c.Endpoints {
		name, ok := hostName(e)
		if !ok {
			return nil, fmt.Errorf("s3 endpoint %q: not a host name or address", e)
		}
		m.endpoints = append(m.endpoints, strings.ToLower(name))
	}
	if len(m.endpoints) == 0 && !m.otherHosts {
		return nil, fmt.Errorf("s3 endpoints: none is set, and other hosts are not accepted")
	}
	slices.SortFunc(m.endpoints, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return m, nil
}

// Map says in res what req is and what it has to be allowed. An error is an
// *iam.Error with the code that an S3 client expects (see Status); then res holds
// no needs. Whether the request is authentic is not asked here.
//
// What the tables in operation.go and action.go say is all that there is: a
// request that they do not describe, or that could be read in two ways, is
// refused.
func (m *Mapper) Map(req *Request, res *Result) error {
	res.reset()
	err := m.describe(req, res)
	if err != nil {
		res.reset()
	}
	return err
}

func (m *Mapper) describe(req *Request, res *Result) error {
	names := req.Fields
	if len(names) != len(req.Headers) {
		res.fields = head.Read(res.fields[:0], req.Headers)
		names = res.fields
	}
	if err := res.readHeaders(req.Headers, names); err != nil {
		return err
	}
	path, query, err := splitTarget(req.Target)
	if err != nil {
		return err
	}
	if err := m.locate(req.Host, path, res); err != nil {
		return err
	}
	if err := res.readQuery(query, req.Method); err != nil {
		return err
	}
	op, err := res.selectOperation(req.Method)
	if err != nil {
		return err
	}
	res.readConnection(req)
	if err := res.readBody(op, req); err != nil {
		return err
	}
	return res.addNeeds(op, req)
}
