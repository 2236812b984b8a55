package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doorward/doorward/authz/sigv4"
	"github.com/doorward/doorward/cmd/doorward/client"
	"github.com/doorward/doorward/iam"
)

// The exit codes of every command.
const (
	exitOK          = 0
	exitLocal       = 1 // wrong usage, or something on this machine failed
	exitRefused     = 2 // the store refused
	exitUnavailable = 3 // the store did not answer in time, or cannot serve
)

// hintedError is an error with what to do about it.
type hintedError struct {
	error
	hint string
}

func (e *hintedError) Unwrap() error { return e.error }

// withHint says what to do about err, in one sentence.
func withHint(err error, format string, args ...any) error {
	return &hintedError{err, fmt.Sprintf(format, args...)}
}

// report prints the error with which cmd ended and what to do next, and returns the
// exit code.
func (a *app) report(cmd *cobra.Command, err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(a.Err, "doorward: %v\n", err)
	if hint := a.hintFor(cmd, err); hint != "" {
		fmt.Fprintf(a.Err, "  %s\n", hint)
	}
	return exitCode(err)
}

// exitStatus is the end of a command that another program's end decides; nothing
// is printed for it.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func exitCode(err error) int {
	if unavailable, ok := errors.AsType[*client.Unavailable](err); ok && unavailable != nil {
		return exitUnavailable
	}
	if refused, ok := errors.AsType[*client.Error](err); ok && refused != nil {
		return exitRefused
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return exitUnavailable
	}
	return exitLocal
}

// hintFor returns the next step for an error of cmd: the one that the command knows,
// or the usual one for its class.
func (a *app) hintFor(cmd *cobra.Command, err error) string {
	if hinted, ok := errors.AsType[*hintedError](err); ok {
		return hinted.hint
	}
	if errors.Is(err, client.ErrNoCredentials) {
		return "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile."
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return ""
	}
	if refused, ok := errors.AsType[*client.Error](err); ok {
		if group := cmd.Parent(); group != nil && group.Annotations[string(refused.Code)] != "" {
			return group.Annotations[string(refused.Code)]
		}
		switch refused.Code {
		case iam.NoSuchEntity:
			return missing(cmd, refused.Message)
		case iam.EntityAlreadyExists:
			return existing(cmd)
		}
		return a.hintForCode(refused.Code)
	}
	if _, ok := errors.AsType[*client.Unavailable](err); ok {
		return "Is the store running, and is this its address? Start one with `doorward dev`, or name another with --endpoint or DOORWARD_ENDPOINT."
	}
	return ""
}

// missing says where to see what there is, instead of what a refusal says is not.
func missing(cmd *cobra.Command, refusal string) string {
	switch {
	case cmd.Name() == "detach":
		return fmt.Sprintf("See what is attached with `%s show %s`.", cmd.Parent().CommandPath(), cmd.Flags().Arg(0))
	case cmd.Name() == "explain":
		return "See who there is with `doorward user list` and `doorward role list`."
	}
	for _, kind := range []string{"user", "group", "role"} {
		if strings.HasPrefix(refusal, "The "+kind+" with name ") {
			return fmt.Sprintf("See what there is with `doorward %s list`.", kind)
		}
	}
	return listing(cmd)
}

// existing says how to see what has the name already, if a command beside cmd shows it.
func existing(cmd *cobra.Command) string {
	if cmd.Parent() != nil && cmd.Flags().NArg() > 0 {
		for _, sibling := range cmd.Parent().Commands() {
			if sibling.Name() == "show" {
				return fmt.Sprintf("Choose another name, or see what has this one with `%s %s`.", sibling.CommandPath(), cmd.Flags().Arg(0))
			}
		}
	}
	return ""
}

// listing says which command beside cmd shows what there is, if there is one.
func listing(cmd *cobra.Command) string {
	if cmd.Parent() != nil {
		for _, sibling := range cmd.Parent().Commands() {
			if sibling.Name() == "list" && sibling != cmd {
				return fmt.Sprintf("See what there is with `%s`.", sibling.UseLine())
			}
		}
	}
	return ""
}

func (a *app) hintForCode(code iam.Code) string {
	switch code {
	case iam.InvalidClientTokenID:
		return fmt.Sprintf("This store does not know the access key %s, or it is inactive. Check --endpoint, and AWS_ACCESS_KEY_ID or --profile.", a.signer)
	case iam.SignatureDoesNotMatch:
		return fmt.Sprintf("The secret does not belong to access key %s. Check AWS_SECRET_ACCESS_KEY or the profile.", a.signer)
	case iam.ExpiredToken:
		return "The session has ended. Get a new one with `doorward sts assume-role`, or unset AWS_SESSION_TOKEN and use long-term keys."
	case sigv4.RequestTimeTooSkewed:
		return "The clocks of this machine and of the store differ by more than 15 minutes. Set them right."
	case iam.AccessDenied:
		return "Ask an administrator for this permission, or sign with other credentials (--profile)."
	case iam.MalformedPolicyDocument:
		return "See all that is wrong with a document with `doorward policy lint FILE`."
	case iam.LimitExceeded:
		return "Remove what is no longer needed. `doorward settings show` shows the limits that an administrator can change."
	case iam.MissingAuthenticationToken:
		return "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile."
	}
	return ""
}
