package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Warning is something in a document that is legal and probably not meant.
type Warning struct {
	// Check is the name of what was found, one of those that Lint lists.
	Check string
	// Statement is the index of the statement, -1 outside of the statements.
	Statement int
	// Sid is the statement's name, empty if it has none.
	Sid string
	// Element is the element that is doubtful, e.g. "Action".
	Element string
	Pos     Position
	// Wrong says what was found and what it does, Right what was probably meant.
	Wrong, Right string
}

// String returns one line: where, what was found, what would be right.
func (w Warning) String() string {
	e := Error{w.Statement, w.Sid, w.Element, w.Pos, w.Wrong, w.Right}
	return e.Error()
}

// Carries reports whether requests for an S3 action can carry a condition key.
// The action is one of [S3Actions], the key as written in the policy.
type Carries func(action, key string) bool

// Lint looks for what is legal and probably not meant, in the order of the text.
// The checks, by name:
//
//	version            no Version, so that there are no variables
//	variable           a variable where the version has none
//	unknown-action     an action that matches nothing
//	action-resource    an action on a kind of resource that is not named
//	resource           a resource that no action acts on, or that cannot exist
//	unknown-key        a condition key that no request carries
//	key-of-action      a condition key that requests for an action never carry
//	key-type           an operator that cannot compare the key's values
//	set-operator       a key with several values under an operator for one
//	for-all-values     an Allow that also holds if the key is missing
//	wildcard           a wildcard under an operator that takes it literally
//	mfa                a Deny that does not catch long-term keys
//	never-applies      a statement that cannot apply
//	broad-allow        Allow with NotAction or NotResource
//	not-principal      Deny with NotPrincipal
//	public             an Allow for everyone without a condition on who asks
//	federated          a provider that never asks, or whose every token is let in
//	redundant          an entry or a statement that another one covers
//	taken-back         an Allow that a Deny takes back altogether
func Lint(d *Document, carries Carries) []Warning {
	l := &linter{doc: d, carries: carries}
	l.version()
	for i := range d.Statements {
		l.index, l.st = i, &d.Statements[i]
		l.statement()
	}
	for i := range d.Statements {
		l.index, l.st = i, &d.Statements[i]
		l.covered()
	}
	slices.SortStableFunc(l.warnings, func(a, b Warning) int {
		return cmp.Or(a.Pos.Line-b.Pos.Line, a.Pos.Column-b.Pos.Column)
	})
	return l.warnings
}

type linter struct {
	doc      *Document
	carries  Carries
	warnings []Warning
	index    int
	st       *Statement
}

func (l *linter) warn(check, element string, pos Position, right, wrong string, args ...any) {
	l.warnings = append(l.warnings, Warning{
		Check: check, Statement: l.index, Sid: l.st.Sid.Value, Element: element, Pos: pos,
		Wrong: fmt.Sprintf(wrong, args...), Right: right,
	})
}

func (l *linter) version() {
	if l.doc.Version.Value == "" {
		l.index, l.st = -1, &Statement{}
		l.warn("version", "Version", Position{1, 1}, `"Version": "2012-10-17"`, "there is no Version, so the document is read as of 2008-10-17, which has no variables")
	}
}

func (l *linter) statement() {
	if l.st.Unknown != nil {
		return
	}
	l.unknownVariables()
	l.actions()
	l.levels()
	l.resources()
	for i := range l.st.Conditions {
		l.condition(&l.st.Conditions[i])
	}
	l.contradictions()
	l.breadth()
	l.everyone()
	l.federated()
	l.entries()
}

// never ends the description of something that keeps the statement from
// applying.
func (l *linter) never() string { return "so the " + l.st.Effect.String() + " never applies" }

// element is the name of one that may be negated.
func element(name string, not bool) string {
	if not {
		return "Not" + name
	}
	return name
}

// unknownVariables finds variables in a document whose version has none.
func (l *linter) unknownVariables() {
	if l.doc.HasVariables() {
		return
	}
	check := func(element string, list []Text) {
		for _, t := range list {
			for _, part := range ParsePattern(t.Value, true, true) {
				if part.Kind == Variable && strings.Contains(part.Text, ":") {
					l.warn("variable", element, t.Pos, `"Version": "2012-10-17"`, "${%s} is plain text here, for only version 2012-10-17 has variables", part.Text)
					break
				}
			}
		}
	}
	check(element("Resource", l.st.Resources.Not), l.st.Resources.List)
	for _, c := range l.st.Conditions {
		if c.Operator.Comparison.HasVariables() {
			check("Condition."+c.Operator.String(), c.Values)
		}
	}
}

// matched lists the actions that an entry matches, with their service. Known is
// false if the service is one that Doorward does not decide on.
func matched(entry string) (names []string, known bool) {
	service, pattern, _ := strings.Cut(strings.ToLower(entry), ":")
	list, known := knownActions[service]
	for _, name := range list {
		if covers(pattern, strings.ToLower(name)) {
			names = append(names, service+":"+name)
		}
	}
	return names, known || entry == "*"
}

func (l *linter) actions() {
	dead := 0
	for _, t := range l.st.Actions.List {
		names, known := matched(t.Value)
		if !known || len(names) > 0 || t.Value == "*" {
			continue
		}
		dead++
		_, name, _ := strings.Cut(t.Value, ":")
		right := "an action of the service authorization reference"
		if action, ok := s3Operations[strings.ToLower(name)]; ok {
			right = "s3:" + action + " is the action that the operation " + name + " needs"
		}
		l.warn("unknown-action", element("Action", l.st.Actions.Not), t.Pos, right, "the action %q matches nothing", t.Value)
	}
	if dead > 0 && dead == len(l.st.Actions.List) && !l.st.Actions.Not {
		l.warn("never-applies", "Action", l.st.Actions.Pos, "an action that exists", "no action here matches anything, %s", l.never())
	}
	if l.st.Actions.Not && slices.ContainsFunc(l.st.Actions.List, func(t Text) bool { return t.Value == "*" }) {
		l.warn("never-applies", "NotAction", l.st.Actions.Pos, "Action, or the actions to leave out", "NotAction leaves out every action, %s", l.never())
	}
}

var levels = func() map[string]Level {
	m := map[string]Level{}
	for _, a := range S3Actions {
		m[a.Name] = a.Level
	}
	return m
}()

// reach is the levels of S3 actions that a resource can be asked for with.
type reach [OnOther + 1]bool

// reachOf tells what a resource pattern can name.
func reachOf(resource string) (r reach) {
	if resource == "*" {
		return reach{true, true, true, true}
	}
	parts := strings.SplitN(resource, ":", 6)
	for len(parts) < 6 {
		parts = append(parts, "*")
	}
	switch {
	case parts[2] != "s3":
		r[OnOther] = true
		return r
	case !covers(parts[3], "") || !covers(parts[4], ""):
		// An access point, a job, or a bucket that the check of resources corrects.
		return reach{true, true, false, true}
	}
	tail := parts[5]
	slash := strings.Contains(tail, "/")
	r[OnBucket] = !slash
	r[OnObject] = slash || strings.ContainsAny(tail, "*$")
	r[OnAccount] = strings.Trim(tail, "*") == ""
	return r
}

var levelNouns = [...]string{OnBucket: "a bucket", OnObject: "an object", OnAccount: "the account", OnOther: "something else"}

var levelExamples = [...]string{
	OnBucket:  `a bucket such as "arn:aws:s3:::reports"`,
	OnObject:  `objects such as "arn:aws:s3:::reports/*"`,
	OnAccount: `"*"`,
	OnOther:   `"*", or the resource that the action acts on`,
}

// levels finds actions on a kind of resource that the statement does not name,
// and then resources that no action acts on.
func (l *linter) levels() {
	if l.st.Actions.Not || l.st.Resources.Not || !l.st.Resources.Present() {
		return
	}
	var all reach
	for _, t := range l.st.Resources.List {
		for level, can := range reachOf(t.Value) {
			all[level] = all[level] || can
		}
	}
	var acted reach
	sure, found := true, false
	for _, t := range l.st.Actions.List {
		names, known := matched(t.Value)
		sure = sure && known && len(names) > 0
		level, one := levelOf(names)
		for _, name := range names {
			s3 := strings.HasPrefix(name, "s3:")
			sure = sure && s3
			acted[levels[name]] = acted[levels[name]] || s3
		}
		if one && level != OnOther && !all[level] && len(names) > 0 {
			found = true
			l.warn("action-resource", "Action", t.Pos, "add "+levelExamples[level], "%q acts on %s, and no resource here is one", t.Value, levelNouns[level])
		}
	}
	if sure && !found {
		l.unused(acted)
	}
}

// levelOf returns the level of S3 actions that are all of the same.
func levelOf(names []string) (level Level, one bool) {
	for i, name := range names {
		at, ok := levels[name]
		if !ok || i > 0 && at != level {
			return 0, false
		}
		level = at
	}
	return level, true
}

// unused finds resources that no action of the statement acts on.
func (l *linter) unused(acted reach) {
	for _, t := range l.st.Resources.List {
		r, fits := reachOf(t.Value), false
		for level := range r {
			fits = fits || r[level] && acted[level]
		}
		if fits || !r[OnBucket] && !r[OnObject] {
			continue
		}
		noun := levelNouns[OnBucket]
		if r[OnObject] {
			noun = levelNouns[OnObject]
		}
		l.warn("resource", "Resource", t.Pos, "leave it out, or add the action that was meant", "%q is %s, and no action here acts on one", t.Value, noun)
	}
}

// resources finds S3 resources that cannot exist.
func (l *linter) resources() {
	for _, t := range l.st.Resources.List {
		parts := strings.SplitN(t.Value, ":", 6)
		if len(parts) < 6 || parts[2] != "s3" {
			continue
		}
		bucket, key, slash := strings.Cut(parts[5], "/")
		name := element("Resource", l.st.Resources.Not)
		switch {
		case (parts[3] != "" || parts[4] != "") && !strings.Contains(parts[5], "/") && !strings.ContainsAny(parts[3]+parts[4], "*?"):
			l.warn("resource", name, t.Pos, strconv.Quote("arn:"+parts[1]+":s3:::"+parts[5]), "the ARN of a bucket has neither region nor account, so %q matches nothing", t.Value)
		case slash && key == "" && bucket != "":
			l.warn("resource", name, t.Pos, strconv.Quote(t.Value+"*"), "no object has an empty key, so %q matches nothing", t.Value)
		case bucket == "" && slash:
			l.warn("resource", name, t.Pos, `"arn:aws:s3:::BUCKET/KEY"`, "%q names no bucket and matches nothing", t.Value)
		}
	}
	if l.st.Resources.Not && slices.ContainsFunc(l.st.Resources.List, func(t Text) bool { return t.Value == "*" }) {
		l.warn("never-applies", "NotResource", l.st.Resources.Pos, "Resource, or the resources to leave out", "NotResource leaves out every resource, %s", l.never())
	}
}

// breadth finds statements that are wider than their length suggests.
func (l *linter) breadth() {
	st := l.st
	narrows := l.doc.Kind == Session || l.doc.Kind == Boundary || l.doc.Kind == ServiceControl
	if st.Effect == Allow && st.Actions.Not && !narrows {
		l.warn("broad-allow", "NotAction", st.Actions.Pos, "list the actions, or Deny those that were meant", "Allow with NotAction allows every other action of every service")
	}
	if st.Effect == Allow && st.Resources.Not && !narrows {
		l.warn("broad-allow", "NotResource", st.Resources.Pos, "list the resources, or Deny those that were meant", "Allow with NotResource allows every other resource")
	}
	if st.Effect == Deny && st.Principals.Not {
		l.warn("not-principal", "NotPrincipal", st.Principals.Pos, `Principal "*" with a condition on aws:PrincipalArn, such as ArnNotEquals`,
			"Deny with NotPrincipal also denies whom it lists if their account or session is not listed too, or if they have a permissions boundary")
	}
}
