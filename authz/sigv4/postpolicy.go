package sigv4

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/iam"
)

// postPolicy is the policy of a browser form. Source: Amazon S3 API Reference,
// "POST policy".
type postPolicy struct {
	expiration iam.Time
	conditions []postCondition
	min, max   int64 // of every content-length-range together, in bytes
}

// postCondition is one condition on a form field.
type postCondition struct {
	prefix bool   // starts-with rather than eq
	field  string // in lower case
	value  string
}

// parsePostPolicy reads the base64 text of a policy. An element, condition or
// operator that is not documented makes the whole policy invalid: what is not
// understood cannot be enforced.
func parsePostPolicy(encoded string) (*postPolicy, error) {
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, invalidPolicy("it is not base64")
	}
	policy := &postPolicy{max: math.MaxInt64}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	seen := map[string]bool{}
	err = eachMember(dec, func(name string, value json.RawMessage) error {
		if seen[name] {
			return invalidPolicy("%q is there twice", name)
		}
		seen[name] = true
		switch name {
		case "expiration":
			return policy.setExpiration(value)
		case "conditions":
			return policy.addConditions(value)
		}
		return invalidPolicy("unexpected: %q", name)
	})
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, invalidPolicy("there is more after the document")
	}
	if !seen["expiration"] || !seen["conditions"] {
		return nil, invalidPolicy("it must hold expiration and conditions")
	}
	return policy, nil
}

// eachMember calls f for every member of the JSON object that dec is before, in
// order, repeated names included.
func eachMember(dec *json.Decoder, f func(name string, value json.RawMessage) error) error {
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return invalidPolicy("it is not a JSON object")
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return invalidPolicy("it is not well-formed JSON")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return invalidPolicy("it is not well-formed JSON")
		}
		if err := f(name.(string), value); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return invalidPolicy("it is not well-formed JSON")
	}
	return nil
}

func (p *postPolicy) setExpiration(value json.RawMessage) error {
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return invalidPolicy("expiration must be a string")
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return invalidPolicy("expiration must be a time such as 2007-12-01T12:00:00.000Z")
	}
	p.expiration = iam.At(t)
	return nil
}

func (p *postPolicy) addConditions(value json.RawMessage) error {
	var conditions []json.RawMessage
	if err := json.Unmarshal(value, &conditions); err != nil {
		return invalidPolicy("conditions must be an array")
	}
	for _, c := range conditions {
		var err error
		if len(c) > 0 && c[0] == '[' {
			err = p.addArray(c)
		} else {
			err = p.addObject(c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addObject takes {"field": "value"}.
func (p *postPolicy) addObject(text json.RawMessage) error {
	return eachMember(json.NewDecoder(bytes.NewReader(text)), func(name string, value json.RawMessage) error {
		var want string
		if err := json.Unmarshal(value, &want); err != nil || string(value) == "null" {
			return invalidPolicy("the value of condition %q must be a string", name)
		}
		p.conditions = append(p.conditions, postCondition{field: strings.ToLower(name), value: want})
		return nil
	})
}

// addArray takes ["eq", "$field", "value"], ["starts-with", "$field", "prefix"]
// and ["content-length-range", min, max].
func (p *postPolicy) addArray(text json.RawMessage) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var items []any
	if err := dec.Decode(&items); err != nil || len(items) != 3 {
		return invalidPolicy("a condition must have three elements: %s", text)
	}
	operator, _ := items[0].(string)
	operator = strings.ToLower(operator)
	if operator == "content-length-range" {
		return p.addRange(items[1], items[2])
	}
	field, ok := items[1].(string)
	name, dollar := strings.CutPrefix(field, "$")
	value, isString := items[2].(string)
	if operator != "eq" && operator != "starts-with" || !ok || !dollar || !isString {
		return invalidPolicy("a condition must be eq or starts-with on a $field, or content-length-range: %s", text)
	}
	p.conditions = append(p.conditions, postCondition{operator == "starts-with", strings.ToLower(name), value})
	return nil
}

// addRange narrows the permitted length; bounds are numbers, or digits in quotes.
func (p *postPolicy) addRange(low, high any) error {
	least, ok1 := bound(low)
	most, ok2 := bound(high)
	if !ok1 || !ok2 {
		return invalidPolicy("content-length-range needs two numbers of bytes")
	}
	p.min, p.max = max(p.min, least), min(p.max, most)
	return nil
}

func bound(v any) (int64, bool) {
	text, isString := v.(string)
	if number, ok := v.(json.Number); ok {
		text = number.String()
	} else if !isString {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil && n >= 0
}

// check refuses a form that is late, breaks a condition, or has a field that no
// condition covers.
func (p *postPolicy) check(c *Credential) error {
	if c.now > p.expiration {
		return againstPolicy("Policy expired.")
	}
	if bucket, ok := c.form.Field("bucket"); ok && bucket != c.form.bucket {
		return againstPolicy("the field bucket names another bucket than the request")
	}
	covered := map[string]bool{"bucket": true}
	for _, condition := range p.conditions {
		if !condition.holds(c) {
			return againstPolicy("Policy Condition failed: " + condition.String())
		}
		covered[condition.field] = true
	}
	for _, field := range c.form.Fields() {
		if !covered[field.Name] && !uncovered(field.Name) {
			return againstPolicy("Extra input fields: " + field.Name)
		}
	}
	return nil
}

// uncovered reports whether a field needs no condition.
func uncovered(name string) bool {
	return name == "x-amz-signature" || name == "policy" || strings.HasPrefix(name, "x-ignore-")
}

// holds reports whether the form, or for the bucket the request itself, meets the
// condition. A field that is absent meets none.
func (p postCondition) holds(c *Credential) bool {
	value, ok := c.form.bucket, true
	if p.field != "bucket" {
		value, ok = c.form.value(p.field)
	}
	switch {
	case !ok:
		return false
	case !p.prefix:
		return value == p.value
	case p.field != "content-type":
		return strings.HasPrefix(value, p.value)
	}
	for item := range strings.SplitSeq(value, ",") {
		if !strings.HasPrefix(trimBlanks(item), p.value) {
			return false
		}
	}
	return true
}

// String returns the condition as JSON.
func (p postCondition) String() string {
	operator := "eq"
	if p.prefix {
		operator = "starts-with"
	}
	text, _ := json.Marshal([]string{operator, "$" + p.field, p.value})
	return string(text)
}

func againstPolicy(reason string) *Error {
	return errorf(iam.AccessDenied, "Invalid according to Policy: %s", reason)
}

func invalidPolicy(format string, args ...any) *Error {
	return errorf(InvalidPolicyDocument, "Invalid Policy: "+format+".", args...)
}
