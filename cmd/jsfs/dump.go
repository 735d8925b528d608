package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"jsfs/store"
	"jsfs/store/dump"
)

func dumpCommand() *cobra.Command {
	var opt dump.Options
	var key keyArgs
	c := &cobra.Command{
		Use:   "dump [flags] SOURCE[/STREAM]|BLOCK",
		Short: "Show what stands in a store's files, for someone with a broken disk",
		Long: `Shows blocks, headers, footers and, with --records, each record: where it stands, its
sequence, flags, sizes and subject, and whether its checks are right. What is wrong is
always shown, and has WRONG in its line. It reads the files one by one and changes
nothing, so it works on a store that does not open, and on a single block file. What is
encrypted is shown if the key is given; a block file must lie in its store then.`,
		Example: `  jsfs dump ./orders.store | grep WRONG
  jsfs dump --records --block 3 ./orders.store/ORDERS
  jsfs dump --records lost+found/00000003.blk`,
		Args: exactArgs("a SOURCE, a SOURCE/STREAM or a block file"),
		RunE: func(c *cobra.Command, args []string) error {
			err := runDump(args[0], opt, &key, c)
			if errors.Is(err, store.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
				return &exitError{exitUsage, err}
			}
			return err
		},
	}
	key.add(c, "", "the store")
	c.Flags().Uint64Var(&opt.Block, "block", 0, "show only the block with this number")
	c.Flags().BoolVar(&opt.Records, "records", false, "show each record")
	return c
}

func runDump(arg string, opt dump.Options, key *keyArgs, c *cobra.Command) error {
	out := c.OutOrStdout()
	info, err := os.Stat(arg)
	dir, name := filepath.Split(filepath.Clean(arg))
	switch {
	case err == nil && info.Mode().IsRegular():
		dir = filepath.Join(dir, "..", "..")
	case err == nil && hasStreams(arg):
		dir = arg
	case dir != "" && hasStreams(dir):
		opt.Stream = name
	case err != nil:
		return fmt.Errorf("source %s: %w", arg, explainPath(err))
	default:
		return fmt.Errorf("source %s is no store, and no block file: %w", arg, store.ErrNotFound)
	}
	var kerr error
	if opt.Secret, kerr = key.read("the store "+dir, false, dir); kerr != nil {
		return kerr
	}
	defer opt.Secret.Wipe()
	if err == nil && info.Mode().IsRegular() {
		return dump.Block(out, arg, opt)
	}
	return dump.Store(out, dir, opt)
}

// hasStreams says whether a directory is a block store, or what is left of one.
func hasStreams(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, "streams"))
	return err == nil && info.IsDir()
}
