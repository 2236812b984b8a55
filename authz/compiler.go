package authz

import (
	"encoding/binary"

	"github.com/doorward/doorward/authz/policy"
)

// Compiler turns policies into authorities. It interns: equal documents compile
// to one object, and equal policies to one Authority, compared by every byte of
// documents and names. So a change recompiles only what it touches, and
// principals with the same policies share one pointer. What nobody holds any
// longer is forgotten. A Compiler is for one goroutine at a time; what it returns
// is immutable and for any number.
type Compiler struct {
	actions     interner[string, actionSet]
	documents   interner[documentKey, document]
	sets        interner[string, set]
	buckets     interner[string, BucketPolicy]
	authorities interner[string, Authority]
	// serial numbers the documents and sets, so that keys can be made of them.
	serial uint64
	// context lends its scratch memory to matching while compiling.
	context Context
}

// NewCompiler returns an empty compiler.
func NewCompiler() *Compiler { return &Compiler{} }

type documentKey struct {
	kind   policy.Kind
	source string
}

// document is a compiled document with an index of its own.
type document struct {
	serial     uint64
	statements []*statement
	index      *index
}

// Authority compiles the layers of p that belong to the caller: all but
// Resource and Trust.
func (c *Compiler) Authority(p Policies) *Authority {
	a := Authority{
		identity: c.set(policy.Identity, p.Identity),
		parent:   c.optional(policy.Identity, p.Parent),
		session:  c.optional(policy.Session, p.Session),
	}
	if p.Boundary != nil {
		a.boundary = c.set(policy.Boundary, PolicySet{*p.Boundary})
	}
	for _, level := range p.ServiceControl {
		a.guardRails = append(a.guardRails, c.set(policy.ServiceControl, level))
	}
	key := serials(append([]*set{a.identity, a.parent, a.session, a.boundary}, a.guardRails...)...)
	return c.authorities.get(key, func() *Authority { return &a })
}

// Bucket compiles a bucket policy.
func (c *Compiler) Bucket(p Policy) *BucketPolicy {
	s := c.set(policy.Resource, PolicySet{p})
	return c.buckets.get(serials(s), func() *BucketPolicy { return &BucketPolicy{s} })
}

// serials makes a key of sets; there is no set zero.
func serials(sets ...*set) string {
	var key []byte
	for _, s := range sets {
		serial := uint64(0)
		if s != nil {
			serial = s.serial
		}
		key = binary.BigEndian.AppendUint64(key, serial)
	}
	return string(key)
}

func (c *Compiler) optional(kind policy.Kind, p *PolicySet) *set {
	if p == nil {
		return nil
	}
	return c.set(kind, *p)
}

// fewDocuments is the number of documents up to which a set asks them one by
// one. More are merged into one index, which asks once but belongs to this set
// alone.
const fewDocuments = 3

func (c *Compiler) set(kind policy.Kind, p PolicySet) *set {
	docs := make([]*document, len(p))
	key := []byte{byte(kind)}
	for i := range p {
		docs[i] = c.document(kind, p[i].Document)
		key = binary.BigEndian.AppendUint64(key, docs[i].serial)
		key = binary.BigEndian.AppendUint64(key, uint64(len(p[i].Name)))
		key = append(key, p[i].Name...)
	}
	return c.sets.get(string(key), func() *set {
		c.serial++
		s := &set{serial: c.serial, documents: docs}
		for i := range p {
			s.names = append(s.names, p[i].Name)
		}
		if len(docs) > fewDocuments {
			s.parts = []setPart{{index: merge(docs)}}
			return s
		}
		for i, d := range docs {
			s.parts = append(s.parts, setPart{index: d.index, first: int32(i)})
		}
		return s
	})
}

func (c *Compiler) document(kind policy.Kind, source string) *document {
	return c.documents.get(documentKey{kind, source}, func() *document {
		parsed := policy.ParseStored([]byte(source), kind)
		c.serial++
		d := &document{serial: c.serial}
		for i := range parsed.Statements {
			if st := c.compileStatement(parsed, i); st != nil {
				d.statements = append(d.statements, st)
			}
		}
		d.index = merge([]*document{d})
		return d
	})
}

// merge files the statements of documents into one index.
func merge(docs []*document) *index {
	b := newIndexBuilder()
	for i, d := range docs {
		for _, st := range d.statements {
			b.add(st, i)
		}
	}
	return b.finish()
}
