package s3

import "strings"

// Carries reports whether requests for an action can carry a condition key, both
// by name. It answers yes for actions and keys that it does not know, among them
// the keys about the principal, and for the tags of buckets, which any request
// for a bucket with such tags carries.
func Carries(action, key string) bool {
	a, known := ParseAction(action)
	k, ofRequest := keyOf(strings.ToLower(key))
	if !known || !ofRequest || k == KeyBucketTag || k == KeyResourceTag {
		return true
	}
	return a.Keys().Has(k)
}

// keyOf finds a key by its name in lower case, a family by one that begins with
// the family's.
func keyOf(folded string) (Key, bool) {
	for k := Key(1); k < numKeys; k++ {
		name := strings.ToLower(k.Name())
		if folded == name || strings.HasSuffix(name, "/") && strings.HasPrefix(folded, name) {
			return k, true
		}
	}
	return 0, false
}
