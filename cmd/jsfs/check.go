package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"jsfs/fusefs"
	"jsfs/store"
	"jsfs/store/blockstore"
)

func checkCommand() *cobra.Command {
	var asJSON, forget, forgetMissing bool
	var legacyKeys []string
	var key keyArgs
	c := &cobra.Command{
		Use:   "check SOURCE",
		Short: "Read a whole store and say what is damaged",
		Long: `Reads every byte of the store in the directory SOURCE and verifies it. It changes
nothing. The exit code is 0 if all is well, 1 if something is damaged, and 2 if the
store could not be read. Without the key of an encrypted store it compares the checksums,
which need no key, and says so.

Files of the first generation that were converted (STREAM/messages.jsonl.migrated) are
listed. With --forget-migrated, which does change the store's directory, each is removed
if every message of it is in the store or was removed from it; the exit code is 1 if one is not.

A stream whose directory is missing is damage, too. With --forget-missing, which changes the
store, such streams are forgotten: it is what to do once they can't be put back.`,
		Args: exactArgs("a SOURCE"),
		RunE: func(c *cobra.Command, args []string) error {
			if !forget && len(legacyKeys) > 0 {
				return usageError("--legacy-key-file is of use with --forget-migrated only")
			}
			return check(args[0], &key, asJSON, forgetting{forget, legacyKeys, forgetMissing}, c.OutOrStdout())
		},
	}
	key.add(c, "", "the store")
	c.Flags().BoolVar(&asJSON, "json", false, "report as JSON")
	c.Flags().BoolVar(&forget, "forget-migrated", false, "remove the files of the first generation that the store has all of")
	c.Flags().BoolVar(&forgetMissing, "forget-missing", false, "forget the streams whose directories are missing")
	c.Flags().StringArrayVar(&legacyKeys, "legacy-key-file", nil, "a key that their encrypted payloads need: a file of 32 bytes or 64 hex digits")
	return c
}

// check reads the store that arg names and reports to out.
func check(arg string, key *keyArgs, asJSON bool, forget forgetting, out io.Writer) error {
	src, err := parseSource(arg)
	if err == nil && src.dir == "" {
		err = fmt.Errorf("source %s: a memory store can't be checked; give a store's directory", arg)
	}
	if err == nil {
		if _, statErr := os.Stat(src.dir); statErr != nil {
			err = fmt.Errorf("source %s: there is no store: %w", arg, statErr)
		}
	}
	if err != nil {
		return &exitError{exitUsage, err}
	}
	secret, err := key.read("the store "+src.name, false, src.dir)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	defer secret.Wipe()
	forgotten, err := forget.doMissing(src, secret)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	report, err := blockstore.Check(src.dir, secret, countHeld)
	if err != nil {
		return &exitError{exitUsage, explainStore(src, err)}
	}
	report.Forgotten = forgotten
	if report.Migrated, err = forget.do(src, secret, report.Migrated); err != nil {
		return &exitError{exitUsage, err}
	}
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		err = enc.Encode(report)
	} else {
		err = printReport(out, report)
	}
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("write the report: %w", err)}
	}
	if len(report.Damage) > 0 {
		return &exitError{exitFailed, errDamaged}
	}
	if forget.on && slices.ContainsFunc(report.Migrated, func(m blockstore.MigratedFile) bool { return !m.Forgotten }) {
		return &exitError{exitFailed, errNotForgotten}
	}
	return nil
}

var errDamaged = errors.New("the store is damaged; every message that is not named above is whole, and can be read through a mount")

// printReport writes what people want to know of a report.
func printReport(out io.Writer, r blockstore.Report) error {
	var b bytes.Buffer
	for _, s := range r.Streams {
		fmt.Fprintf(&b, "%s: %s, %s, last sequence %d, %d removed, %d lost\n", s.Name, store.NumberOf(s.Messages, "message"), store.NumberOf(s.Bytes, "byte"), s.Last, s.Deleted, s.Lost)
		if s.Torn > 0 {
			fmt.Fprintf(&b, "%s: %s of a write that a crash cut off: the next mount sets that aside\n", s.Name, store.NumberOf(s.Torn, "byte"))
		}
		if s.Held > 0 {
			fmt.Fprintf(&b, "%s: in the draft %s the next mount finds %s to store, restored when the last one was killed\n", s.Name, fusefs.HeldDraft, store.NumberOf(s.Held, "message"))
		}
	}
	for _, d := range r.Damage {
		fmt.Fprintf(&b, "damage: %s at offset %d, %s: %s%s\n", d.File, d.Offset, store.NumberOf(d.Length, "byte"), d.Cause, lost(d))
	}
	for _, name := range r.Quarantine {
		fmt.Fprintf(&b, "set aside: quarantine/%s\n", name)
	}
	for _, dir := range r.Forgotten {
		fmt.Fprintf(&b, "forgotten: the stream that was in %s\n", dir)
	}
	for _, m := range r.Migrated {
		fmt.Fprintln(&b, sayMigrated(m))
	}
	if r.KeyMissing {
		fmt.Fprintln(&b, "the store is encrypted, and no key was given: only its checksums were compared; give --key-file or --passphrase to verify all of it")
	}
	if len(r.Damage) == 0 {
		fmt.Fprintln(&b, "nothing is damaged")
	}
	_, err := out.Write(b.Bytes())
	return err
}

// lost says which messages damage costs.
func lost(d store.Damage) string {
	switch {
	case d.First == 0:
		return ""
	case d.First == d.Last:
		return fmt.Sprintf("; message %d of stream %s is lost", d.First, d.Stream)
	}
	return fmt.Sprintf("; messages %d to %d of stream %s are lost", d.First, d.Last, d.Stream)
}
