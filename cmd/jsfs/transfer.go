package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/transfer"
)

// untilSignal returns a context that SIGINT and SIGTERM end. A second one ends the process.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, cancel)
	return ctx, cancel
}

// explainTransfer turns the error of a command that moves messages into a sentence.
func explainTransfer(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted; the same command goes on where it stopped")
	case errors.Is(err, store.ErrNoSpace), errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("the disk is full; make room, and the same command goes on where it stopped: %w", err)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("you (uid %d) may not use it: %w", os.Geteuid(), err)
	}
	return err
}

// openFrom opens the store that streams are read from, without changing it; with its key, if it is encrypted.
func openFrom(arg string, key *keyArgs) (source, store.Store, error) {
	src, err := storeArg(arg)
	if err != nil {
		return src, nil, err
	}
	if _, err := os.Stat(src.dir); err != nil {
		return src, nil, fmt.Errorf("source %s: there is no store: %w", arg, err)
	}
	st, err := openTransfer(src, settings{readOnly: true}, key)
	return src, st, err
}

// openTo opens the store that streams are stored in, and makes it if it is missing, encrypted if there is a key. What is
// stored there is durable when it was synced or closed. What is refused leaves no directory behind.
func openTo(arg string, key *keyArgs) (store.Store, error) {
	src, err := storeArg(arg)
	if err != nil {
		return nil, err
	}
	made, err := prepareStore(src, false)
	var st store.Store
	if err == nil {
		st, err = openTransfer(src, settings{sync: "never"}, key)
	}
	if err != nil {
		unmakeDirs(made)
		return nil, err
	}
	return st, nil
}

// storeArg reads a SOURCE that must be a store's directory.
func storeArg(arg string) (source, error) {
	src, err := parseSource(arg)
	if err == nil && src.dir == "" {
		err = memoryIsGone(arg)
	}
	return src, err
}

func openTransfer(src source, s settings, key *keyArgs) (store.Store, error) {
	secret, cipher, err := key.secretFor(src, "")
	if err != nil {
		return nil, err
	}
	defer secret.Wipe()
	s.key.prefix = key.prefix // for what is said of it
	return openBlocks(src, s, blockstore.Options{Secret: secret, Cipher: cipher, Logger: slog.New(slog.DiscardHandler)}, os.Stderr)
}

// isInside says whether a path is a directory or lies in it.
func isInside(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// progress shows people how far a transfer is, if they look: on a terminal.
type progress struct {
	out   io.Writer
	shown bool
	name  string
	bar   *progressbar.ProgressBar
}

func newProgress(out io.Writer) *progress {
	f, ok := out.(*os.File)
	return &progress{out: out, shown: ok && term.IsTerminal(int(f.Fd()))} //nolint:gosec // a descriptor is small
}

// begin returns what a transfer of that name tells how far it is.
func (p *progress) begin(name string) func(done, total int64) {
	p.end()
	p.name = name
	if !p.shown {
		return nil
	}
	return func(done, total int64) {
		if p.bar == nil {
			p.bar = progressbar.NewOptions64(max(total, 1), progressbar.OptionSetWriter(p.out), progressbar.OptionSetDescription(p.name),
				progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("messages"),
				progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
		}
		_ = p.bar.Set64(min(done, total))
	}
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}

// printResult writes what came of one stream.
func printResult(out io.Writer, r transfer.Result) error {
	text := fmt.Sprintf("%s: %s, %s, last sequence %d", r.Stream, store.NumberOf(r.Messages, "message"), store.NumberOf(r.Bytes, "byte"), r.Last)
	if r.Consumers > 0 {
		text += ", " + store.NumberOf(r.Consumers, "consumer")
	}
	if r.Resumed > 0 {
		text += fmt.Sprintf("; %d of them were there already", r.Resumed)
	}
	for _, l := range r.Lost {
		text += "\n" + r.Stream + ": " + lostText(l.First, l.Last)
	}
	for _, l := range r.LostConsumers {
		text += fmt.Sprintf("\n%s: consumer %s can't be read in the original: %s", r.Stream, l.Consumer, l.Cause)
	}
	if r.KeepsAll {
		text += fmt.Sprintf("\n%s: the copy has the retention limits, not interest, and keeps what that consumer may want: make it anew, then set the retention", r.Stream)
	}
	_, err := fmt.Fprintln(out, text)
	return err
}

func lostText(first, last store.Seq) string {
	if first == last {
		return fmt.Sprintf("message %d is lost in the original", first)
	}
	return fmt.Sprintf("messages %d to %d are lost in the original", first, last)
}

// losses count what transfers left out because it is lost in the original.
type losses struct {
	messages  uint64
	consumers int
}

func (l *losses) add(r *transfer.Result) {
	l.messages += r.LostMessages()
	l.consumers += len(r.LostConsumers)
}

// err is what a command ends with that left something out.
func (l *losses) err() error {
	what := leftOut(0, l.messages, l.consumers, 0)
	if what == "" {
		return nil
	}
	return fmt.Errorf("lost in the original, and left out: %s; everything else is there", what)
}

// leftOut says what is not in a copy, "" if everything is.
func leftOut(streams int, messages uint64, consumers, drafts int) string {
	var what []string
	for _, e := range []struct {
		n    int64
		name string
	}{
		{int64(streams), "stream"}, {int64(messages), "message"}, {int64(consumers), "consumer"}, //nolint:gosec // no store has so many
	} {
		if e.n > 0 {
			what = append(what, store.NumberOf(e.n, e.name))
		}
	}
	if drafts > 0 {
		what = append(what, "what is said above of "+store.NumberOf(drafts, "draft"))
	}
	return strings.Join(what, ", ")
}
