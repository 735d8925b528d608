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
	r := &rescuing{}
	c := &cobra.Command{
		Use:   "rescue [flags] SOURCE DEST",
		Short: "Copy all that is undamaged out of a broken store",
		Long: `Copies every message of the damaged store SOURCE that is whole into the store DEST,
under its own sequence, with the streams' configurations and drafts. SOURCE is not
changed; it may lack files, and bytes that the disk can't read count as damaged. DEST
is a new or empty directory, or what an interrupted rescue has left.

Each store has its own key: --key-file or --passphrase is for SOURCE, of which, if it is
encrypted, the file jsfs.key must be there; what begins with --dest- is for DEST. A DEST
that is made without one is not encrypted, whatever SOURCE is.

What an earlier rescue into DEST could read, and the disk has lost since, stays there, whole
streams too. What can't be read of a draft is zeros in the copy, and told. The exit code is 0 if nothing
is lost, 1 if something is, or if it could not be done.`,
		Example: `  jsfs rescue /mnt/old-disk/orders /var/lib/orders`,
		Args:    exactArgs("a SOURCE", "a DEST"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel := untilSignal(c.Context())
			defer cancel()
			r.bar = newProgress(c.ErrOrStderr())
			res, err := r.run(ctx, args[0], args[1])
			r.bar.end()
			if err != nil {
				return explainTransfer(err)
			}
			return reportRescue(c.OutOrStdout(), res, r.asJSON)
		},
	}
	r.key.add(c, "", "the store SOURCE")
	r.dest.add(c, "dest-", "the store DEST; a new one is encrypted then")
	r.dest.addCipher(c)
	c.Flags().BoolVar(&r.asJSON, "json", false, "report as JSON")
	c.Flags().BoolVar(&r.verify, "verify", false, "read each stream back and compare its checksum")
	return c
}

// rescuing is one run of the command.
type rescuing struct {
	key, dest      keyArgs
	asJSON, verify bool
	bar            *progress
}

func (r *rescuing) run(ctx context.Context, fromArg, toArg string) (res transfer.Rescued, err error) {
	src, err := storeArg(fromArg)
	if err != nil {
		return res, err
	}
	if _, err := os.Stat(src.dir); err != nil {
		return res, fmt.Errorf("source %s: there is no store: %w", fromArg, err)
	}
	dst, err := storeArg(toArg)
	if err != nil {
		return res, err
	}
	if isInside(dst.dir, src.dir) || isInside(src.dir, dst.dir) {
		return res, fmt.Errorf("destination %s: a store can't be rescued into itself; give another place, best on another disk", toArg)
	}
	secret, err := r.key.read("the store "+src.name, false, src.dir)
	if err != nil {
		return res, err
	}
	from, err := blockstore.Salvage(src.dir, secret)
	secret.Wipe()
	if err != nil {
		return res, explainStore(src, err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := openTo(toArg, &r.dest)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	return transfer.Rescue(ctx, from, to, func(stream string) transfer.Options {
		return transfer.Options{Verify: r.verify, Progress: r.bar.begin(stream)}
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
	if what := leftOut(len(r.Unreadable)+len(r.Gone), r.LostMessages(), r.LostConsumers(), r.DamagedDrafts()); what != "" {
		return fmt.Errorf("lost: %s; everything else is rescued", what)
	}
	return nil
}

func printRescue(out io.Writer, r transfer.Rescued) error {
	for i := range r.Streams {
		s := &r.Streams[i]
		if err := printResult(out, s.Result); err != nil {
			return err
		}
		for _, h := range s.Holes {
			if _, err := fmt.Fprintf(out, "%s: %s of the draft %q can't be read: there the copy has zeros, or what an earlier rescue could read\n", s.Stream, store.NumberOf(h.Bytes, "byte"), h.Draft); err != nil {
				return err
			}
		}
		for _, l := range s.LostDrafts {
			what := "its drafts"
			if l.Draft != "" {
				what = fmt.Sprintf("the draft %q", l.Draft)
			}
			if _, err := fmt.Fprintf(out, "%s: %s can't be read: %s\n", s.Stream, what, l.Cause); err != nil {
				return err
			}
		}
	}
	for _, d := range r.Damage {
		if _, err := fmt.Fprintf(out, "damage: %s at offset %d, %s: %s%s\n", d.File, d.Offset, store.NumberOf(d.Length, "byte"), d.Cause, lost(d)); err != nil {
			return err
		}
	}
	for _, g := range r.Gone {
		if _, err := fmt.Fprintf(out, "%s: the original has lost it, or its name, since; what an earlier rescue has copied stays: %s, last sequence %d\n", g.Stream, store.NumberOf(g.Messages, "message"), g.Last); err != nil {
			return err
		}
	}
	for _, u := range r.Unreadable {
		if _, err := fmt.Fprintf(out, "%s: can't be rescued: %s\n", u.Stream, u.Cause); err != nil {
			return err
		}
	}
	return nil
}
