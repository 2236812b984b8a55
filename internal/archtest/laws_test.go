package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/doorward/doorward"

// floors is the lattice, lowest first. A package may import packages of its own
// line's subtree (see sameRoom), and of lines below. Rooms on one line are
// neighbours: they never import one another.
var floors = [][]string{
	{"iam"},
	{"internal/seal", "internal/token", "internal/lockout", "authz/form", "authz/head"},
	{"iam/state", "iam/wire", "authz/policy", "authz/sigv4", "authz/s3", "sidecar/protocol"},
	{"authz", "fsm", "raft", "sidecar/client"},
	{"api", "cluster", "sidecar"},
	{"embed"},
	{"cmd"},
}

// sideways are the imports between neighbours that the map allows, each with its
// reason.
var sideways = map[string]string{
	"iam/wire -> iam/state": "a snapshot is written from a view and read into one",
}

// quiet rooms replay alike on every replica and decide alike on every host: they
// start no goroutine, read no clock, roll no dice, do no I/O and write no log.
var quiet = []string{"iam", "authz", "fsm", "sidecar/protocol"}

// banned imports of the quiet rooms, each with the reason.
var banned = map[string]string{
	"math/rand":    "randomness arrives as an argument",
	"math/rand/v2": "randomness arrives as an argument",
	"crypto/rand":  "randomness arrives as an argument",
	"os":           "no files, no environment",
	"os/exec":      "no processes",
	"net":          "no sockets",
	"log":          "no logs",
	"log/slog":     "no logs; implement slog.LogValuer in the package of the caller",
	"testing":      "production code only",
	"unsafe":       "the decision is not worth a memory bug",
}

// allowedBanned are exceptions to banned, each with its reason.
var allowedBanned = map[string]string{
	"authz/sigv4: log/slog": "secrets redact themselves by implementing slog.LogValuer",
	"authz: unsafe":         "scratch.go reads its own buffer as a string, as strings.Builder does, for variables without allocation",
}

// onlyIn names dependencies that one room alone may import.
var onlyIn = map[string]string{
	"github.com/hashicorp/raft":           "raft",
	"github.com/hashicorp/raft-boltdb/v2": "raft",
	"go.etcd.io/bbolt":                    "raft",
	"github.com/hashicorp/memberlist":     "cluster",
	"github.com/spf13/cobra":              "cmd",
	"github.com/go-ldap/ldap/v3":          "api",
}

// standardOnly rooms are public promises or the ground floor: nothing outside
// the standard library and, for those named with it, package iam.
var standardOnly = []string{"iam", "sidecar/protocol", "sidecar/client"}

// clock are the functions of package time that read or wait for a clock.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}

type file struct {
	room    string // package folder relative to the module, "" for the root
	path    string
	syntax  *ast.File
	imports []string
}

func TestImportsGoDownOnly(t *testing.T) {
	for _, f := range sources(t) {
		from := floorOf(f.room)
		for _, imp := range f.imports {
			target, ours := strings.CutPrefix(imp, module+"/")
			if !ours || sameRoom(f.room, target) {
				continue
			}
			to := floorOf(target)
			switch {
			case from == -1 || to == -1:
				t.Errorf("%s: imports %s, but one of the two rooms is not on the map in laws_test.go", f.path, target)
			case to > from:
				t.Errorf("%s: imports %s, which lies above", f.path, target)
			case to == from && sideways[roomOf(f.room)+" -> "+roomOf(target)] == "":
				t.Errorf("%s: imports its neighbour %s", f.path, target)
			}
		}
	}
}

func TestQuietRoomsAreQuiet(t *testing.T) {
	seen := 0
	for _, f := range sources(t) {
		if !slices.ContainsFunc(quiet, func(q string) bool { return within(f.room, q) }) {
			continue
		}
		seen++
		for _, imp := range f.imports {
			if why, bad := banned[imp]; bad && allowedBanned[f.room+": "+imp] == "" {
				t.Errorf("%s: imports %s: %s", f.path, imp, why)
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: starts a goroutine", f.path)
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "time" && slices.Contains(clock, n.Sel.Name) {
					t.Errorf("%s: reads the clock with time.%s", f.path, n.Sel.Name)
				}
			}
			return true
		})
	}
	if seen == 0 {
		t.Fatal("no file of a quiet room was read")
	}
}

func TestHeavyDependenciesStayInTheirRoom(t *testing.T) {
	for _, f := range sources(t) {
		for _, imp := range f.imports {
			for dep, room := range onlyIn {
				if within(imp, dep) && !within(f.room, room) {
					t.Errorf("%s: imports %s, which only %s may", f.path, imp, room)
				}
			}
		}
	}
}

func TestPublicPromisesUseTheStandardLibraryOnly(t *testing.T) {
	for _, f := range sources(t) {
		if !slices.Contains(standardOnly, f.room) {
			continue
		}
		for _, imp := range f.imports {
			first, _, _ := strings.Cut(imp, "/")
			if strings.Contains(first, ".") && imp != module+"/iam" && imp != module+"/sidecar/protocol" {
				t.Errorf("%s: imports %s", f.path, imp)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	charters := map[string]bool{}
	for _, f := range sources(t) {
		if f.syntax.Doc != nil {
			text := f.syntax.Doc.Text()
			if strings.HasPrefix(text, "Package "+f.syntax.Name.Name+" ") || strings.HasPrefix(text, "Command ") {
				charters[f.room] = true
			}
		}
		if _, ok := charters[f.room]; !ok {
			charters[f.room] = false
		}
	}
	for room, has := range charters {
		if !has {
			t.Errorf("package %s has no comment that opens with its charter", room)
		}
	}
}

// sources parses every non-test Go file of the root module.
func sources(t *testing.T) []file {
	t.Helper()
	root := filepath.Join("..", "..")
	var files []file
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(root, path, d.Name())
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		room, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		f := file{room: filepath.ToSlash(room), path: path, syntax: syntax}
		for _, spec := range syntax.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, imp)
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no source file was read")
	}
	return files
}

// skip leaves out hidden folders, test data and nested modules.
func skip(root, path, name string) error {
	if path == root {
		return nil
	}
	if strings.HasPrefix(name, ".") || name == "testdata" {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// roomOf returns the room on the map that holds the package, the deepest one.
func roomOf(pkg string) string {
	best := ""
	for _, floor := range floors {
		for _, room := range floor {
			if within(pkg, room) && len(room) > len(best) {
				best = room
			}
		}
	}
	return best
}

// floorOf returns how high the package's room lies, -1 if it is not on the map.
func floorOf(pkg string) int {
	room := roomOf(pkg)
	return slices.IndexFunc(floors, func(floor []string) bool { return slices.Contains(floor, room) })
}

func sameRoom(a, b string) bool { return roomOf(a) == roomOf(b) }

func within(pkg, room string) bool { return pkg == room || strings.HasPrefix(pkg, room+"/") }
