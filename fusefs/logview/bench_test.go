package logview_test

import (
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"jsfs/fusefs/logview"
	"jsfs/store"
)

func benchLog(b *testing.B, messages int) (*logview.Log, int64) {
	s := newMemStream(b)
	es := make([]store.Entry, messages)
	for i := range es {
		es[i] = store.Entry{Subject: "s", Data: []byte(strings.Repeat("x", 100) + "\n")}
	}
	if _, err := s.AppendAll(b.Context(), es); err != nil {
		b.Fatal(err)
	}
	l := logview.New(s)
	size, err := l.Size(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return l, size
}

// BenchmarkReadOn reads a million messages of 101 bytes from the beginning to the end.
func BenchmarkReadOn(b *testing.B) {
	for _, c := range []struct {
		name  string
		chunk int
	}{{"4KiB", 4 << 10}, {"128KiB", 128 << 10}, {"1MiB", 1 << 20}} {
		b.Run(c.name, func(b *testing.B) {
			l, size := benchLog(b, 1_000_000)
			p := make([]byte, c.chunk)
			b.SetBytes(size)
			for b.Loop() {
				h := open(b, l)
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
				h.Close()
				if off != size {
					b.Fatalf("read %d bytes of %d", off, size)
				}
			}
		})
	}
}

// BenchmarkReadAnywhere reads 4 KiB at random places among a million messages.
func BenchmarkReadAnywhere(b *testing.B) {
	l, size := benchLog(b, 1_000_000)
	h := open(b, l)
	rng := rand.New(rand.NewPCG(1, 2))
	p := make([]byte, 4<<10)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if _, err := h.ReadAt(b.Context(), p, rng.Int64N(size-int64(len(p)))); err != nil {
			b.Fatal(err)
		}
	}
}
