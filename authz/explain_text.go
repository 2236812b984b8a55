package authz

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// String returns the text form: the decision in a sentence, then a line for
// each layer with its near misses below it.
func (x Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s on %s, asked by %s: %s\n", x.Effect, x.Action, x.Resource, orAnonymous(x.Principal), x.reason())
	for i := range x.Layers {
		x.Layers[i].write(&b)
	}
	return b.String()
}

func orAnonymous(arn string) string {
	if arn == "" {
		return "an anonymous caller"
	}
	return arn
}

// reason is the decision's, as the end of a sentence.
func (x *Explanation) reason() string {
	switch {
	case x.Effect == Need.String():
		return "it turns on " + strings.Join(x.Missing, ", ")
	case x.By != nil && x.Explicit:
		return "denied by " + x.By.String()
	case x.By != nil:
		return "allowed by " + x.By.String()
	case x.Effect == Allow.String():
		return "the root user is allowed whatever nothing denies"
	}
	return phrase(x.Layer) + " does not allow it"
}

// phrase names a layer in a sentence.
func phrase(layer string) string {
	return phrases[max(0, slices.Index(layerNames[:], layer))]
}

// phrases name the layers in a sentence.
var phrases = [...]string{
	NoLayer:             "no policy",
	ServiceControlLayer: "a guard rail of the account",
	IdentityLayer:       "the caller's own policy",
	ParentLayer:         "the policy of the service account's user",
	BoundaryLayer:       "the permissions boundary",
	SessionLayer:        "the session policy",
	ResourceLayer:       "the resource's policy",
	RootLayer:           "the root user's right",
}

// String returns e.g. `readers, statement 0 "Read" (Allow, line 4)`.
func (n StatementName) String() string {
	sid := ""
	if n.Sid != "" {
		sid = " " + strconv.Quote(n.Sid)
	}
	return fmt.Sprintf("%s, statement %d%s (%s, line %d)", n.Policy, n.Index, sid, n.Effect, n.Line)
}

func (v *LayerVerdict) write(b *strings.Builder) {
	name := v.Layer
	if v.Layer == ServiceControlLayer.String() {
		name += " " + strconv.Itoa(v.Level)
	}
	fmt.Fprintf(b, "%s: %s", name, v.Verdict)
	switch {
	case v.By != nil:
		fmt.Fprintf(b, ", by %s", v.By)
	case len(v.Missing) > 0:
		fmt.Fprintf(b, ", turns on %s", strings.Join(v.Missing, ", "))
	case v.Verdict == AllowsNot && v.Statements == 0:
		b.WriteString(", there is no policy")
	}
	if v.Names == "account" {
		b.WriteString(", naming only the caller's account")
	}
	b.WriteByte('\n')
	for _, m := range v.Near {
		fmt.Fprintf(b, "  near: %s: %s\n", m.Statement, m)
	}
	if v.More > 0 {
		fmt.Fprintf(b, "  and %d more that are as near\n", v.More)
	}
}

// String returns e.g. `s3:prefix (StringEquals, line 9) expected "home/", got
// "tmp/"`.
func (m Miss) String() string {
	var b strings.Builder
	if m.Key != "" {
		fmt.Fprintf(&b, "%s (%s, line %d)", m.Key, m.Element, m.Line)
	} else {
		fmt.Fprintf(&b, "%s (line %d)", m.Element, m.Line)
	}
	if m.Expected == nil {
		return b.String() + " cannot be read: " + m.Note
	}
	b.WriteString(" expected ")
	if m.None {
		b.WriteString("anything but ")
	}
	b.WriteString(listed(m.Expected, " or "))
	b.WriteString(", got " + listed(m.Got, " and "))
	if m.Note != "" {
		b.WriteString("; " + m.Note)
	}
	switch {
	case m.Others == 1:
		b.WriteString("; another element does not match either")
	case m.Others > 1:
		fmt.Fprintf(&b, "; %d other elements do not match either", m.Others)
	}
	return b.String()
}

// maxListed is how many alternatives a line of text tells.
const maxListed = 4

func listed(values []string, joint string) string {
	if len(values) == 0 {
		return "nothing"
	}
	var b strings.Builder
	for i, v := range values {
		if i == maxListed {
			fmt.Fprintf(&b, "%s%d more", joint, len(values)-i)
			break
		}
		if i > 0 {
			b.WriteString(joint)
		}
		b.WriteString(strconv.Quote(v))
	}
	return b.String()
}
