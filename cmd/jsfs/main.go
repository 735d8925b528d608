package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitOK = 0
	// exitFailed: what was asked for could not be done, or not for all; something is damaged or lost.
	exitFailed = 1
	// exitUsage: the command line is wrong; `check` or `dump` could not look.
	exitUsage = 2
)

// exitError is an error with an exit code of its own, also where it is wrapped. A nil err prints nothing.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageError returns an error that says what is wrong with the command line.
func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

func main() {
	os.Exit(run(context.Background(), os.Args, os.Stdout, os.Stderr))
}

// run executes one command line, args[0] included, and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	argv := args[1:]
	if strings.HasPrefix(filepath.Base(args[0]), "mount.") {
		var err error
		if argv, err = helperArgs(argv); err != nil {
			_, _ = fmt.Fprintln(stderr, "jsfs:", err)
			return exitUsage
		}
	}
	cmd := rootCommand(stdout, stderr)
	cmd.SetArgs(argv)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code, say := exitFailed, err
	exit, ok := errors.AsType[*exitError](err)
	if _, _, unknown := cmd.Find(argv); !ok && unknown != nil {
		said, near, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
		if near = strings.TrimPrefix(strings.TrimSpace(near), "Did you mean this?"); near != "" {
			said += " (did you mean " + strings.Join(strings.Fields(near), " or ") + "?)"
		}
		say = usageError("%s; see `%s --help`", said, cmd.Name())
		exit, ok = errors.AsType[*exitError](say)
	}
	if ok {
		if code = exit.code; exit.err == nil {
			say = nil
		}
	}
	if say != nil {
		_, _ = fmt.Fprintln(stderr, "jsfs:", say)
	}
	return code
}

// rootCommand returns the command line's tree.
func rootCommand(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "jsfs",
		Short: "Message streams as a file system",
		Long: `jsfs mounts message streams as a file system: streams are directories, messages
are files named by sequence, writing a file appends a message, rm removes one and
tail -f follows.

The exit code is 0 if all was done; 1 if something could not be done, or is damaged
or lost; and 2 if the command line is wrong, or check or dump could not look.`,
		Version:       versionLine(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError("%w; see `%s --help`", err, c.CommandPath())
	})
	root.AddCommand(mountCommand(), umountCommand(), checkCommand(), rekeyCommand(), guardCommand(), backupCommand(), restoreCommand(), copyCommand(), rescueCommand(), dumpCommand(),
		exportCommand(), purgeCommand(), versionCommand())
	refuseUnknownHelp(root)
	return root
}

// refuseUnknownHelp makes `jsfs help NAME` say that there is no such command, as `jsfs NAME` does.
func refuseUnknownHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	help, _, err := root.Find([]string{"help"})
	if err != nil {
		panic(err)
	}
	help.Args = func(_ *cobra.Command, args []string) error {
		_, _, err := root.Find(args)
		if err == nil {
			return nil
		}
		said, _, _ := strings.Cut(err.Error(), "\n")
		return usageError("%s; see `%s --help`", said, root.Name())
	}
}

// exactArgs is cobra.ExactArgs with a sentence for who gave too few or too many.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		takes, got := "nothing", "nothing"
		if len(names) > 0 {
			takes = strings.Join(names, " and ")
		}
		if len(args) > 0 {
			got = strings.Join(args, " ")
		}
		return usageError("`%s` takes %s, and was given %s; see `%s --help`", c.CommandPath(), takes, got, c.CommandPath())
	}
}
