package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"jsfs/store"
)

func purgeCommand() *cobra.Command {
	p := &purging{}
	c := &cobra.Command{
		Use:   "purge [flags] PATH",
		Short: "Remove many messages of a stream in one step, and say how many",
		Long: `Removes messages of the stream PATH: all of them, or those that --subject, --seq and
--keep leave, which hold together. PATH is a stream's directory in a mount, or
SOURCE/STREAM of a store that is not mounted.

After a crash all of it was done, or nothing. What is removed can be brought back as
after rm. Numbers are not used again; with a --seq above the last message, and neither
--subject nor --keep, the next message gets that number.

With --dry-run nothing changes, and it says how many messages would go.`,
		Example: `  jsfs purge --dry-run --subject 'orders.eu.>' ./orders/ORDERS
  jsfs purge --keep 1000 ./orders/ORDERS
  jsfs purge --seq 42 --key-file key ./orders.store/ORDERS`,
		Args: exactArgs("a PATH"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := p.parse(c.Flags().Changed); err != nil {
				return &exitError{exitUsage, err}
			}
			return p.run(c.Context(), args[0], c.OutOrStdout())
		},
	}
	p.key.add(c, "", "a store that is not mounted")
	f := c.Flags()
	f.StringVar(&p.subject, "subject", "", "only messages on this subject or pattern")
	f.StringVar(&p.seq, "seq", "", "only messages below this number")
	f.StringVar(&p.keep, "keep", "", "spare the newest so many; with --subject, the newest of those")
	f.BoolVar(&p.dryRun, "dry-run", false, "change nothing, and say how many would go")
	return c
}

// purging is one run of the command.
type purging struct {
	key                keyArgs
	subject, seq, keep string // as they were given
	dryRun             bool

	what store.Purge // what they say
}

// parse reads what is to be purged. given says whether a flag is there.
func (p *purging) parse(given func(flag string) bool) error {
	if given("subject") {
		if err := store.CheckPattern(p.subject); err != nil {
			return fmt.Errorf("--subject: %w", err)
		}
		p.what.Subject = p.subject
	}
	if given("seq") {
		n, err := strconv.ParseUint(p.seq, 10, 64)
		if err != nil || n == 0 {
			return fmt.Errorf("--seq: %q is no message's number; give the first one that is to stay, 1 or more", p.seq)
		}
		p.what.Below = store.Seq(n)
	}
	if given("keep") {
		n, err := strconv.ParseUint(p.keep, 10, 64)
		if err != nil {
			return fmt.Errorf("--keep: %q is no number of messages", p.keep)
		}
		p.what.Keep = n
	}
	return nil
}

// run purges the stream that arg names, and says how many messages went.
func (p *purging) run(ctx context.Context, arg string, out io.Writer) error {
	at, err := findMounted(arg)
	if err != nil {
		return err
	}
	var name string
	var n int64
	switch {
	case at == nil:
		name, n, err = p.inStore(ctx, arg)
	case p.key.given():
		return usageError("%s is in a mount, which has the store's key; leave the key out", arg)
	default:
		name = at.stream
		n, err = p.inMount(at)
	}
	if err != nil {
		return fmt.Errorf("purge %s: %w", arg, err)
	}
	did := "purged"
	if p.dryRun {
		did = "would purge"
	}
	_, err = fmt.Fprintf(out, "%s %s of %s\n", did, store.NumberOf(n, "message"), name)
	return err
}

// counter counts the live messages that match a pattern, "" for all, up to a sequence, 0 for the last.
type counter func(subject string, to store.Seq) (int64, error)

// wouldPurge is how many messages p removes. What it removes are the oldest of those that match, so it is
// bounded by how many there are below the sequence, and by how many are more than are kept.
func wouldPurge(p store.Purge, count counter) (int64, error) {
	if p.Below == 1 {
		return 0, nil
	}
	n, err := count(p.Subject, max(p.Below, 1)-1)
	if err != nil || p.Keep == 0 {
		return n, err
	}
	all := n
	if p.Below != 0 {
		if all, err = count(p.Subject, 0); err != nil {
			return 0, err
		}
	}
	if uint64(all) <= p.Keep { //nolint:gosec // not negative
		return 0, nil
	}
	return min(n, all-int64(p.Keep)), nil //nolint:gosec // less than all
}

// inStore purges a stream of a store that is not mounted.
func (p *purging) inStore(ctx context.Context, arg string) (name string, n int64, err error) {
	dir, name, err := splitStream(strings.TrimRight(arg, "/"))
	if err != nil {
		return "", 0, usageError("%q is no stream's directory in a mount, and names no stream of a store; write SOURCE/STREAM, for example ./orders.store/ORDERS", arg)
	}
	st, err := p.open(dir, name)
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	s, err := st.Stream(ctx, name)
	if err != nil {
		return "", 0, err
	}
	if !p.dryRun {
		n, err = s.Purge(ctx, p.what)
		return name, n, err
	}
	if err := s.Config().CheckPurge(); err != nil {
		return "", 0, err
	}
	n, err = wouldPurge(p.what, func(subject string, to store.Seq) (int64, error) {
		c, err := s.Count(ctx, store.Query{Subject: subject, To: to})
		return int64(c.Messages), err //nolint:gosec // no stream has so many
	})
	return name, n, err
}

// open opens the store that has the stream: to read only, if nothing is to change. It never makes one, nor
// converts one of the first generation.
func (p *purging) open(dir, stream string) (store.Store, error) {
	src, err := storeArg(dir)
	if err != nil {
		return nil, err
	}
	if p.dryRun || isNewStore(src.dir) { // what is no store yet is refused, with a sentence that says why
		_, st, err := openFrom(dir, &p.key)
		return st, instead(src, stream, err)
	}
	st, err := openTransfer(src, settings{}, &p.key)
	return st, instead(src, stream, err)
}

// instead says where a store is mounted that can't be opened because of that.
func instead(src source, stream string, err error) error {
	if !errors.Is(err, store.ErrLocked) {
		return err
	}
	all, merr := mounts()
	if e, ok := mountOf(all, src); ok && merr == nil {
		return fmt.Errorf("the store %s is mounted at %s; give %s/%s: %w", src.name, e.Point, e.Point, stream, store.ErrLocked)
	}
	return err
}
