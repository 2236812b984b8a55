package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// maxSecret bounds a secret that is read from a file or a pipe, in bytes.
const maxSecret = 1024

// secretFlags are the ways to hand a secret to a command. Only one of them puts
// it on the command line.
type secretFlags struct {
	value string
	file  string
	cmd   *cobra.Command
}

const secretVariable = "DOORWARD_SECRET_KEY"

func (s *secretFlags) add(cmd *cobra.Command, whose string) {
	s.cmd = cmd
	flags := cmd.Flags()
	flags.StringVar(&s.value, "secret-key", "", whose+": - reads it from standard input, or asks on a terminal. A `SECRET` given here shows in the process list and the shell's history: prefer -, --secret-key-file or "+secretVariable)
	flags.StringVar(&s.file, "secret-key-file", "", "`FILE` that holds "+whose)
	cmd.MarkFlagsMutuallyExclusive("secret-key", "secret-key-file")
}

// given reports whether one of the ways was used.
func (s *secretFlags) given(a *app) bool {
	return s.cmd.Flags().Changed("secret-key") || s.file != "" || a.Getenv(secretVariable) != ""
}

// read returns the secret from wherever it was given. On a terminal it asks,
// twice if confirm is set.
func (s *secretFlags) read(ctx context.Context, a *app, prompt string, confirm bool) (string, error) {
	switch valued := s.cmd.Flags().Changed("secret-key"); {
	case valued && s.value == "":
		return "", withHint(errors.New("the secret key is empty"), "Was a variable unset? Say --secret-key - to be asked for it.")
	case valued && s.value != "-":
		return s.value, nil
	case s.file != "":
		return secretFile(s.file)
	case s.value == "" && a.Getenv(secretVariable) != "":
		return a.Getenv(secretVariable), nil
	case term.IsTerminal(int(a.In.Fd())):
		return a.ask(ctx, prompt, confirm)
	case s.value == "-":
		return secretFrom(a.In, "standard input")
	}
	return "", withHint(errors.New("no secret key given, and there is no terminal to ask on"),
		"Pipe it in with --secret-key -, or use --secret-key-file or %s.", secretVariable)
}

func secretFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	defer f.Close()
	return secretFrom(f, path)
}

// secretFrom reads a secret that is all of r, up to a line end.
func secretFrom(r io.Reader, name string) (string, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	secret := string(bytes.TrimRight(content, "\r\n"))
	if secret == "" || len(content) > maxSecret || strings.ContainsAny(secret, "\r\n") {
		return "", fmt.Errorf("secret from %s: want one line of 1 to %d bytes", name, maxSecret)
	}
	return secret, nil
}

// ask reads a secret from the terminal without showing it.
func (a *app) ask(ctx context.Context, prompt string, confirm bool) (string, error) {
	secret, err := a.askOnce(ctx, prompt)
	if err != nil || !confirm {
		return secret, err
	}
	again, err := a.askOnce(ctx, "Again: ")
	if err != nil {
		return "", err
	}
	if again != secret {
		return "", errors.New("the two entries differ; nothing was changed")
	}
	return secret, nil
}

// askOnce asks once. The terminal echoes again when it returns, also when ctx ends
// first; the goroutine then stays in its read until the process is gone.
func (a *app) askOnce(ctx context.Context, prompt string) (string, error) {
	terminal := int(a.In.Fd())
	before, err := term.GetState(terminal)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	type answer struct {
		secret []byte
		err    error
	}
	answers := make(chan answer, 1)
	fmt.Fprint(a.Err, prompt)
	go func() {
		secret, err := term.ReadPassword(terminal)
		answers <- answer{secret, err}
	}()
	var got answer
	select {
	case got = <-answers:
	case <-ctx.Done():
		term.Restore(terminal, before)
		got.err = errors.New("interrupted")
	}
	fmt.Fprintln(a.Err)
	if got.err != nil {
		return "", fmt.Errorf("read secret key: %w", got.err)
	}
	if len(got.secret) == 0 {
		return "", errors.New("no secret key entered; nothing was changed")
	}
	return string(got.secret), nil
}

// newSecret returns 40 random characters (240 bits) of the base64 alphabet, as
// AWS's own secret keys have, with upper, lower and digit among them.
func newSecret() string {
	for {
		var random [30]byte
		rand.Read(random[:])
		secret := base64.StdEncoding.EncodeToString(random[:])
		if strings.IndexFunc(secret, unicode.IsUpper) >= 0 && strings.IndexFunc(secret, unicode.IsLower) >= 0 && strings.IndexFunc(secret, unicode.IsDigit) >= 0 {
			return secret
		}
	}
}
