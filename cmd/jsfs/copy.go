package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"jsfs/store"
	"jsfs/store/transfer"
)

func copyCommand() *cobra.Command {
	cp := &copying{}
	c := &cobra.Command{
		Use:   "copy [flags] SOURCE/STREAM DEST/STREAM",
		Short: "Copy a stream into another store, or under another name",
		Long: `Makes a stream in the store DEST that has the configuration of the one in SOURCE,
its messages under their own sequences and times, and its consumers as they are. Both are
stores' directories, and may be the same; neither may be mounted. DEST/ alone keeps the name.

A stream that exists is refused, unless it is what an interrupted or earlier copy of the same
stream has left: then that is compared and gone on with. Consumers that went on in DEST by
themselves, or that SOURCE does not have, are such a reason to refuse.

Each store has its own key: --key-file or --passphrase is for SOURCE, and what begins
with --dest- for DEST. A DEST that is made without one is not encrypted, whatever SOURCE is.`,
		Example: `  jsfs copy ./orders.store/ORDERS /var/lib/archive/ORDERS_2026
  jsfs copy --key-file one.key --dest-key-file two.key ./orders.store/ORDERS ./new.store/`,
		Args: exactArgs("a SOURCE/STREAM", "a DEST/STREAM"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel := untilSignal(c.Context())
			defer cancel()
			cp.out, cp.bar = c.OutOrStdout(), newProgress(c.ErrOrStderr())
			return explainTransfer(cp.run(ctx, args[0], args[1]))
		},
	}
	cp.key.add(c, "", "the store SOURCE")
	cp.dest.add(c, "dest-", "the store DEST; a new one is encrypted then")
	cp.dest.addCipher(c)
	c.Flags().BoolVar(&cp.opt.Verify, "verify", false, "read the copy back and compare its checksum")
	return c
}

// copying is one run of the command.
type copying struct {
	key, dest keyArgs
	opt       transfer.Options
	out       io.Writer
	bar       *progress
}

// splitStream reads SOURCE/STREAM.
func splitStream(arg string) (src, stream string, err error) {
	i := strings.LastIndexByte(arg, '/')
	if i <= 0 {
		return "", "", usageError("%q names no stream of a store; write SOURCE/STREAM, for example ./orders.store/ORDERS", arg)
	}
	return arg[:i], arg[i+1:], nil
}

func (c *copying) run(ctx context.Context, fromArg, toArg string) (err error) {
	fromStore, stream, err := splitStream(fromArg)
	if err == nil && stream == "" {
		err = usageError("%q names no stream", fromArg)
	}
	if err != nil {
		return err
	}
	toStore, name, err := splitStream(toArg)
	if err != nil {
		return err
	}
	if name == "" {
		name = stream
	}
	from, to, closeAll, err := c.open(ctx, fromStore, stream, toStore)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	if from == to && stream == name {
		return usageError("%s and %s are the same stream", fromArg, toArg)
	}
	st, err := from.Stream(ctx, stream)
	if err != nil {
		return fmt.Errorf("source %s: %w", fromStore, err)
	}
	noteHeld(ctx, os.Stderr, st)
	c.opt.Progress = c.bar.begin(name)
	r, err := transfer.Copy(ctx, st, to, name, c.opt)
	c.bar.end()
	if err != nil {
		return err
	}
	if err := printResult(c.out, r); err != nil {
		return err
	}
	var lost losses
	lost.add(&r)
	return lost.err()
}

// open opens two stores, which may be the same one. The first must have the stream.
func (c *copying) open(ctx context.Context, fromArg, stream, toArg string) (from, to store.Store, closeAll func() error, err error) {
	a, err := storeArg(fromArg)
	if err != nil {
		return nil, nil, nil, err
	}
	b, err := storeArg(toArg)
	if err != nil {
		return nil, nil, nil, err
	}
	if a == b { // one process opens a store once
		return c.openOne(fromArg, a)
	}
	_, from, err = openFrom(fromArg, &c.key)
	if err != nil {
		return nil, nil, nil, err
	}
	if _, err := from.Stream(ctx, stream); err != nil {
		return nil, nil, nil, errors.Join(fmt.Errorf("source %s: %w", fromArg, err), from.Close())
	}
	to, err = openTo(toArg, &c.dest)
	if err != nil {
		return nil, nil, nil, errors.Join(err, from.Close())
	}
	return from, to, func() error { return errors.Join(to.Close(), from.Close()) }, nil
}

// openOne opens the store in which a stream is copied.
func (c *copying) openOne(arg string, src source) (from, to store.Store, closeAll func() error, err error) {
	if c.dest.given() {
		return nil, nil, nil, usageError("%s is both source and destination: give its key with --key-file or --passphrase alone", arg)
	}
	if isNewStore(src.dir) {
		return nil, nil, nil, fmt.Errorf("source %s: there is no store", arg)
	}
	st, err := openTo(arg, &c.key)
	if err != nil {
		return nil, nil, nil, err
	}
	return st, st, st.Close, nil
}
