package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"jsfs/store"
	"jsfs/store/legacy"
)

// exporting is how a stream is to be written.
type exporting struct {
	key                    keyArgs // of the store
	jsonl, fsv2            bool
	legacyKey, cipher, zip string // of the envelopes
}

func exportCommand() *cobra.Command {
	var e exporting
	c := &cobra.Command{
		Use:   "export --jsonl [flags] SOURCE/STREAM [FILE]",
		Short: "Write a stream in the form of the first generation",
		Long: `Writes the live messages of a stream of the store in the directory SOURCE as JSON
lines, as the older program reads them (messages.jsonl), into FILE, which must not exist, or
to standard output. The store must not be mounted.

With --fsv2 each payload is in an FSV2 envelope, compressed with S2 where that makes it
smaller, and encrypted if there is a --legacy-key-file; the older program must be set to the
same cipher. --key-file and --passphrase are for the store, if that is encrypted. That form has seven decimals of a second, so times lose up to 99 nanoseconds.`,
		Example: `  jsfs export --jsonl ./orders.store/ORDERS messages.jsonl
  jsfs export --jsonl --fsv2 --legacy-key-file key --cipher aes ./orders.store/ORDERS messages.jsonl`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 2 {
				return nil
			}
			return exactArgs("a SOURCE/STREAM")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			seal, err := e.sealer()
			if err != nil {
				return &exitError{exitUsage, err}
			}
			file := ""
			if len(args) == 2 {
				file = args[1]
			}
			ctx, cancel := untilSignal(c.Context())
			defer cancel()
			return e.run(ctx, args[0], file, seal, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	e.key.add(c, "", "the store")
	f := c.Flags()
	f.BoolVar(&e.jsonl, "jsonl", false, "the form: messages.jsonl of the first generation (there is no other yet)")
	f.BoolVar(&e.fsv2, "fsv2", false, "put payloads into FSV2 envelopes")
	f.Var((*named)(&e.legacyKey), "legacy-key-file", "encrypt them with the key in this file: 32 bytes or 64 hex digits")
	f.StringVar(&e.cipher, "cipher", "aes", "what to encrypt with: aes (AES-256-GCM) or chacha20 (ChaCha20-Poly1305)")
	f.StringVar(&e.zip, "compression", "s2", "what to compress with: s2 or none")
	return c
}

// sealer returns what puts payloads into their form.
func (e *exporting) sealer() (func([]byte) ([]byte, error), error) {
	s := legacy.Sealer{Compress: e.zip == "s2"}
	switch {
	case !e.jsonl:
		return nil, errors.New("give the form to export in: --jsonl")
	case !e.fsv2 && e.legacyKey != "":
		return nil, errors.New("--legacy-key-file encrypts envelopes; give --fsv2, too")
	case e.zip != "s2" && e.zip != "none":
		return nil, fmt.Errorf("--compression: %q is neither s2 nor none", e.zip)
	case !e.fsv2:
		return sealAmbiguous, nil
	}
	switch e.cipher {
	case "aes":
		s.Cipher = legacy.AES256GCM
	case "chacha20":
		s.Cipher = legacy.ChaCha20Poly1305
	default:
		return nil, fmt.Errorf("--cipher: %q is neither aes nor chacha20", e.cipher)
	}
	if e.legacyKey == "" {
		s.Cipher = 0
		return s.Seal, nil
	}
	var err error
	s.Key, err = readLegacyKey(e.legacyKey)
	return s.Seal, err
}

// sealAmbiguous leaves payloads plain, but for those that a reader would take for an envelope.
func sealAmbiguous(payload []byte) ([]byte, error) {
	if form, _ := legacy.FormOf(payload); form == legacy.Plain {
		return payload, nil
	}
	return legacy.Sealer{}.Seal(payload)
}

// run writes a stream into a file, or to out if there is none. Notes for people go to say.
func (e *exporting) run(ctx context.Context, arg, file string, seal func([]byte) ([]byte, error), out, say io.Writer) error {
	dir, name, err := splitStream(arg)
	if err == nil && name == "" {
		err = usageError("%q names no stream", arg)
	}
	if err != nil {
		return err
	}
	_, st, err := openFrom(dir, &e.key)
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }() // it was only read
	s, err := st.Stream(ctx, name)
	if err != nil {
		return err
	}
	noteHeld(ctx, say, s)
	if file == "" {
		return reportExport(say, name, "standard output", func() (exported, error) { return exportTo(ctx, s, seal, out) })
	}
	return reportExport(say, name, file, func() (n exported, err error) {
		err = writeWhole(file, func(w io.Writer) error {
			n, err = exportTo(ctx, s, seal, w)
			return err
		})
		return n, err
	})
}

// reportExport runs an export and says what came of it.
func reportExport(say io.Writer, stream, to string, run func() (exported, error)) error {
	n, err := run()
	if err != nil {
		return fmt.Errorf("export %s to %s: %w", stream, to, err)
	}
	note(say, "exported %s of %s to %s", store.NumberOf(n.messages, "message"), stream, to)
	if n.consumers > 0 {
		note(say, "that form has no consumers: the %s of %s are not in it", store.NumberOf(n.consumers, "consumer"), stream)
	}
	if n.lost > 0 {
		return fmt.Errorf("%s of %s could not be read, and are not in it; `jsfs check` says which", store.NumberOf(n.lost, "message"), stream)
	}
	return nil
}

// exported is what was written, and what could not be.
type exported struct {
	messages  int64
	lost      uint64
	consumers int64 // that the stream has
}

// exportTo writes the lines of a stream. What is damaged is left out and counted.
func exportTo(ctx context.Context, s store.Stream, seal func([]byte) ([]byte, error), to io.Writer) (n exported, err error) {
	w := bufio.NewWriterSize(to, 1<<20)
	var buf, line []byte
	for m, err := range s.Scan(ctx, store.Query{}) {
		if err != nil {
			return n, err
		}
		msg, err := s.Load(ctx, m.Seq, buf)
		switch {
		case errors.As(err, new(*store.CorruptError)):
			continue // State.Lost has it from now on
		case err != nil:
			return n, err
		}
		if cap(msg.Data) > cap(buf) {
			buf = msg.Data[:0]
		}
		if msg.Data, err = seal(msg.Data); err != nil {
			return n, err
		}
		line = legacy.AppendLine(line[:0], msg)
		if _, err := w.Write(line); err != nil {
			return n, err
		}
		n.messages++
	}
	state, err := s.State(ctx)
	n.lost, n.consumers = state.Lost, int64(state.Consumers)
	return n, errors.Join(err, w.Flush())
}

// writeWhole makes a file that must not exist, whole or not at all, durably.
func writeWhole(name string, write func(io.Writer) error) error {
	if _, err := os.Lstat(name); err == nil {
		return fmt.Errorf("%s is there already: %w", name, os.ErrExist)
	}
	f, link, drop, err := newFile(filepath.Dir(name))
	if err != nil {
		return explainPath(err)
	}
	defer drop()
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = link(name) // unlike a rename, it never replaces what came up meanwhile
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// newFile makes a file in dir to which link gives its name. Before that it has none, so a killed process leaves nothing of it; but where
// the file system has no such files it has a name of its own, which drop takes away.
func newFile(dir string) (f *os.File, link func(name string) error, drop func(), err error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		if f, err = os.CreateTemp(dir, ".jsfs-export-*"); err != nil {
			return nil, nil, nil, err
		}
		return f, func(name string) error { return os.Link(f.Name(), name) }, func() { _ = os.Remove(f.Name()) }, nil
	}
	link = func(name string) error {
		err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
		return os.NewSyscallError("linkat "+name, err)
	}
	return os.NewFile(uintptr(fd), dir), link, func() {}, nil //nolint:gosec // a descriptor is small
}

// syncDir makes names in a directory durable.
func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
