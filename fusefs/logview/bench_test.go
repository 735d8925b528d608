package logview_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"jsfs/fusefs/logview"
	"jsfs/store"
	"jsfs/store/blockstore"
)

// benchEngines are the engines as they are used, not with blocks made small for tests.
var benchEngines = []engine{
	engines[0],
	{"blockstore", func(t testing.TB) store.Store {
		s, err := blockstore.OpenDir(t.TempDir(), blockstore.Options{Sync: blockstore.SyncNever})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}},
}

// benchLog returns the log of a million messages of 101 bytes, and its size.
func benchLog(b *testing.B, e engine) (*logview.Log, int64) {
	b.Helper()
	const batch = 1000
	s := e.streams(b)(b)
	es := make([]store.Entry, batch)
	for i := range es {
		es[i] = store.Entry{Subject: "s", Data: []byte(strings.Repeat("x", 100) + "\n")}
	}
	for range 1_000_000 / batch {
		if _, err := s.AppendAll(b.Context(), es); err != nil {
			b.Fatal(err)
		}
	}
	l := logview.New(s, store.Query{}, logview.Payloads)
	size, err := l.Size(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return l, size
}

// BenchmarkReadOn reads the log from the beginning to the end.
func BenchmarkReadOn(b *testing.B) {
	for _, e := range benchEngines {
		l, size := benchLog(b, e)
		for _, chunk := range []int{4 << 10, 128 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%s/%dKiB", e.name, chunk>>10), func(b *testing.B) {
				p := make([]byte, chunk)
				b.SetBytes(size)
				for b.Loop() {
					readThrough(b, l, p, size)
				}
			})
		}
	}
}

func readThrough(b *testing.B, l *logview.Log, p []byte, size int64) {
	h := open(b, l)
	defer h.Close()
	off := int64(0)
	for {
		n, err := h.ReadAt(b.Context(), p, off)
		off += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if off != size {
		b.Fatalf("read %d bytes of %d", off, size)
	}
}

// BenchmarkReadAnywhere reads 4 KiB at random places.
func BenchmarkReadAnywhere(b *testing.B) {
	for _, e := range benchEngines {
		l, size := benchLog(b, e)
		b.Run(e.name, func(b *testing.B) {
			h := open(b, l)
			rng := rand.New(rand.NewPCG(1, 2))
			p := make([]byte, 4<<10)
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				if _, err := h.ReadAt(b.Context(), p, rng.Int64N(size-int64(len(p)))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
