package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"jsfs/store"
	"jsfs/store/transfer"
)

func copyCommand() *cobra.Command {
	var opt transfer.Options
	c := &cobra.Command{
		Use:   "copy [flags] SOURCE/STREAM DEST/STREAM",
		Short: "Copy a stream into another store, or under another name",
		Long: `Makes a stream in the store DEST that has the configuration of the one in SOURCE,
and its messages under their own sequences and times. Both are stores' directories, and
may be the same; neither may be mounted. DEST/ alone keeps the name.

A stream that exists is refused, unless it is what an interrupted copy of the same
stream has left: then that is compared and gone on with.`,
		Example: `  jsfs copy ./orders.store/ORDERS /var/lib/archive/ORDERS_2026`,
		Args:    exactArgs("a SOURCE/STREAM", "a DEST/STREAM"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel := untilSignal(c.Context())
			defer cancel()
			return explainTransfer(copyStream(ctx, args[0], args[1], opt, c.OutOrStdout(), newProgress(c.ErrOrStderr())))
		},
	}
	c.Flags().BoolVar(&opt.Verify, "verify", false, "read the copy back and compare its checksum")
	return c
}

// splitStream reads SOURCE/STREAM.
func splitStream(arg string) (src, stream string, err error) {
	i := strings.LastIndexByte(arg, '/')
	if i <= 0 {
		return "", "", fmt.Errorf("%q names no stream of a store; write SOURCE/STREAM, for example ./orders.store/ORDERS", arg)
	}
	return arg[:i], arg[i+1:], nil
}

func copyStream(ctx context.Context, fromArg, toArg string, opt transfer.Options, out io.Writer, bar *progress) (err error) {
	fromStore, stream, err := splitStream(fromArg)
	if err == nil && stream == "" {
		err = fmt.Errorf("%q names no stream", fromArg)
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
	from, to, closeAll, err := openBoth(ctx, fromStore, stream, toStore)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	if from == to && stream == name {
		return fmt.Errorf("%s and %s are the same stream", fromArg, toArg)
	}
	st, err := from.Stream(ctx, stream)
	if err != nil {
		return fmt.Errorf("source %s: %w", fromStore, err)
	}
	opt.Progress = bar.begin(name)
	r, err := transfer.Copy(ctx, st, to, name, opt)
	bar.end()
	if err != nil {
		return err
	}
	if err := printResult(out, r); err != nil {
		return err
	}
	return lostError(r.LostMessages())
}

// openBoth opens two stores, which may be the same one. The first must have the stream.
func openBoth(ctx context.Context, fromArg, stream, toArg string) (from, to store.Store, closeAll func() error, err error) {
	a, err := storeArg(fromArg)
	if err != nil {
		return nil, nil, nil, err
	}
	b, err := storeArg(toArg)
	if err != nil {
		return nil, nil, nil, err
	}
	_, from, err = openFrom(fromArg)
	if err != nil {
		return nil, nil, nil, err
	}
	if _, err := from.Stream(ctx, stream); err != nil {
		return nil, nil, nil, errors.Join(fmt.Errorf("source %s: %w", fromArg, err), from.Close())
	}
	if a == b { // one process opens a store once
		if err := from.Close(); err != nil {
			return nil, nil, nil, err
		}
		st, err := openTo(fromArg)
		if err != nil {
			return nil, nil, nil, err
		}
		return st, st, st.Close, nil
	}
	to, err = openTo(toArg)
	if err != nil {
		return nil, nil, nil, errors.Join(err, from.Close())
	}
	return from, to, func() error { return errors.Join(to.Close(), from.Close()) }, nil
}
