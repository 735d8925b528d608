package transfer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"

	"jsfs/store"
	"jsfs/store/jsonl"
)

// BackupOptions say how a backup is written.
type BackupOptions struct {
	Options
	// Plain leaves the file uncompressed.
	Plain bool
	// Source is noted in the backup: where the streams are from.
	Source string
	// Streams is how many streams the whole backup has, if the file is one of several; 0 is those
	// in the file.
	Streams int
	// Done is called when a stream is in the file; nil is nobody.
	Done func(Result)
}

// partSuffix is what a backup's name ends in while it is not finished.
const partSuffix = ".part"

// WriteFile backs streams of s up into the file name, in that order. The file has another name until it is
// finished and durable. What an earlier call left there is gone on with; a file that exists is
// store.ErrExists, unless it is a backup of the same streams in the same state.
func WriteFile(ctx context.Context, s store.Store, streams []string, name string, opt BackupOptions) error {
	if opt.Streams == 0 {
		opt.Streams = len(streams)
	}
	if opt.Done == nil {
		opt.Done = func(Result) {}
	}
	w := &fileWriter{opt: opt, s: s, streams: streams, name: name}
	if _, err := os.Lstat(name); err == nil {
		return w.compare(ctx)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return w.write(ctx)
}

// fileWriter writes one backup file.
type fileWriter struct {
	opt     BackupOptions
	s       store.Store
	streams []string
	name    string

	f    *os.File
	off  int64
	zstd *zstd.Encoder // nil if the file is plain
	old  *Backup       // what an earlier call left, as long as it is of use
	out  []byte
}

func (w *fileWriter) write(ctx context.Context) (err error) {
	part := w.name + partSuffix
	if w.f, err = os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.f.Close()) }()
	if err := lockPart(w.f, part); err != nil {
		return err
	}
	if !w.opt.Plain {
		w.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
		if err != nil {
			return err
		}
	}
	w.openOld(part)
	defer w.dropOld()
	for _, name := range w.streams {
		if err := w.stream(ctx, name); err != nil {
			return fmt.Errorf("stream %s: %w", name, err)
		}
	}
	if err := w.f.Truncate(w.off); err != nil { // an earlier call may have left more
		return err
	}
	if err := w.f.Sync(); err != nil {
		return err
	}
	if w.opt.Verify {
		if err := w.verify(ctx, part); err != nil {
			return err
		}
	}
	if err := os.Rename(part, w.name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(w.name))
}

// lockPart sees to it that nobody else writes the file that was opened as part, nor has finished it meanwhile: it has the backup's name then.
func lockPart(f *os.File, part string) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { //nolint:gosec // a descriptor is small
		return fmt.Errorf("%s: somebody else writes this backup, or it can't be locked: %w", part, err)
	}
	locked, err := f.Stat()
	if err != nil {
		return err
	}
	if named, err := os.Stat(part); err != nil || !os.SameFile(locked, named) {
		return fmt.Errorf("%s: somebody else has just finished this backup: %w", part, store.ErrExists)
	}
	return nil
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// header is the first line of a stream's part, and what it tells of.
func (w *fileWriter) header(ctx context.Context, st store.Stream) (header, error) {
	consumers, lost, err := consumersOf(ctx, st) // before the state, so that they are not ahead of it
	if err != nil {
		return header{}, err
	}
	state, err := st.State(ctx)
	if err != nil {
		return header{}, err
	}
	until(state.Last, consumers)
	version := plainVersion
	if len(consumers) > 0 {
		version = consumerVersion
	}
	return header{
		Version: version, Streams: w.opt.Streams, Config: st.Config(), Incarnation: st.Incarnation(),
		First: state.First, Last: state.Last, LastTime: time.Unix(0, state.LastTime).UTC(),
		Messages: state.Live.Messages, Bytes: state.Live.Payload, Consumers: len(consumers),
		Source: w.opt.Source, Created: time.Now().UTC(), consumers: consumers, lost: lost,
	}, nil
}

// stream writes one stream's part, or what the file lacks of it.
func (w *fileWriter) stream(ctx context.Context, name string) error {
	st, err := w.s.Stream(ctx, name)
	if err != nil {
		return err
	}
	h, err := w.header(ctx, st)
	if err != nil {
		return err
	}
	p := &partWriter{w: w, head: h, tally: newTally(), sum: newSum()}
	if done, err := p.takeOver(ctx, st); done || err != nil {
		return err
	}
	if err := w.f.Truncate(w.off); err != nil {
		return err
	}
	if !p.begun {
		if err := p.begin(); err != nil {
			return err
		}
	}
	for ms, err := range ahead(readBatches(ctx, st, p.tally.last+1, h.Last)) {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		for i := range ms {
			p.text = jsonl.Append(p.text, ms[i])
			p.tally.add(&ms[i])
			if len(p.text) >= chunkSize {
				if err := p.flush(); err != nil {
					return err
				}
			}
		}
		w.opt.progress(p.tally.Messages, h.Messages)
	}
	lost, err := lostOf(ctx, st, h.Last)
	if err != nil {
		return err
	}
	return p.finish(end{Lost: lost, LostConsumers: h.lost})
}

// partWriter writes a part.
type partWriter struct {
	w       *fileWriter
	head    header
	tally   *tally
	resumed int64
	begun   bool // the file has the header, and the consumers
	sum     xxhash.Digest
	text    []byte // of the chunk that is gathered
}

// begin writes the header, and a line for each consumer. Behind consumers a chunk ends.
func (p *partWriter) begin() error {
	line, err := p.head.line()
	if err != nil {
		return err
	}
	p.begun = true
	p.text = append(p.text, line...)
	for i := range p.head.consumers {
		if p.text, err = appendConsumer(p.text, &p.head.consumers[i]); err != nil {
			return err
		}
		if len(p.text) >= chunkSize || i == len(p.head.consumers)-1 {
			if err := p.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func newSum() (d xxhash.Digest) {
	d.Reset()
	return d
}

// flush writes the chunk, with its check line.
func (p *partWriter) flush() error {
	_, _ = p.sum.Write(p.text)
	line, err := json.Marshal(check{hex64(p.sum.Sum64()), p.tally.Messages, p.tally.last})
	if err != nil {
		return err
	}
	return p.write(append(line, '\n'))
}

// finish writes what is left, and the end line.
func (p *partWriter) finish(e end) error {
	_, _ = p.sum.Write(p.text)
	e.Sum, e.Messages, e.Bytes, e.Last = hex64(p.sum.Sum64()), p.tally.Messages, p.tally.Payload, p.head.Last
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := p.write(append(line, '\n')); err != nil {
		return err
	}
	r := p.tally.result(p.head.Config.Name, p.resumed, p.head.Last, e.Lost)
	r.Consumers, r.LostConsumers = p.head.Consumers, e.LostConsumers
	p.w.opt.Done(r)
	return nil
}

// write puts the chunk and the line behind it into the file, as a frame of its own.
func (p *partWriter) write(line []byte) error {
	_, _ = p.sum.Write(line)
	p.text = append(p.text, line...)
	w, b := p.w, p.text
	if w.zstd != nil {
		w.out = w.zstd.EncodeAll(b, w.out[:0])
		b = w.out
	}
	n, err := w.f.WriteAt(b, w.off)
	if err != nil {
		return err
	}
	w.off += int64(n)
	p.text = p.text[:0]
	return nil
}

// verify reads the whole file back.
func (w *fileWriter) verify(ctx context.Context, name string) error {
	b, err := Open(name)
	if err != nil {
		return err
	}
	defer b.Close()
	for range w.streams {
		p, err := b.Next()
		if err != nil {
			return err
		}
		if _, err := p.Check(ctx, w.opt.Options); err != nil {
			return err
		}
	}
	return nil
}
