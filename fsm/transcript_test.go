package fsm

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/doorward/doorward/iam"
	"github.com/doorward/doorward/iam/wire"
)

var update = flag.Bool("update", false, "write the answers in testdata/*.txt anew; explain every difference")

// TestTranscripts runs testdata/*.txt: each line that begins with a letter is a
// command, and the indented lines after it are what it changed, or how it was
// refused. "@ T" sets the clock, "id N" the request id of the next command.
//
//	CreateUser User.Name=alice User.Tags=team=blue
//	    + user alice path=/ ...
//
// See set for how values are written; what is left out and needed gets a
// default, see complete.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			given, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got, commands := transcribe(t, string(given))
			if commands == 0 {
				t.Fatal("no command was run")
			}
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := gocmp.Diff(string(given), got); diff != "" {
				t.Errorf("(-file +run)\n%s", diff)
			}
		})
	}
}

// session is the state of a transcript that is being run.
type session struct {
	t       *testing.T
	machine *Machine
	index   iam.Index
	now     iam.Time
	request byte
	log     []Entry
}

func newSession(t *testing.T) *session {
	s := &session{t: t, machine: New(), now: 1_700_000_000_000}
	s.run(birth)
	return s
}

// birth initialises the store of every transcript.
var birth = iam.Initialize{
	ClusterID: "test", Epoch: 7, Account: iam.FirstAccount,
	RootKey: iam.AccessKey{ID: "AKIAROOT", Secret: iam.Sealed("sealed")},
	Policies: []iam.Policy{{
		Account: iam.FirstAccount, Name: "readonly", Path: "/", ID: "ANPAREADONLY",
		Versions: []iam.PolicyVersion{{Number: 1, Document: "{read}"}},
	}},
}

func transcribe(t *testing.T, text string) (answered string, commands int) {
	s := newSession(t)
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "    "):
			continue // an earlier answer
		case strings.HasPrefix(line, "@ "):
			s.now = iam.Time(s.number(line[2:]))
		case strings.HasPrefix(line, "id "):
			s.request = byte(s.number(line[3:]))
		}
		out.WriteString(line + "\n")
		if line != "" && line[0] >= 'A' && line[0] <= 'Z' {
			commands++
			for _, answer := range s.answer(s.run(s.parse(line))) {
				out.WriteString("    " + answer + "\n")
			}
		}
	}
	return out.String(), commands
}

func (s *session) run(c iam.Command) Applied {
	s.t.Helper()
	e := iam.Envelope{Command: c, Actor: "arn:aws:iam::000000000000:root", Time: s.now}
	e.Request[0], s.request = s.request, 0
	s.index++
	b, err := wire.AppendEntry(nil, e)
	if err != nil {
		s.t.Fatal(err)
	}
	entry := Entry{s.index, [][]byte{b}}
	s.log = append(s.log, entry)
	applied, err := s.machine.Apply([]Entry{entry})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(applied[0].Alarms) > 0 {
		s.t.Fatal(applied[0].Alarms)
	}
	return applied[0]
}

func (s *session) answer(a Applied) []string {
	var lines []string
	r := a.Results[0]
	if r.Err != nil {
		lines = append(lines, "refused "+r.Err.Error())
	}
	if r.Index != a.Index {
		lines = append(lines, fmt.Sprintf("as at index %d", r.Index))
	}
	if r.Count > 0 {
		lines = append(lines, fmt.Sprintf("count %d", r.Count))
	}
	for _, c := range a.Changes {
		lines = append(lines, describe(c))
	}
	if len(lines) == 0 {
		lines = append(lines, "no change")
	}
	return lines
}

var tableNames = map[iam.Table]string{
	iam.TableUsers: "user", iam.TableGroups: "group", iam.TableRoles: "role", iam.TablePolicies: "policy",
	iam.TableAccessKeys: "access key", iam.TableServiceAccounts: "service account", iam.TableSessions: "session",
	iam.TableBuckets: "bucket", iam.TableSettings: "settings", iam.TableStore: "store", iam.TableProviders: "provider",
	iam.TableEnrolments: "enrolment", iam.TableAuthorities: "authority", iam.TableLevels: "level",
}

// describe prints a change: "+ user {…}" with the fields that are not zero, or
// "- user alice".
func describe(c iam.Change) string {
	if d := c.Delete; d != nil {
		return "- " + tableNames[d.Table] + " " + d.Name
	}
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsNil() {
			name := v.Type().Field(i).Name
			return "+ " + name + " " + print(f.Elem())
		}
	}
	return "?"
}

func print(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case iam.Ref:
		return strings.ReplaceAll(x.Kind.String(), " ", "-") + ":" + x.Name
	case iam.Sealed:
		return string(x)
	case []byte:
		return string(x)
	case iam.Tag:
		return x.Key + "=" + x.Value
	case iam.Status:
		return x.String()
	}
	switch v.Kind() {
	case reflect.Struct:
		var fields []string
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() && v.Type().Field(i).Name != "Account" {
				fields = append(fields, v.Type().Field(i).Name+":"+print(f))
			}
		}
		return "{" + strings.Join(fields, " ") + "}"
	case reflect.Slice:
		var items []string
		for i := range v.Len() {
			items = append(items, print(v.Index(i)))
		}
		return "[" + strings.Join(items, " ") + "]"
	case reflect.Pointer:
		return print(v.Elem())
	}
	return strings.ReplaceAll(fmt.Sprint(v.Interface()), "arn:aws:iam::000000000000:", "")
}

// parse reads a command: its name, then field=value pairs, in single quotes where
// they hold spaces.
func (s *session) parse(line string) iam.Command {
	words := splitWords(line)
	for _, known := range commands {
		if known.Name() != words[0] {
			continue
		}
		v := reflect.New(known).Elem()
		for _, word := range words[1:] {
			path, value, _ := strings.Cut(word, "=")
			s.set(field(v, path), value)
		}
		complete(v)
		return v.Interface().(iam.Command)
	}
	s.t.Fatalf("no command is called %s", words[0])
	return nil
}

func splitWords(line string) []string {
	quoted := false
	return strings.FieldsFunc(strings.Map(func(r rune) rune {
		switch {
		case r == '\'':
			quoted = !quoted
			return -1
		case r == ' ' && quoted:
			return '\u00a0'
		}
		return r
	}, line), func(r rune) bool { return r == ' ' })
}

func field(v reflect.Value, path string) reflect.Value {
	for name := range strings.SplitSeq(path, ".") {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.FieldByName(name)
	}
	return v
}

// set reads a value. A reference is kind:name, an ARN may be short (policy/p), a
// list is separated by commas, a tag is key=value, "x*N" is N times x.
func (s *session) set(v reflect.Value, value string) {
	value = strings.ReplaceAll(value, "\u00a0", " ")
	switch v.Interface().(type) {
	case iam.Ref:
		v.Set(reflect.ValueOf(parseRef(value)))
		return
	case iam.ARN:
		if value != "" && !strings.HasPrefix(value, "arn:") {
			value = "arn:aws:iam::000000000000:" + value
		}
	case iam.Sealed, []byte:
		if text, times, ok := strings.Cut(value, "*"); ok {
			value = strings.Repeat(text, int(s.number(times)))
		}
		v.SetBytes([]byte(value))
		return
	case iam.Status:
		v.SetUint(map[string]uint64{"Active": 1, "Inactive": 2}[value])
		return
	case iam.Tag:
		key, value, _ := strings.Cut(value, "=")
		v.Set(reflect.ValueOf(iam.Tag{Key: key, Value: value}))
		return
	case iam.PolicyVersion:
		s.setKind(v.FieldByName("Document"), value)
		return
	case *iam.POSIX:
		uid, gid, _ := strings.Cut(value, ":")
		v.Set(reflect.ValueOf(&iam.POSIX{UID: uint32(s.number(uid)), GID: uint32(s.number(gid))}))
		return
	case iam.Resealed:
		part := strings.Split(value, "/")
		v.Set(reflect.ValueOf(iam.Resealed{Table: iam.Table(s.number(part[0])), Name: part[1], Was: iam.Sealed(part[2]), Now: iam.Sealed(part[3])}))
		return
	case iam.Use:
		id, at, _ := strings.Cut(value, "@")
		v.Set(reflect.ValueOf(iam.Use{Key: iam.AccessKeyID(id), Time: iam.Time(s.number(at))}))
		return
	}
	s.setKind(v, value)
}

func (s *session) setKind(v reflect.Value, value string) {
	switch v.Kind() {
	case reflect.String:
		if text, times, ok := strings.Cut(value, "*"); ok {
			value = strings.Repeat(text, int(s.number(times)))
		}
		v.SetString(value)
	case reflect.Bool:
		v.SetBool(value == "true")
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(s.number(value)))
	case reflect.Int64:
		v.SetInt(s.number(value))
	case reflect.Slice:
		for item := range strings.SplitSeq(value, ",") {
			v.Set(reflect.Append(v, reflect.New(v.Type().Elem()).Elem()))
			s.set(v.Index(v.Len()-1), item)
		}
	default:
		s.t.Fatalf("cannot read a %v", v.Type())
	}
}

func (s *session) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func parseRef(text string) iam.Ref {
	word, name, _ := strings.Cut(text, ":")
	for k := iam.KindRoot; k <= iam.KindProvider; k++ {
		if strings.ReplaceAll(k.String(), " ", "-") == word {
			return iam.Ref{Account: iam.FirstAccount, Kind: k, Name: name}
		}
	}
	return iam.Ref{Account: iam.FirstAccount, Name: text}
}

// complete fills in what transcripts leave out: the account, paths, unique ids,
// sealed secrets.
func complete(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *iam.CreateProvider:
		x.Provider.Account = iam.FirstAccount
	case *iam.SetAccountAlias:
		x.Account = iam.FirstAccount
	case *iam.CreateUser:
		completeEntity(&x.User.Account, &x.User.Path, &x.User.ID, "AIDA", x.User.Name)
		if x.Password != nil {
			completeKey(x.Password)
		}
	case *iam.CreateGroup:
		completeEntity(&x.Group.Account, &x.Group.Path, &x.Group.ID, "AGPA", x.Group.Name)
	case *iam.CreateRole:
		completeEntity(&x.Role.Account, &x.Role.Path, &x.Role.ID, "AROA", x.Role.Name)
		x.Role.Trust = cmp.Or(x.Role.Trust, "{trust}")
	case *iam.CreatePolicy:
		completeEntity(&x.Policy.Account, &x.Policy.Path, &x.Policy.ID, "ANPA", x.Policy.Name)
	case *iam.CreateAccessKey:
		completeKey(&x.Key)
	case *iam.CreateServiceAccount:
		x.ServiceAccount.Account = cmp.Or(x.ServiceAccount.Account, iam.FirstAccount)
		completeKey(&x.Key)
	case *iam.CreateSession:
		if x.Session.Secret == nil {
			x.Session.Secret = iam.Sealed("sealed")
		}
		if x.Session.Parent.Kind == iam.KindRoot {
			x.Session.ParentID = cmp.Or(x.Session.ParentID, iam.UniqueID(iam.FirstAccount))
		}
	case *iam.PutAuthority:
		if x.Authority.Key == nil {
			x.Authority.Key = iam.Sealed("sealed")
		}
		x.Authority.Certificate = cmp.Or(x.Authority.Certificate, "{certificate}")
	case *iam.StageAuthority:
		if x.Authority.Key == nil {
			x.Authority.Key = iam.Sealed("sealed")
		}
		x.Authority.Certificate = cmp.Or(x.Authority.Certificate, "{certificate}")
	case *iam.PutBucket:
		x.Bucket.Account = cmp.Or(x.Bucket.Account, iam.FirstAccount)
	}
}

func completeEntity(account *iam.AccountID, path *string, id *iam.UniqueID, prefix iam.UniqueID, name string) {
	*account = cmp.Or(*account, iam.FirstAccount)
	*path = cmp.Or(*path, "/")
	*id = cmp.Or(*id, prefix+iam.UniqueID(name))
}

func completeKey(k *iam.AccessKey) {
	if k.Secret == nil {
		k.Secret = iam.Sealed("sealed")
	}
}

var commands = []reflect.Type{
	reflect.TypeFor[iam.Initialize](), reflect.TypeFor[iam.CreateUser](), reflect.TypeFor[iam.UpdateUser](),
	reflect.TypeFor[iam.DeleteUser](), reflect.TypeFor[iam.CreateGroup](), reflect.TypeFor[iam.UpdateGroup](),
	reflect.TypeFor[iam.DeleteGroup](), reflect.TypeFor[iam.AddUserToGroup](), reflect.TypeFor[iam.RemoveUserFromGroup](),
	reflect.TypeFor[iam.CreateRole](), reflect.TypeFor[iam.UpdateRole](), reflect.TypeFor[iam.DeleteRole](),
	reflect.TypeFor[iam.CreatePolicy](), reflect.TypeFor[iam.DeletePolicy](), reflect.TypeFor[iam.CreatePolicyVersion](),
	reflect.TypeFor[iam.DeletePolicyVersion](), reflect.TypeFor[iam.SetDefaultPolicyVersion](), reflect.TypeFor[iam.AttachPolicy](),
	reflect.TypeFor[iam.DetachPolicy](), reflect.TypeFor[iam.PutInlinePolicy](), reflect.TypeFor[iam.DeleteInlinePolicy](),
	reflect.TypeFor[iam.SetBoundary](), reflect.TypeFor[iam.SetTags](), reflect.TypeFor[iam.CreateAccessKey](),
	reflect.TypeFor[iam.UpdateAccessKey](), reflect.TypeFor[iam.DeleteAccessKey](), reflect.TypeFor[iam.RecordLastUsed](),
	reflect.TypeFor[iam.CreateServiceAccount](), reflect.TypeFor[iam.UpdateServiceAccount](), reflect.TypeFor[iam.DeleteServiceAccount](),
	reflect.TypeFor[iam.CreateSession](), reflect.TypeFor[iam.RevokeSessions](), reflect.TypeFor[iam.ExpireSessions](),
	reflect.TypeFor[iam.PutBucket](), reflect.TypeFor[iam.DeleteBucket](), reflect.TypeFor[iam.PutSettings](),
	reflect.TypeFor[iam.CreateProvider](), reflect.TypeFor[iam.UpdateProvider](), reflect.TypeFor[iam.DeleteProvider](),
	reflect.TypeFor[iam.SetAccountAlias](),
	reflect.TypeFor[iam.PutAuthority](), reflect.TypeFor[iam.DeleteAuthority](), reflect.TypeFor[iam.CreateEnrolment](),
	reflect.TypeFor[iam.TakeEnrolment](), reflect.TypeFor[iam.DeleteEnrolment](), reflect.TypeFor[iam.RaiseLevel](),
	reflect.TypeFor[iam.Reseal](), reflect.TypeFor[iam.PutGossip](), reflect.TypeFor[iam.StageAuthority](),
	reflect.TypeFor[iam.UseAuthority](),
}

// TestEveryCommandIsInATranscript keeps the transcripts complete.
func TestEveryCommandIsInATranscript(t *testing.T) {
	all, files := "", 0
	for _, path := range transcripts(t) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all, files = all+"\n"+string(b), files+1
	}
	for _, c := range commands {
		if !strings.Contains(all, "\n"+c.Name()+" ") {
			t.Errorf("%s is in none of %d transcripts", c.Name(), files)
		}
	}
}

func transcripts(t *testing.T) []string {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	return files
}

func snapshotBytes(t testing.TB, m *Machine) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := m.Snapshot().Write(&b, 1); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
