package enrol

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func newText(t testing.TB) (Token, string) {
	t.Helper()
	token := NewToken(strings.Repeat("ab", 32))
	text, err := token.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	return token, text
}

func TestTokensSurviveTheirText(t *testing.T) {
	token, text := newText(t)
	if got, err := ParseToken(" " + text + "\n"); err != nil || got != token {
		t.Errorf("%v, %v", got, err)
	}
}

func TestTokensAreNotPrintedByAccident(t *testing.T) {
	token, text := newText(t)
	for _, printed := range []string{fmt.Sprint(token), fmt.Sprintf("%v %+v %#v", token, token, token), token.LogValue().String()} {
		if strings.Contains(printed, text[len(prefix)+20:][:20]) || strings.Contains(printed, fmt.Sprint(token.Secret[:4])) {
			t.Errorf("the secret shows: %s", printed)
		}
	}
}

func TestTextsThatAreNoTokens(t *testing.T) {
	_, text := newText(t)
	for name, bad := range map[string]string{
		"nothing":               "",
		"without the beginning": text[len(prefix):],
		"cut short":             text[:len(text)-1],
		"with more":             text + "A",
		"of another version":    prefix + "B" + text[len(prefix)+1:],
		"with another alphabet": prefix + "+" + text[len(prefix)+1:],
	} {
		if _, err := ParseToken(bad); err == nil {
			t.Errorf("%s: accepted", name)
		} else if len(bad) > 40 && strings.Contains(err.Error(), bad[len(prefix):][:16]) {
			t.Errorf("%s: the error repeats it: %v", name, err)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	_, text := newText(f)
	f.Add(text)
	f.Add(prefix)
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err != nil {
			return
		}
		again, err := token.Reveal()
		if err != nil || again != strings.TrimSpace(text) {
			t.Errorf("%q was read and is written %q, %v", text, again, err)
		}
	})
}

func FuzzQuestion(f *testing.F) {
	var b bytes.Buffer
	if err := writeMessage(&b, question{Token: "t", Secret: []byte("s"), Request: []byte("r")}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte("\xff\xff\xff\xff{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var q question
		if err := readMessage(bytes.NewReader(b), &q); err == nil && len(q.Request) > maxMessage {
			t.Error("a message beyond the limit")
		}
	})
}
