package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
	"github.com/spf13/cobra"

	"jsfs/store"
	"jsfs/store/transfer"
)

// Names of backup files end so.
const (
	plainSuffix = ".jsonl"
	zstdSuffix  = ".jsonl.zst"
)

func backupCommand() *cobra.Command {
	var (
		verify, plain bool
		streams       []string
		key           keyArgs
	)
	c := &cobra.Command{
		Use:   "backup [flags] SOURCE DIR|FILE",
		Short: "Write all streams of a store into files that restore reads",
		Long: `Writes every stream of the store in the directory SOURCE, with its consumers: into DIR a file each, or
all of them into one FILE if that is a name in .jsonl or .jsonl.zst. The store must
not be mounted, and is not changed. The files are JSON lines with checksums,
compressed with zstd unless their names end in .jsonl.

What was interrupted is gone on with by the same command. When it ends with 0, all
is on disk. 1 means that it could not be done, or that messages are lost in the
store: then everything else is in the backup. The files are not encrypted, also if the
store is.`,
		Example: `  jsfs backup /var/lib/orders /backup/orders-2026-01-02
  jsfs backup --verify ./orders.store orders.jsonl.zst`,
		Args: exactArgs("a SOURCE", "a DIR or FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel := untilSignal(c.Context())
			defer cancel()
			b := &backup{streams: streams, key: &key, out: c.OutOrStdout(), bar: newProgress(c.ErrOrStderr())}
			b.opt.Verify, b.opt.Plain = verify, plain
			return explainTransfer(b.run(ctx, args[0], args[1]))
		},
	}
	key.add(c, "", "the store")
	c.Flags().BoolVar(&verify, "verify", false, "read the files back and compare their checksums")
	c.Flags().BoolVar(&plain, "plain", false, "do not compress the files in DIR")
	c.Flags().StringArrayVar(&streams, "stream", nil, "write only this stream (may be given again)")
	return c
}

// backup is one run of the command.
type backup struct {
	streams []string
	key     *keyArgs
	opt     transfer.BackupOptions
	out     io.Writer
	bar     *progress
	lost    losses
}

func (b *backup) run(ctx context.Context, from, to string) (err error) {
	src, st, err := openFrom(from, b.key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	target, err := resolve(to)
	if err != nil {
		return fmt.Errorf("destination %s: %w", to, explainPath(err))
	}
	if to == "" || isInside(target, src.dir) {
		return fmt.Errorf("destination %q: a backup can't be kept in its own store; give another place", to)
	}
	if err := b.choose(ctx, st, from); err != nil {
		return err
	}
	b.opt.Source = src.dir
	b.opt.Done = func(r transfer.Result) {
		b.bar.end()
		b.lost.add(&r)
		_ = printResult(b.out, r)
	}
	if strings.HasSuffix(target, plainSuffix) || strings.HasSuffix(target, zstdSuffix) {
		b.opt.Plain = strings.HasSuffix(target, plainSuffix)
		err = b.write(ctx, st, b.streams, target)
	} else {
		err = b.intoDir(ctx, st, target)
	}
	if err != nil {
		return err
	}
	return b.lost.err()
}

// choose finds out which streams there are to write.
func (b *backup) choose(ctx context.Context, st store.Store, from string) error {
	if len(b.streams) == 0 {
		all, err := st.Streams(ctx)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return fmt.Errorf("source %s has no streams: there is nothing to back up", from)
		}
		b.streams = all
	}
	for _, name := range b.streams {
		s, err := st.Stream(ctx, name)
		if err != nil {
			return fmt.Errorf("source %s: %w", from, err)
		}
		noteHeld(ctx, os.Stderr, s)
	}
	return nil
}

func (b *backup) write(ctx context.Context, st store.Store, streams []string, target string) error {
	b.opt.Progress = b.bar.begin(filepath.Base(target))
	defer b.bar.end()
	err := transfer.WriteFile(ctx, st, streams, target, b.opt)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("destination %s: its directory does not exist: %w", target, err)
	}
	return err
}

// intoDir writes a file for each stream.
func (b *backup) intoDir(ctx context.Context, st store.Store, dir string) error {
	names := make(map[string]bool, len(b.streams))
	for _, name := range b.streams {
		names[backupName(name, b.opt.Plain)] = true
	}
	made, err := makeDirs(dir, 0o700)
	if err == nil {
		err = syncDirs(made)
	}
	if err != nil {
		return fmt.Errorf("destination %s: %w", dir, explainPath(err))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("destination %s: %w", dir, explainPath(err))
	}
	for _, e := range entries {
		if !names[strings.TrimSuffix(e.Name(), ".part")] {
			return fmt.Errorf("destination %s is not empty: %s is no part of this backup; give a new directory", dir, e.Name())
		}
	}
	b.opt.Streams = len(b.streams)
	for _, name := range b.streams {
		if err := b.write(ctx, st, []string{name}, filepath.Join(dir, backupName(name, b.opt.Plain))); err != nil {
			return err
		}
	}
	return nil
}

// backupName is the name of a stream's file. Of a long name it has the beginning, and a hash; the
// name itself is in the file.
func backupName(stream string, plain bool) string {
	const longest = 200
	base := stream
	if len(base) > longest {
		base = base[:longest]
		for !utf8.ValidString(base) {
			base = base[:len(base)-1]
		}
		base = fmt.Sprintf("%s~%016x", base, xxhash.Sum64String(stream))
	}
	if plain {
		return base + plainSuffix
	}
	return base + zstdSuffix
}
