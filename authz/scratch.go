package authz

import "unsafe"

// scratch is memory that a decision may need for policies with variables or
// with "?" between wildcards. It stays with the Context, so that only the first
// such decision allocates it.
type scratch struct {
	text    []byte
	parts   []part
	state   []uint64
	seen    []uint64 // nodes of grams
	machine *machine
}

// expand joins literals and the values of variables. The result is good until
// the next call.
func (c *Context) expand(parts []part) string {
	if len(parts) == 1 {
		return parts[0].value(c)
	}
	text := c.scratch.text[:0]
	for i := range parts {
		text = append(text, parts[i].value(c)...)
	}
	c.scratch.text = text
	return unsafe.String(unsafe.SliceData(text), len(text))
}

func (c *Context) scratchState(words int) []uint64 {
	c.scratch.state = resize(c.scratch.state, words)
	return c.scratch.state
}

func (c *Context) scratchMachine() *machine {
	if c.scratch.machine == nil {
		c.scratch.machine = &machine{}
	}
	return c.scratch.machine
}
