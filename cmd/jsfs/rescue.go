package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/transfer"
)

func rescueCommand() *cobra.Command {
	var asJSON, verify bool
	c := &cobra.Command{
		Use:   "rescue [flags] SOURCE DEST",
		Short: "Copy all that is undamaged out of a broken store",
		Long: `Copies every message of the damaged store SOURCE that is whole into the store DEST,
under its own sequence, with the streams' configurations and drafts. SOURCE is not
changed; it may lack files, and bytes that the disk can't read count as damaged. DEST
is a new or empty directory, or what an interrupted rescue has left.

The exit code is 0 if nothing is lost, 1 if something is, or if it could not be done.`,
		Example: `  jsfs rescue /mnt/old-disk/orders /var/lib/orders`,
		Args:    exactArgs("a SOURCE", "a DEST"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel := untilSignal(c.Context())
			defer cancel()
			bar := newProgress(c.ErrOrStderr())
			r, err := rescue(ctx, args[0], args[1], verify, bar)
			bar.end()
			if err != nil {
				return explainTransfer(err)
			}
			return reportRescue(c.OutOrStdout(), r, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "report as JSON")
	c.Flags().BoolVar(&verify, "verify", false, "read each stream back and compare its checksum")
	return c
}

func rescue(ctx context.Context, fromArg, toArg string, verify bool, bar *progress) (r transfer.Rescued, err error) {
	src, err := storeArg(fromArg)
	if err != nil {
		return r, err
	}
	if _, err := os.Stat(src.dir); err != nil {
		return r, fmt.Errorf("source %s: there is no store: %w", fromArg, err)
	}
	dst, err := storeArg(toArg)
	if err != nil {
		return r, err
	}
	if isInside(dst.dir, src.dir) || isInside(src.dir, dst.dir) {
		return r, fmt.Errorf("destination %s: a store can't be rescued into itself; give another place, best on another disk", toArg)
	}
	from, err := blockstore.Salvage(src.dir, nil)
	if errors.Is(err, store.ErrLocked) {
		return r, explainLocked(src, err)
	}
	if err != nil {
		return r, explainStore(src, err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := openTo(toArg)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	return transfer.Rescue(ctx, from, to, func(stream string) transfer.Options {
		return transfer.Options{Verify: verify, Progress: bar.begin(stream)}
	})
}

// reportRescue writes what came of a rescue.
func reportRescue(out io.Writer, r transfer.Rescued, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(r); err != nil {
			return err
		}
	} else if err := printRescue(out, r); err != nil {
		return err
	}
	n := r.LostMessages()
	switch {
	case len(r.Unreadable) > 0:
		return fmt.Errorf("%d streams could not be read, and %d messages of the others are lost; everything else is rescued", len(r.Unreadable), n)
	case n > 0:
		return fmt.Errorf("%d messages are lost; everything else is rescued", n)
	}
	return nil
}

func printRescue(out io.Writer, r transfer.Rescued) error {
	for i := range r.Streams {
		if err := printResult(out, r.Streams[i].Result); err != nil {
			return err
		}
	}
	for _, d := range r.Damage {
		if _, err := fmt.Fprintf(out, "damage: %s at offset %d, %d bytes: %s%s\n", d.File, d.Offset, d.Length, d.Cause, lost(d)); err != nil {
			return err
		}
	}
	for _, u := range r.Unreadable {
		if _, err := fmt.Fprintf(out, "%s: can't be read: %s\n", u.Stream, u.Cause); err != nil {
			return err
		}
	}
	return nil
}
