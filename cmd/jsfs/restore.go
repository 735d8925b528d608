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

	"jsfs/store"
	"jsfs/store/transfer"
)

func restoreCommand() *cobra.Command {
	r := &restore{}
	var check bool
	var key keyArgs
	c := &cobra.Command{
		Use:   "restore [flags] DIR|FILE SOURCE",
		Short: "Put the streams of a backup into a store",
		Long: `Makes every stream of a backup, a directory or a file that backup wrote, in the
store in the directory SOURCE: with its configuration, its messages under their own
sequences and times, and its consumers as they were. A store that is missing is made; it must not be mounted.

A stream that exists is refused, unless it is what an interrupted restore of the
same backup has left: then that is compared and gone on with. No message of a
damaged backup is used before a checksum behind it was found right.`,
		Example: `  jsfs restore /backup/orders-2026-01-02 /var/lib/orders
  jsfs restore --stream ORDERS --as ORDERS_OLD orders.jsonl.zst ./orders.store
  jsfs restore --check orders.jsonl.zst`,
		Args: func(c *cobra.Command, args []string) error {
			if check {
				return exactArgs("a DIR or FILE")(c, args)
			}
			return exactArgs("a DIR or FILE", "a SOURCE")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) (err error) {
			ctx, cancel := untilSignal(c.Context())
			defer cancel()
			r.out, r.bar = c.OutOrStdout(), newProgress(c.ErrOrStderr())
			if r.as != "" && r.stream == "" {
				return usageError("--as needs --stream: it is the new name of one stream")
			}
			files, err := backupFiles(args[0])
			if err == nil {
				err = beginsWell(files[0])
			}
			if err == nil && !check {
				if r.to, err = openTo(args[1], &key); err == nil {
					defer func() { err = errors.Join(err, r.to.Close()) }()
				}
			}
			if err == nil {
				err = r.run(ctx, args[0], files)
			}
			return explainTransfer(err)
		},
	}
	key.add(c, "", "the store; a new one is encrypted then")
	key.addCipher(c)
	c.Flags().BoolVar(&r.opt.Verify, "verify", false, "read each stream back and compare its checksum")
	c.Flags().BoolVar(&check, "check", false, "read the whole backup and verify it; restore nothing")
	c.Flags().StringVar(&r.stream, "stream", "", "restore only this stream")
	c.Flags().StringVar(&r.as, "as", "", "the name that the stream of --stream gets")
	return c
}

// restore is one run of the command.
type restore struct {
	stream, as string
	opt        transfer.Options
	to         store.Store // nil if the backup is only checked
	out        io.Writer
	bar        *progress
	seen, done int // streams
	expected   int
	lost       losses
}

// backupFiles lists the files of a backup.
func backupFiles(arg string) ([]string, error) {
	info, err := os.Stat(arg)
	if err != nil {
		return nil, fmt.Errorf("backup %s: %w", arg, explainPath(err))
	}
	if !info.IsDir() {
		return []string{arg}, nil
	}
	entries, err := os.ReadDir(arg)
	if err != nil {
		return nil, fmt.Errorf("backup %s: %w", arg, explainPath(err))
	}
	var files []string
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasSuffix(name, ".part"):
			return nil, fmt.Errorf("backup %s is not finished: it has %s; run the backup again, and it goes on", arg, name)
		case strings.HasSuffix(name, plainSuffix), strings.HasSuffix(name, zstdSuffix):
			files = append(files, filepath.Join(arg, name))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("backup %s: there is no file in it whose name ends in %s or %s", arg, plainSuffix, zstdSuffix)
	}
	return files, nil
}

// beginsWell refuses what is no backup before a store is made for it.
func beginsWell(name string) error {
	b, err := transfer.Open(name)
	if err != nil {
		return err
	}
	_, err = b.Next()
	return errors.Join(err, b.Close())
}

func (r *restore) run(ctx context.Context, arg string, files []string) error {
	for _, name := range files {
		if err := r.file(ctx, name); err != nil {
			return err
		}
	}
	switch {
	case r.stream != "" && r.done == 0:
		return fmt.Errorf("backup %s has no stream %s", arg, r.stream)
	case r.stream == "" && r.seen < r.expected:
		return fmt.Errorf("backup %s is not whole: it had %s, and %d are here", arg, store.NumberOf(r.expected, "stream"), r.seen)
	}
	return r.lost.err()
}

func (r *restore) file(ctx context.Context, name string) (err error) {
	b, err := transfer.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	for {
		p, err := b.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = r.part(ctx, p)
		}
		if err != nil {
			return err
		}
	}
}

func (r *restore) part(ctx context.Context, p *transfer.Part) (err error) {
	r.seen++
	r.expected = max(r.expected, p.Streams())
	if r.stream != "" && p.Stream() != r.stream {
		return nil
	}
	r.opt.Progress = r.bar.begin(p.Stream())
	defer r.bar.end()
	var res transfer.Result
	if r.to == nil {
		res, err = p.Check(ctx, r.opt)
	} else {
		name := p.Stream()
		if r.as != "" {
			name = r.as
		}
		res, err = p.Restore(ctx, r.to, name, r.opt)
	}
	if err != nil {
		return err
	}
	r.bar.end()
	r.done++
	r.lost.add(&res)
	return printResult(r.out, res)
}
