package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"jsfs/store"
)

func newLines(s *fakeStream, proc *fakeProc) *Lines {
	return NewDesk(proc, nil).NewLines(Subject{Stream: s, Name: "s"}, Open{Inode: 7, Thread: 1})
}

func TestLines(t *testing.T) {
	tests := []struct {
		name   string
		writes []string
		want   []string
		end    []string // what there is after the close
	}{
		{"a line", []string{"a\n"}, []string{`"a\n"`}, nil},
		{"several in one write", []string{"a\nb\n\nc\n"}, []string{`"a\n"`, `"b\n"`, `"\n"`, `"c\n"`}, nil},
		{"a line in pieces", []string{"a", "b", "c\nd"}, []string{`"abc\n"`}, []string{`"d"`}},
		{"a newline alone", []string{"a", "\n"}, []string{`"a\n"`}, nil},
		{"the last line without one", []string{"a\nb"}, []string{`"a\n"`}, []string{`"b"`}},
		{"nothing", []string{""}, nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newFakeStream()
			l := newLines(s, &fakeProc{fds: map[uint32]int{}})
			for _, p := range test.writes {
				if n, err := l.Write(t.Context(), []byte(p)); n != len(p) || err != nil {
					t.Fatalf("got %d, %v; want %d, nil", n, err, len(p))
				}
			}
			if got := s.messages(); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if _, err := l.Flush(t.Context(), 1); err != nil {
				t.Error(err)
			}
			if got, want := s.messages(), slices.Concat(test.want, test.end); !slices.Equal(got, want) {
				t.Errorf("after the close: got %v, want %v", got, want)
			}
			if out := l.Release(t.Context()); out != (Outcome{}) {
				t.Errorf("got %+v, want nothing left", out)
			}
		})
	}
}

func TestLinesCutAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newFakeStream()
		l := newLines(s, &fakeProc{})
		text := []byte(rapid.StringOf(rapid.SampledFrom([]rune{'a', 'b', '\n'})).Draw(t, "text"))
		for rest := text; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "cut")
			if k, err := l.Write(t.Context(), rest[:n]); k != n || err != nil {
				t.Fatal(k, err)
			}
			rest = rest[n:]
		}
		if out := l.Release(t.Context()); out.Err != nil {
			t.Fatal(out.Err)
		}
		var want [][]byte
		for line := range bytes.Lines(text) {
			want = append(want, line)
		}
		if !slices.EqualFunc(s.msgs, want, func(m store.Msg, b []byte) bool { return bytes.Equal(m.Data, b) }) {
			t.Fatalf("%q became %v", text, s.messages())
		}
	})
}

func TestLinesRefused(t *testing.T) {
	tests := []struct {
		name  string
		carry string
		write string
		from  int // the first message that is refused
		n     int
		err   bool // the write itself fails
		want  []string
	}{
		{"at the third line: the bytes before it", "", "a\nbb\nc\n", 3, 5, false, []string{`"a\n"`, `"bb\n"`}},
		{"the first byte of the first line was in an earlier write", "x", "a\nbb\nc\n", 2, 2, false, []string{`"xa\n"`}},
		{"at the first line: an error", "", "a\nb\n", 1, 0, true, nil},
		{"at the line that was carried: an error", "x", "a\nb\n", 1, 0, true, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newFakeStream()
			s.refuse, s.from = store.ErrNoSpace, test.from
			l := newLines(s, &fakeProc{})
			if _, err := l.Write(t.Context(), []byte(test.carry)); err != nil {
				t.Fatal(err)
			}
			n, err := l.Write(t.Context(), []byte(test.write))
			if n != test.n || (err != nil) != test.err {
				t.Errorf("got %d, %v; want %d", n, err, test.n)
			}
			if got := s.messages(); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
			if !test.err {
				if n, err := l.Write(t.Context(), []byte("more\n")); n != 0 || !errors.Is(err, store.ErrNoSpace) {
					t.Errorf("the next write: got %d, %v; want 0, %v", n, err, store.ErrNoSpace)
				}
			}
			s.refuse = nil
			if n, err := l.Write(t.Context(), []byte(test.write[test.n:])); n != len(test.write)-test.n || err != nil {
				t.Errorf("once there is room: got %d, %v", n, err)
			}
			if out := l.Release(t.Context()); out != (Outcome{}) {
				t.Errorf("got %+v, want nothing left", out)
			}
			var got strings.Builder
			for _, m := range s.msgs {
				got.Write(m.Data)
			}
			if want := test.carry + test.write; got.String() != want {
				t.Errorf("got %q, want %q", got.String(), want)
			}
		})
	}
}

func TestLinesTooLong(t *testing.T) {
	s := newFakeStream()
	s.cfg.MaxMsgSize = 5
	l := newLines(s, &fakeProc{})
	for _, step := range []struct {
		write string
		n     int
		err   error
	}{
		{"abcdef\n", 0, store.ErrTooLarge},
		{"abcde", 5, nil},
		{"f", 0, store.ErrTooLarge},
		{"\n", 0, store.ErrTooLarge},
	} {
		if n, err := l.Write(t.Context(), []byte(step.write)); n != step.n || !errors.Is(err, step.err) {
			t.Errorf("%q: got %d, %v; want %d, %v", step.write, n, err, step.n, step.err)
		}
	}
	l.Release(t.Context())
	if got := s.messages(); got != nil {
		t.Errorf("got %v, want nothing", got)
	}
}

func TestLinesKilled(t *testing.T) {
	s := newFakeStream()
	l := newLines(s, &fakeProc{killed: map[int]bool{1: true}})
	if _, err := l.Write(t.Context(), []byte("whole\nha")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Flush(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	out := l.Release(t.Context())
	if want := (Outcome{Draft: ".killed.1", Killed: true, Size: 2}); out != want {
		t.Errorf("got %+v, want %+v", out, want)
	}
	if got, want := s.messages(), []string{`"whole\n"`, `.killed.1 "ha"`}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLinesCarryIsBounded(t *testing.T) {
	s := newFakeStream()
	desk := NewDesk(&fakeProc{}, NewBudget(256<<10))
	part := bytes.Repeat([]byte("x"), 50000)
	for i := range 8 {
		l := desk.NewLines(Subject{Stream: s, Name: "s"}, Open{Thread: 1})
		for range 4 {
			if _, err := l.Write(t.Context(), part); err != nil {
				t.Fatal(err)
			}
		}
		if desk.budget.used > 256<<10 {
			t.Fatalf("%d writers take %d bytes", i, desk.budget.used)
		}
		if _, err := l.Write(t.Context(), []byte("\n")); err != nil {
			t.Fatal(err)
		}
		if got, want := len(s.msgs[i].Data), 4*len(part)+1; got != want {
			t.Errorf("got a line of %d bytes, want %d", got, want)
		}
		l.Release(t.Context())
	}
}

// countStream takes messages and forgets them.
type countStream struct {
	*fakeStream
	n, calls int
}

func (s *countStream) AppendAll(_ context.Context, es []store.Entry) (int, error) {
	s.n += len(es)
	s.calls++
	return len(es), nil
}

func TestLinesAllocateNothing(t *testing.T) {
	s := &countStream{fakeStream: newFakeStream()}
	l := NewDesk(&fakeProc{}, nil).NewLines(Subject{Stream: s, Name: "s"}, Open{Thread: 1})
	block := bytes.Repeat([]byte(strings.Repeat("x", 99)+"\n"), 655)
	ctx := t.Context()
	allocs := testing.AllocsPerRun(100, func() {
		if n, err := l.Write(ctx, block); n != len(block) || err != nil {
			t.Fatal(n, err)
		}
	})
	if allocs > 40 { // a collection in between takes what is kept for the next call
		t.Errorf("got %v allocations for 655 lines, want 40 at most", allocs)
	}
	if want := s.n / 655; s.calls != want {
		t.Errorf("got %d calls, want %d", s.calls, want)
	}
}

func BenchmarkLines(b *testing.B) {
	for _, size := range []int{16, 100, 1000} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			s := &countStream{fakeStream: newFakeStream()}
			l := NewDesk(&fakeProc{}, nil).NewLines(Subject{Stream: s, Name: "s"}, Open{Thread: 1})
			line := []byte(strings.Repeat("x", size-1) + "\n")
			block := bytes.Repeat(line, 64<<10/size+1)[:64<<10]
			for b.Loop() {
				if _, err := l.Write(b.Context(), block); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(s.n)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}

// Who is interrupted between the lines of his write hears how far he came, and whoever writes next hears nothing of it.
func TestAnInterruptionOfAWriteIsNotTheNextOnes(t *testing.T) {
	s := newFakeStream()
	l := newLines(s, &fakeProc{})
	ctx, interrupt := context.WithCancel(t.Context())
	s.stored = func(n int) {
		if n == maxBatch {
			interrupt()
		}
	}
	text := bytes.Repeat([]byte("\n"), maxBatch+1)
	if n, err := l.Write(ctx, text); n != maxBatch || err != nil {
		t.Fatalf("got %d, %v; want %d, nil", n, err, maxBatch)
	}
	if n, err := l.Write(t.Context(), text[maxBatch:]); n != 1 || err != nil {
		t.Errorf("the next write: got %d, %v; want 1, nil", n, err)
	}
	if n, err := l.Write(ctx, []byte("a\n")); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("who is interrupted at once: got %d, %v", n, err)
	}
	if got := len(s.msgs); got != len(text) {
		t.Errorf("%d lines are stored, want %d", got, len(text))
	}
}
