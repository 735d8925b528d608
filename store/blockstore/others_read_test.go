package blockstore_test

import (
	"bytes"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

var othersRead = []othersFault{
	{"buffers aliased by callers", func(t *testing.T) {
		for _, v := range variants {
			k := newStock(t, v, blockstore.SyncNever, 0)
			buf, header, subject := []byte(stockData(1)), []byte("NATS/1.0\r\nA: b\r\n\r\n"), []byte("s.1")
			es := []store.Entry{{Subject: string(subject), Header: header, Data: buf}}
			_, err := k.st.AppendAll(bg, es)
			must(t, err)
			clear(buf)
			clear(header)
			for range 2 {
				m, err := k.st.Load(bg, 1, make([]byte, 0, 4096))
				if err != nil || string(m.Data) != stockData(1) || string(m.Header) != "NATS/1.0\r\nA: b\r\n\r\n" || m.Subject != "s.1" {
					t.Errorf("%s: got %q %q, %v", v.name, m.Header, m.Data, err)
				}
				clear(m.Data[:cap(m.Data)])
				clear(m.Header)
			}
			a, aerr := k.st.Load(bg, 1, nil)
			k.fill(t, 1)
			b, berr := k.st.Load(bg, 2, nil)
			must(t, errors.Join(aerr, berr))
			clear(b.Data)
			if string(a.Data) != stockData(1) || !bytes.Equal(b.Data, make([]byte, len(b.Data))) {
				t.Errorf("%s: two messages share their bytes", v.name)
			}
			must(t, k.s.Close())
		}
	}},
	{"reader sees a closed file", func(t *testing.T) {
		k := newStock(t, variants[0], blockstore.SyncNever, 200)
		must(t, k.s.Close())
		k.opt.CacheBytes, k.opt.MaxFiles = 1, 1
		closeBeforeReads(t, k)
		k.open(t, k.mem)
		var wg sync.WaitGroup
		var done atomic.Bool
		var loads atomic.Int64
		for r := range 4 {
			wg.Go(func() {
				rng := seeded(r)
				for !done.Load() {
					seq := store.Seq(1 + rng.IntN(200)) //nolint:gosec // small
					m, err := k.st.Load(bg, seq, nil)
					if err != nil || string(m.Data) != stockData(seq) {
						t.Errorf("message %d: got %q, %v", seq, m.Data, err)
						return
					}
					loads.Add(1)
				}
			})
		}
		k.fill(t, 500) // blocks are sealed and files closed meanwhile
		for loads.Load() < 1000 && !t.Failed() {
			k.fill(t, 1)
		}
		done.Store(true)
		wg.Wait()
	}},
}

// closeBeforeReads lets other readers close the file of a reader between the moment that it has the file and its read.
func closeBeforeReads(t *testing.T, k *stock) {
	t.Helper()
	f := &lateReads{FS: k.mem}
	k.open(t, f)
	load := func(seq store.Seq) {
		if m, err := k.st.Load(bg, seq, nil); err != nil || string(m.Data) != stockData(seq) {
			t.Errorf("message %d, whose file was closed: got %q, %v", seq, m.Data, err)
		}
	}
	for seq := store.Seq(5); seq <= 200; seq += 40 {
		f.before = func() {
			f.before = nil                                         // who finds it closed opens it again, and is to read then
			for other := store.Seq(1); other <= 200; other += 20 { // most in other blocks
				load(other)
			}
		}
		load(seq)
	}
	if f.closed == 0 {
		t.Error("no reader found its file closed")
	}
	must(t, k.s.Close())
}

// lateReads is a file system whose reads of opened files come late. It is used by one goroutine.
type lateReads struct {
	vfs.FS
	before func() // is called before each read; nil does nothing
	closed int    // so many reads found the file closed
}

// Open implements [vfs.FS].
func (l *lateReads) Open(name string) (vfs.File, error) {
	f, err := l.FS.Open(name)
	return &lateFile{File: f, l: l}, err
}

type lateFile struct {
	vfs.File
	l *lateReads
}

func (f *lateFile) ReadAt(p []byte, off int64) (int, error) {
	if f.l.before != nil {
		f.l.before()
	}
	n, err := f.File.ReadAt(p, off)
	if errors.Is(err, fs.ErrClosed) {
		f.l.closed++
	}
	return n, err
}
