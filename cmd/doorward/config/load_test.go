package config

import (
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestEverySettingIsNamedOnce compares the table with the fields of Server, so that a
// new field gets its variable and its flag.
func TestEverySettingIsNamedOnce(t *testing.T) {
	var fields []string
	collect(reflect.TypeFor[Server](), "", &fields)
	var named []string
	for _, s := range Settings {
		named = append(named, s.Name)
	}
	if got, want := strings.Join(named, " "), strings.Join(fields, " "); got != want {
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
	for _, s := range Settings {
		text := "true" // fits a string, a list and a bool alike
		l, err := Load("", func(name string) string {
			if name == s.Variable() {
				return text
			}
			return ""
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Value(&l.Server); got != text || l.Origin[s.Name] != s.Variable() {
			t.Errorf("%s is %q from %s, want %q from %s", s.Name, got, l.Origin[s.Name], text, s.Variable())
		}
		printed, err := yaml.Marshal(l.Server)
		if err != nil {
			t.Fatal(err)
		}
		again := &Loaded{Server: Default(), Origin: map[string]string{}}
		if err := again.parse(printed, "printed"); err != nil {
			t.Fatal(err)
		}
		if got := s.Value(&again.Server); got != text {
			t.Errorf("%s is %q after a round trip, want %q", s.Name, got, text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("data: node\nroot_key:\n  file: root.key\n")
	f.Add("peer: {listen: ':8471', known: [a, b]}")
	f.Add("data: [")
	f.Fuzz(func(t *testing.T, text string) {
		l := &Loaded{Server: Default(), Origin: map[string]string{}}
		if err := l.parse([]byte(text), "fuzz"); err != nil {
			return
		}
		_ = l.Validate()
		for name := range l.Origin {
			if !named(name) {
				t.Errorf("%q set %q, which is no setting", text, name)
			}
		}
	})
}

func named(name string) bool {
	for _, s := range Settings {
		if s.Name == name {
			return true
		}
	}
	return false
}
