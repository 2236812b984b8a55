package api

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/doorward/doorward/iam"
)

// nullable tells a field that was left out from one that is null.
type nullable[T any] struct {
	given bool
	value *T
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *nullable[T]) UnmarshalJSON(text []byte) error {
	n.given = true
	return json.Unmarshal(text, &n.value)
}

// timeJSON is an instant as RFC 3339 text.
type timeJSON iam.Time

// UnmarshalJSON implements json.Unmarshaler.
func (t *timeJSON) UnmarshalJSON(text []byte) error {
	var at time.Time
	if err := json.Unmarshal(text, &at); err != nil {
		return err
	}
	*t = timeJSON(iam.At(at))
	return nil
}

// inFuture refuses an expiry that has passed; unset is none.
func (c *call) inFuture(t timeJSON) error {
	if t != 0 && iam.Time(t) <= c.now {
		return iam.Errorf(iam.ValidationError, "The expiry %s lies in the past.", iam.Time(t).ISO())
	}
	return nil
}

// listName is the name of a member's field in a Query request, counted from zero.
func listName(list string, i int, field string) string {
	return list + ".member." + strconv.Itoa(i+1) + "." + field
}
