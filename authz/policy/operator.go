package policy

import "strings"

// Comparison is a condition operator without its set prefix and IfExists.
type Comparison uint8

// The comparisons, in the order of the IAM user guide. ArnEquals and ArnLike do
// the same, as do ArnNotEquals and ArnNotLike.
const (
	StringEquals Comparison = iota
	StringNotEquals
	StringEqualsIgnoreCase
	StringNotEqualsIgnoreCase
	StringLike
	StringNotLike
	NumericEquals
	NumericNotEquals
	NumericLessThan
	NumericLessThanEquals
	NumericGreaterThan
	NumericGreaterThanEquals
	DateEquals
	DateNotEquals
	DateLessThan
	DateLessThanEquals
	DateGreaterThan
	DateGreaterThanEquals
	Bool
	BinaryEquals
	IPAddress
	NotIPAddress
	ARNEquals
	ARNLike
	ARNNotEquals
	ARNNotLike
	Null
)

var comparisonNames = [...]string{
	"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike",
	"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals",
	"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals",
	"Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "Null",
}

// String returns the comparison's name as it is written in a policy.
func (c Comparison) String() string { return comparisonNames[c] }

// Negated reports whether the comparison holds when no value matches, and so
// also when the key is missing.
func (c Comparison) Negated() bool {
	switch c {
	case StringNotEquals, StringNotEqualsIgnoreCase, StringNotLike, NumericNotEquals, DateNotEquals, NotIPAddress, ARNNotEquals, ARNNotLike:
		return true
	}
	return false
}

// Family is the type of the values that a comparison takes.
type Family uint8

// The families of comparisons.
const (
	StringFamily Family = iota
	NumericFamily
	DateFamily
	BoolFamily
	BinaryFamily
	IPFamily
	ARNFamily
	NullFamily
)

// Family returns the comparison's family.
func (c Comparison) Family() Family {
	switch {
	case c <= StringNotLike:
		return StringFamily
	case c <= NumericGreaterThanEquals:
		return NumericFamily
	case c <= DateGreaterThanEquals:
		return DateFamily
	case c == Bool:
		return BoolFamily
	case c == BinaryEquals:
		return BinaryFamily
	case c <= NotIPAddress:
		return IPFamily
	case c <= ARNNotLike:
		return ARNFamily
	}
	return NullFamily
}

// HasVariables reports whether values of this comparison may hold policy
// variables: those of string and ARN operators may.
func (c Comparison) HasVariables() bool {
	f := c.Family()
	return f == StringFamily || f == ARNFamily
}

// Quantifier says how an operator treats a key that has several values.
type Quantifier uint8

// The quantifiers.
const (
	// Single is an operator without prefix, for keys with one value.
	Single Quantifier = iota
	// ForAllValues holds if each value of the request satisfies the operator, and
	// so also if there are none.
	ForAllValues
	// ForAnyValue holds if some value of the request satisfies the operator.
	ForAnyValue
)

var quantifierPrefixes = [...]string{"", "ForAllValues:", "ForAnyValue:"}

// Operator is a condition operator as written: quantifier, comparison, IfExists.
type Operator struct {
	Quantifier Quantifier
	Comparison Comparison
	// IfExists makes the condition hold when the key is missing. Never set for
	// Null.
	IfExists bool
}

// String returns the operator as it is written in a policy, e.g.
// "ForAnyValue:StringLikeIfExists".
func (o Operator) String() string {
	s := quantifierPrefixes[o.Quantifier] + o.Comparison.String()
	if o.IfExists {
		s += "IfExists"
	}
	return s
}

// ParseOperator reads an operator's name, which is case-sensitive. Null takes
// neither a quantifier nor IfExists.
func ParseOperator(name string) (Operator, bool) {
	var o Operator
	rest := name
	for q := ForAllValues; q <= ForAnyValue; q++ {
		if after, ok := strings.CutPrefix(rest, quantifierPrefixes[q]); ok {
			o.Quantifier, rest = q, after
			break
		}
	}
	rest, o.IfExists = strings.CutSuffix(rest, "IfExists")
	for i, known := range comparisonNames {
		if rest == known {
			o.Comparison = Comparison(i)
			bare := o.Quantifier == Single && !o.IfExists
			return o, bare || o.Comparison != Null
		}
	}
	return Operator{}, false
}
