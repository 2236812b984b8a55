package migrate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/doorward/doorward/authz/policy"
)

// oneOrMany is a string, or an array of them.
type oneOrMany []string

// UnmarshalJSON takes both forms.
func (l *oneOrMany) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*l = oneOrMany{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(l))
}

type statement struct {
	Sid         string          `json:",omitempty"`
	Effect      string          `json:",omitempty"`
	Action      oneOrMany       `json:",omitempty"`
	NotAction   oneOrMany       `json:",omitempty"`
	Resource    oneOrMany       `json:",omitempty"`
	NotResource oneOrMany       `json:",omitempty"`
	Condition   json.RawMessage `json:",omitempty"`
}

// minioPolicy makes an identity policy of ours of one of MinIO's. Its differences:
// actions of MinIO's own administration (admin:, kms:, sts:) mean nothing here and
// are dropped, which takes no right to data away and none on; "*" is every S3 action
// and not that of the store; a document without a version speaks the newest language.
// Whatever else does not parse is an error: half a policy is none. The document is
// empty if nothing is left.
func minioPolicy(src []byte) (document string, notes []string, err error) {
	var in struct {
		Version   string
		ID        string
		Statement []statement
	}
	d := json.NewDecoder(bytes.NewReader(src))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return "", nil, fmt.Errorf("its document has something that policies here have not: %w", err)
	}
	var kept []statement
	dropped := map[string]bool{}
	for n, st := range in.Statement {
		actions := st.Action[:0:0]
		for _, a := range st.Action {
			service, _, _ := strings.Cut(a, ":")
			switch {
			case a == "*":
				actions = append(actions, "s3:*")
				notes = append(notes, "\"*\" is imported as s3:*, so that it does not reach the administration of this store")
			case service == "admin" || service == "kms" || service == "sts":
				dropped[service+":"] = true
			default:
				actions = append(actions, a)
			}
		}
		if len(st.Action) > 0 && len(actions) == 0 {
			continue
		}
		st.Action = actions
		if len(st.Condition) > 0 && string(bytes.TrimSpace(st.Condition)) == "{}" {
			st.Condition = nil
		}
		if err := ownWords(st); err != nil {
			return "", nil, fmt.Errorf("statement %d: %w", n+1, err)
		}
		kept = append(kept, st)
	}
	for _, service := range []string{"admin:", "kms:", "sts:"} {
		if dropped[service] {
			notes = append(notes, "actions "+service+"… are MinIO's own and are dropped")
		}
	}
	if len(kept) == 0 {
		return "", notes, nil
	}
	version := in.Version
	if version == "" {
		version = policy.Version2012
		notes = append(notes, "it names no version and is imported with "+version+", as MinIO reads it")
	}
	out, err := json.Marshal(struct {
		Version   string
		Statement []statement
	}{version, kept})
	if err != nil {
		return "", nil, err
	}
	if _, err := policy.Parse(out, policy.Identity); err != nil {
		return "", nil, err
	}
	return string(out), slices.Compact(notes), nil
}

// ownWords refuses condition keys and variables that only MinIO fills.
func ownWords(st statement) error {
	text := strings.ToLower(strings.Join(slices.Concat(st.Resource, st.NotResource), " ") + string(st.Condition))
	for _, word := range []string{"jwt:", "ldap:", "svc:"} {
		if strings.Contains(text, `"`+word) || strings.Contains(text, "${"+word) {
			return errors.New("it asks for " + word + "… of the session, which only MinIO knows")
		}
	}
	return nil
}
