package fusefs

import (
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func newErrorLog() *errorLog { return &errorLog{log: slog.New(slog.DiscardHandler)} }

func TestErrorLogLines(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	for _, tt := range []struct {
		name, path, reason string
		errno              syscall.Errno
		want               string
	}{
		{"a plain line", "ORDERS/42", "messages never change", syscall.EPERM,
			"2026-01-02T03:04:05.006Z open ORDERS/42 EPERM messages never change\n"},
		{"a newline in a name stays in the line", "A\nB", "bad name", syscall.EINVAL,
			"2026-01-02T03:04:05.006Z open \"A\\nB\" EINVAL bad name\n"},
		{"broken UTF-8 is shown as what it is", "A\xffB", "bad name", syscall.EINVAL,
			"2026-01-02T03:04:05.006Z open \"A\\xffB\" EINVAL bad name\n"},
		{"of a long name the middle is left out", strings.Repeat("a", 255) + "é" + strings.Repeat("b", 1000), "bad name", syscall.EINVAL,
			"2026-01-02T03:04:05.006Z open " + strings.Repeat("a", 255) + "…" + strings.Repeat("b", 256) + " EINVAL bad name\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newErrorLog()
			l.add(at, "open", tt.path, tt.errno, tt.reason)
			got := make([]byte, 2000)
			got = got[:l.readAt(got, 0)]
			if string(got) != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestErrorLogHoldsTheLastLines(t *testing.T) {
	l := newErrorLog()
	var all strings.Builder
	now := time.Now()
	const added = maxErrors + 123
	for i := range added {
		l.add(now, "x", "p", syscall.EPERM, fmt.Sprint("reason ", i))
		fmt.Fprintf(&all, "%s x p EPERM reason %d\n", now.Format("2006-01-02T15:04:05.000Z07:00"), i)
	}
	want := []byte(all.String())
	start, end := l.extent()
	if end != int64(len(want)) {
		t.Fatalf("end: got %d, want %d", end, len(want))
	}
	if got := strings.Count(string(want[start:]), "\n"); got != maxErrors {
		t.Errorf("lines held: got %d, want %d", got, maxErrors)
	}
	for i := range start {
		want[i] = '\n' // what is gone reads as newlines
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		off, size := rng.IntN(len(want)+100), rng.IntN(5000)
		got := make([]byte, size)
		got = got[:l.readAt(got, int64(off))]
		lo := min(off, len(want))
		if w := want[lo:min(lo+size, len(want))]; string(got) != string(w) {
			t.Fatalf("read of %d at %d: got %q, want %q", size, off, got, w)
		}
	}
}

// pread(2) may be asked for any offset, and behind the end there is nothing.
func TestFarBehindTheErrorsThereIsNothing(t *testing.T) {
	m := newMounted(t, Options{})
	for range maxErrors + 1 { // so that offset 0 of the open is not 0
		m.errors.add(time.Now(), "x", "p", syscall.EPERM, "reason")
	}
	node := m.walk(".jsfs/errors").NodeId
	open, st := m.openAt(node, syscall.O_RDONLY)
	if !st.Ok() {
		t.Fatal(st)
	}
	defer m.Release(nil, &fuse.ReleaseIn{InHeader: header(node), Fh: open.Fh})
	for _, off := range []int64{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 - 100, 1 << 40} {
		if got, st := m.readAt(node, open.Fh, off, 10); got != "" || !st.Ok() {
			t.Errorf("at %d: got %q, %v", off, got, st)
		}
	}
}
