package api

import (
	"encoding/base64"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/doorward/doorward/iam"
)

// defaultItems is the length of a page when the client names none.
const defaultItems = 100

// paged reads one page of a sequence that can begin after a name. A marker is the
// name of the last record of the page before, so that records which come or go in
// between shift nothing.
func paged[R any](c *call, from func(after string) iter.Seq[R], name func(R) string, keep func(R) bool) ([]R, page, error) {
	limit := defaultItems
	if text := c.form["MaxItems"]; text != "" {
		limit, _ = strconv.Atoi(text)
	}
	after, err := base64.RawURLEncoding.DecodeString(c.form["Marker"])
	if err != nil {
		return nil, page{}, iam.Errorf(iam.ValidationError, "Invalid Marker. Send the Marker of the answer before, unchanged.")
	}
	var records []R
	for r := range from(string(after)) {
		if !keep(r) {
			continue
		}
		if len(records) == limit {
			last := name(records[limit-1])
			return records, page{true, base64.RawURLEncoding.EncodeToString([]byte(last))}, nil
		}
		records = append(records, r)
	}
	return records, page{}, nil
}

// pagedSlice is paged over records that are at hand, put in order of their names.
func pagedSlice[R any](c *call, records []R, name func(R) string, keep func(R) bool) ([]R, page, error) {
	sorted := slices.Clone(records)
	slices.SortFunc(sorted, func(a, b R) int { return strings.Compare(name(a), name(b)) })
	from := func(after string) iter.Seq[R] {
		return func(yield func(R) bool) {
			for _, r := range sorted {
				if name(r) > after || after == "" {
					if !yield(r) {
						return
					}
				}
			}
		}
	}
	return paged(c, from, name, keep)
}

func every[R any](R) bool { return true }

// under returns a test for paths below the PathPrefix parameter.
func (c *call) under() func(path string) bool {
	prefix := c.form["PathPrefix"]
	return func(path string) bool { return strings.HasPrefix(path, prefix) }
}
