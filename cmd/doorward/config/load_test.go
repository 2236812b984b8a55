package config

import (
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestEverySettingIsNamedOnce compares the tables with the fields, so that a new field
// gets its variable and its flag.
func TestEverySettingIsNamedOnce(t *testing.T) {
	named(t, Settings)
	named(t, SidecarSettings)
}

func named[C any](t *testing.T, settings []Setting[C]) {
	t.Helper()
	var fields, names []string
	collect(reflect.TypeFor[C](), "", &fields)
	for _, s := range settings {
		names = append(names, s.Name)
	}
	if got, want := strings.Join(names, " "), strings.Join(fields, " "); got != want {
		t.Errorf("settings\n%s\nfields\n%s", got, want)
	}
}

func collect(of reflect.Type, prefix string, names *[]string) {
	for i := range of.NumField() {
		field := of.Field(i)
		name := prefix + field.Tag.Get("yaml")
		if field.Type.Kind() == reflect.Struct {
			collect(field.Type, name+".", names)
			continue
		}
		*names = append(*names, name)
	}
}

// TestEachSettingReachesItsOwnField sets each setting alone and looks for it in the
// YAML that the result prints as.
func TestEachSettingReachesItsOwnField(t *testing.T) {
	reaches(t, Settings, Default())
	reaches(t, SidecarSettings, DefaultSidecar())
}

func reaches[C any](t *testing.T, settings []Setting[C], defaults C) {
	t.Helper()
	for _, s := range settings {
		text := "true" // fits a string, a list and a bool alike
		if _, number := s.field(&defaults).(*int); number {
			text = "7"
		}
		in, again := defaults, defaults
		origin, err := load(settings, &in, "", func(name string) string {
			if name == s.Variable() {
				return text
			}
			return ""
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Value(&in); got != text || origin[s.Name] != s.Variable() {
			t.Errorf("%s is %q from %s, want %q from %s", s.Name, got, origin[s.Name], text, s.Variable())
		}
		printed, err := yaml.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if err := parse(settings, &again, origin, printed, "printed"); err != nil {
			t.Fatal(err)
		}
		if got := s.Value(&again); got != text {
			t.Errorf("%s is %q after a round trip, want %q", s.Name, got, text)
		}
	}
}

func TestSidecarSettingsThatCannotWorkAreRefusedByName(t *testing.T) {
	good := func(change func(*Sidecar)) *Sidecar {
		s := DefaultSidecar()
		s.Nodes = []string{"store-1:8471"}
		change(&s)
		s.Complete("host")
		return &s
	}
	for _, row := range []struct {
		name   string
		change func(*Sidecar)
		want   string
	}{
		{"the defaults with a node are fine", func(*Sidecar) {}, ""},
		{"no node", func(s *Sidecar) { s.Nodes = nil }, "nodes is empty"},
		{"a node without a port", func(s *Sidecar) { s.Nodes = []string{"store-1"} }, `nodes has "store-1"`},
		{"no certificates to another machine", func(s *Sidecar) { s.Plain = true }, "plain is set"},
		{"a certificate without its key", func(s *Sidecar) { s.Certificate = "c" }, "some of certificate"},
		{"no door at all", func(s *Sidecar) { s.Socket, s.Gateway, s.HTTP = "", "", "" }, "nobody could ask"},
		{"HTTP for everybody", func(s *Sidecar) { s.HTTP = ":8475" }, `http is ":8475"`},
		{"an unknown proxy", func(s *Sidecar) { s.Proxy = "squid" }, `proxy is "squid"`},
		{"a proxy without HTTP", func(s *Sidecar) { s.HTTP, s.Proxy = "", "nginx" }, "http is empty"},
		{"two snapshot keys", func(s *Sidecar) { s.SnapshotKey = SnapshotKey{File: "f", Credential: "c"} }, "snapshot_key"},
		{"a snapshot key that is not wanted", func(s *Sidecar) { s.SnapshotKey = SnapshotKey{File: "f", None: true} }, "snapshot_key"},
		{"no allow ever written", func(s *Sidecar) { s.Allows = 0 }, "decision_log_allows"},
		{"an unknown level", func(s *Sidecar) { s.LogLevel = "loud" }, "log_level"},
	} {
		err := good(row.change).Validate()
		if (row.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("data: node\nroot_key:\n  file: root.key\n")
	f.Add("peer: {listen: ':8471', known: [a, b]}")
	f.Add("data: [")
	f.Fuzz(func(t *testing.T, text string) {
		l := &Loaded{Server: Default(), Origin: map[string]string{}}
		if err := parse(Settings, &l.Server, l.Origin, []byte(text), "fuzz"); err != nil {
			return
		}
		_ = l.Validate()
		for name := range l.Origin {
			if !isSetting(name) {
				t.Errorf("%q set %q, which is no setting", text, name)
			}
		}
	})
}

func isSetting(name string) bool {
	for _, s := range Settings {
		if s.Name == name {
			return true
		}
	}
	return false
}
