package api

import (
	"encoding/base64"
	"encoding/csv"
	"strings"
	"testing"
)

func TestCredentialReportIsATableWhateverNamesHold(t *testing.T) {
	w := newWorld(t)
	w.user("a,b=c@d")
	content, err := base64.StdEncoding.DecodeString(w.must(w.root, "GetCredentialReport").text("Content"))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(strings.NewReader(string(content))).ReadAll() // refuses lines of other lengths
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 3 || lines[0][0] != "user" || lines[1][0] != "<root_account>" || lines[2][0] != "a,b=c@d" || lines[2][8] != "true" {
		t.Errorf("report:\n%s", content)
	}
}
