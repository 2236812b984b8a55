package authz

import "weak"

// interner keeps one object for each key for as long as somebody else holds it.
// Keys are compared in full.
type interner[K comparable, T any] struct {
	objects map[K]weak.Pointer[T]
	// sweepAt is the number of entries at which those of dead objects are removed.
	sweepAt int
}

const firstSweep = 64

// get returns the object with the key, made by build if there is none.
func (i *interner[K, T]) get(key K, build func() *T) *T {
	if p, ok := i.objects[key]; ok {
		if object := p.Value(); object != nil {
			return object
		}
	}
	object := build()
	if i.objects == nil {
		i.objects, i.sweepAt = map[K]weak.Pointer[T]{}, firstSweep
	}
	if len(i.objects) >= i.sweepAt {
		i.sweep()
	}
	i.objects[key] = weak.Make(object)
	return object
}

// sweep removes the entries of dead objects. The next one comes when twice as
// many are alive, so that it costs little for each entry made.
func (i *interner[K, T]) sweep() {
	for key, p := range i.objects {
		if p.Value() == nil {
			delete(i.objects, key)
		}
	}
	i.sweepAt = max(firstSweep, 2*len(i.objects))
}
