package publish

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"jsfs/store"
)

func TestWriterOffsets(t *testing.T) {
	tests := []struct {
		name  string
		steps string
		want  []string
	}{
		{"writes in any order", "p3:def p0:abc end", []string{`"abcdef"`}},
		{"a gap in the first message reads as zeros", "p3:d end", []string{`"\x00\x00\x00d"`}},
		{"overwriting", "w:abc p1:X end", []string{`"aXc"`}},
		{"O_APPEND ignores the kernel's offset", "a:ab a:cd end", []string{`"abcd"`}},
		{"O_APPEND after a commit", "a:ab s a:cd end", []string{`"ab"`, `"cd"`}},
		{"the position goes on after a commit", "w:ab s w:cd w:ef end", []string{`"ab"`, `"cdef"`}},
		{"a gap after a commit is no part of the message", "w:ab s p9:cd end", []string{`"ab"`, `"cd"`}},
		{"after a commit the lowest byte begins the message", "w:ab s p9:cd p5:xy p7:zz end", []string{`"ab"`, `"xyzzcd"`}},
		{"rewound after a commit", "w:abc s p0:xy p2:z end", []string{`"abc"`, `"xyz"`}},
		{"rewound below what was begun after a commit", "w:abcd s w:ef p1:g end", []string{`"abcd"`, `"g\x00\x00ef"`}},
		{"truncated to less", "w:abcdef t2 p2:x end", []string{`"abx"`}},
		{"truncated to more adds zeros", "w:ab t4 end", []string{`"ab\x00\x00"`}},
		{"truncated to more only", "t2 end", []string{`"\x00\x00"`}},
		{"cut and extended: what was cut is gone", "w:abcdef t2 t4 end", []string{`"ab\x00\x00"`}},
		{"truncated to its size after a commit is nothing", "w:ab s t2 end", []string{`"ab"`}},
		{"emptied after a commit, and written", "w:ab s t0 p0:cd end", []string{`"ab"`, `"cd"`}},
		{"emptied after a commit is no message", "w:ab s t0 end", []string{`"ab"`}},
		{"an empty write is no write", "w: end", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(t, false)
			for word := range strings.FieldsSeq(test.steps) {
				s.step(word)
			}
			if got := s.stream.messages(); !slices.Equal(got, test.want) || s.errs != nil {
				t.Errorf("got %v, errors %q; want %v", got, s.errs, test.want)
			}
		})
	}
}

func TestWriterRefusesAtWrite(t *testing.T) {
	room := errors.New("full")
	tests := []struct {
		name   string
		change func(*fakeStream, *Subject)
		off    int64
		want   error
	}{
		{"a subject that the stream does not take", func(s *fakeStream, _ *Subject) { s.cfg.Subjects = []string{"y"} }, 0, store.ErrSubject},
		{"a sealed stream", func(s *fakeStream, _ *Subject) { s.cfg.Sealed = true }, 0, store.ErrSealed},
		{"a full store", func(_ *fakeStream, t *Subject) {
			t.Room = func(context.Context, int64) error { return room }
		}, 0, room},
		{"over the limit", func(s *fakeStream, _ *Subject) { s.cfg.MaxMsgSize = 3 }, 0, store.ErrTooLarge},
		{"at offset 2^40", func(*fakeStream, *Subject) {}, 1 << 40, store.ErrTooLarge},
		{"at the last offset there is", func(*fakeStream, *Subject) {}, 1<<63 - 1, store.ErrTooLarge},
		{"at a negative offset", func(*fakeStream, *Subject) {}, -1, store.ErrTooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newFakeStream()
			subject := Subject{Stream: s, Name: "x"}
			test.change(s, &subject)
			w := NewDesk(&fakeProc{}, nil).NewWriter(s, subject, Open{Thread: 1})
			n, err := w.Write(t.Context(), 1, []byte("data"), test.off, false)
			if n != 0 || !errors.Is(err, test.want) {
				t.Errorf("got %d, %v; want 0, %v", n, err, test.want)
			}
			if got := w.Release(t.Context()); got != (Outcome{}) || len(s.messages()) != 0 {
				t.Errorf("got %+v and messages %v after a refusal", got, s.messages())
			}
		})
	}
	t.Run("of a stream that is full", func(t *testing.T) {
		for _, c := range []struct {
			name    string
			cfg     store.Config
			subject string
			want    error
		}{
			{"max_msgs", store.Config{MaxMsgs: 2, Discard: store.DiscardNew}, "x", store.ErrLimit},
			{"max_bytes", store.Config{MaxBytes: 11, Discard: store.DiscardNew}, "x", store.ErrLimit},
			{"there is room", store.Config{MaxMsgs: 3, MaxBytes: 12, Discard: store.DiscardNew}, "x", nil},
			{"the old ones go", store.Config{MaxMsgs: 2, MaxBytes: 11}, "x", nil},
			{"the oldest of the subject goes", store.Config{MaxMsgs: 2, MaxMsgsPerSubject: 1, Discard: store.DiscardNew}, "x", nil},
			{"another subject", store.Config{MaxMsgs: 2, MaxMsgsPerSubject: 1, Discard: store.DiscardNew}, "z", store.ErrLimit},
			{"max_msgs_per_subject", store.Config{MaxMsgsPerSubject: 1, Discard: store.DiscardNew, DiscardNewPerSubject: true}, "x", store.ErrLimit},
			{"a new subject", store.Config{MaxMsgsPerSubject: 1, Discard: store.DiscardNew, DiscardNewPerSubject: true}, "z", nil},
		} {
			s := newFakeStream()
			for _, subject := range []string{"x", "y"} {
				if _, err := s.Append(t.Context(), store.Entry{Subject: subject, Data: []byte("data")}); err != nil {
					t.Fatal(err)
				}
			}
			c.cfg.Name = "S"
			s.cfg = c.cfg.WithDefaults()
			target := Subject{Stream: s, Name: c.subject}
			if err := target.Check(t.Context(), 0); err != nil {
				t.Errorf("%s: its open: %v", c.name, err)
			}
			w := NewDesk(&fakeProc{}, nil).NewWriter(s, target, Open{Thread: 1})
			if _, err := w.Write(t.Context(), 1, []byte("data"), 0, false); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", c.name, err, c.want)
			}
			if err := target.Check(t.Context(), 4); !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", c.name, err, c.want)
			}
		}
	})
	t.Run("no message comes of what was written before", func(t *testing.T) {
		s := newFakeStream()
		s.cfg.MaxMsgSize = 3
		for _, retry := range []bool{false, true} {
			w := NewDesk(&fakeProc{}, nil).NewWriter(s, Subject{Stream: s, Name: "x"}, Open{Thread: 1})
			_, _ = w.Write(t.Context(), 1, []byte("ab"), 0, false)
			if _, err := w.Write(t.Context(), 1, []byte("cd"), 2, false); !errors.Is(err, store.ErrTooLarge) {
				t.Fatalf("got %v, want %v", err, store.ErrTooLarge)
			}
			want := store.ErrTooLarge
			if retry {
				want = nil
				if _, err := w.Write(t.Context(), 1, []byte("c"), 2, false); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := w.Flush(t.Context(), 1); !errors.Is(err, want) {
				t.Errorf("close: got %v, want %v", err, want)
			}
			w.Release(t.Context())
		}
		if got, want := s.messages(), []string{`"abc"`}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("after a commit the limit is the next message's", func(t *testing.T) {
		s := newFakeStream()
		s.cfg.MaxMsgSize = 3
		w := NewDesk(&fakeProc{}, nil).NewWriter(s, Subject{Stream: s, Name: "x"}, Open{Thread: 1})
		for off := int64(0); off < 9; off += 3 {
			if _, err := w.Write(t.Context(), 1, []byte("abc"), off, false); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Fsync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Write(t.Context(), 1, []byte("abcd"), 9, false); !errors.Is(err, store.ErrTooLarge) {
			t.Fatalf("got %v, want %v", err, store.ErrTooLarge)
		}
	})
}

func TestWriterSpills(t *testing.T) {
	s := newFakeStream()
	desk := NewDesk(&fakeProc{}, NewBudget(100<<10))
	open := func() *Writer {
		return desk.NewWriter(s, Subject{Stream: s, Name: "x"}, Open{Thread: 1})
	}
	block := bytes.Repeat([]byte("0123456789abcdef"), 2048) // 32 KiB
	var ws []*Writer
	for range 10 {
		w := open()
		ws = append(ws, w)
		for off := int64(0); off < 4*int64(len(block)); off += int64(len(block)) {
			if _, err := w.Write(t.Context(), 1, block, off, false); err != nil {
				t.Fatal(err)
			}
			if desk.budget.used > desk.budget.limit {
				t.Fatalf("buffers take %d bytes of %d", desk.budget.used, desk.budget.limit)
			}
		}
	}
	if s.scratch != 10 {
		t.Errorf("got %d scratch drafts, want 10", s.scratch)
	}
	for i, w := range ws {
		if out := w.Release(t.Context()); out.Err != nil || int(out.Seq) != i+1 {
			t.Errorf("got %+v", out)
		}
		if want := bytes.Repeat(block, 4); !bytes.Equal(s.msgs[i].Data, want) {
			t.Errorf("message %d is not what was written", i+1)
		}
	}
	if s.scratch != 0 || desk.budget.used != 0 || desk.budget.loads != 0 {
		t.Errorf("left behind: scratch drafts %d, memory %d, loads %d", s.scratch, desk.budget.used, desk.budget.loads)
	}
}

// A writer agrees with a plain file as long as nothing is committed; and with one whose
// front is cut off after a commit.
func TestWriterLikeFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newFakeStream()
		budget := NewBudget(rapid.SampledFrom([]int64{1, 40 << 10, 1 << 30}).Draw(t, "budget"))
		rng := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "bytes")))
		held := make([]byte, rapid.SampledFrom([]int{0, 1, 5000, 400000}).Draw(t, "held"))
		for i := range held {
			held[i] = byte(rng.Uint32())
		}
		w := NewDesk(&fakeProc{}, budget).NewWriter(s, Subject{Stream: s, Name: "x"}, Open{Thread: 1, Under: &fakeUnder{b: held}})
		// model is the file up to the end of what was written, held what is left of what was there.
		var model []byte
		reach := func(size int) {
			if n := len(model); n < size {
				model = append(model, make([]byte, size-n)...)
				copy(model[n:], held[min(n, len(held)):])
			}
		}
		for range rapid.IntRange(1, 12).Draw(t, "calls") {
			size := rapid.SampledFrom([]int{0, 1, 7, 4096, 40000, 70000, 130000}).Draw(t, "size")
			if rapid.IntRange(0, 3).Draw(t, "call") == 0 {
				if err := w.Truncate(t.Context(), int64(size)); err != nil {
					t.Fatal(err)
				}
				if len(model) == 0 && size == len(held) && size > 0 {
					continue
				}
				reach(size)
				model, held = model[:size], held[:min(size, len(held))]
				continue
			}
			p := make([]byte, size)
			for i := range p {
				p[i] = byte(rng.Uint32())
			}
			off := rapid.IntRange(0, 140000).Draw(t, "offset")
			atEnd := rapid.Bool().Draw(t, "append")
			if n, err := w.Write(t.Context(), 1, p, int64(off), atEnd); n != size || err != nil {
				t.Fatal(n, err)
			}
			if atEnd {
				off = len(model)
			}
			if size > 0 {
				reach(off)
				model = append(model, make([]byte, max(0, off+size-len(model)))...)
				copy(model[off:], p)
			}
		}
		got := make([]byte, len(model)+1)
		if n, _ := w.ReadAt(got, 0); !bytes.Equal(got[:n], model) || w.Size() != int64(len(model)) {
			t.Fatalf("read %d bytes that differ from the %d written", n, len(model))
		}
		out := w.Release(t.Context())
		if len(model) > 0 && (out.Err != nil || !bytes.Equal(s.msgs[0].Data, model)) {
			t.Fatalf("the message differs from what was written (%v)", out.Err)
		}
		if budget.used != 0 || s.scratch != 0 {
			t.Fatalf("left behind: %d bytes, %d scratch drafts", budget.used, s.scratch)
		}
	})
}

func TestBufferShift(t *testing.T) {
	for _, size := range []int{1, 100, 60000, 70000, 600000} {
		for _, by := range []int{1, 99, 50000, 300000, 700000} {
			s := newFakeStream()
			b := buffer{drafts: s, budget: NewBudget(0)}
			p := make([]byte, size)
			for i := range p {
				p[i] = byte(i*7 + i>>8 + 1)
			}
			if err := b.writeAt(t.Context(), p, 0); err != nil {
				t.Fatal(err)
			}
			if err := b.shift(t.Context(), int64(by)); err != nil {
				t.Fatal(err)
			}
			got, done, err := b.load(t.Context())
			if want := append(make([]byte, by), p...); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes shifted by %d differ (%v)", size, by, err)
			}
			done()
		}
	}
}

func TestKeepTakesTheNextFreeName(t *testing.T) {
	s := newScript(t, false)
	s.stream.drafts[".killed.1"] = &fakeDraft{b: []byte("older")}
	for _, word := range []string{"w:half", "k1", "end"} {
		s.step(word)
	}
	if got, want := s.stream.messages(), []string{`.killed.1 "older"`, `.killed.2 "half"`}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestReleaseTellsWhatIsLost(t *testing.T) {
	s := newScript(t, false)
	s.stream.noDraft = store.ErrReadOnly
	s.step("refuse")
	s.step("w:a")
	out := s.w.Release(t.Context())
	if !errors.Is(out.Err, store.ErrNoSpace) || !errors.Is(out.Err, store.ErrReadOnly) || out.Draft != "" || out.Size != 1 {
		t.Errorf("got %+v", out)
	}
}

// Who writes or closes when the mount was taken away must not believe that a message came of it.
func TestWhoClosesATakenFileIsTold(t *testing.T) {
	s := newScript(t, false)
	s.step("w:half")
	s.w.Abandon()
	if out := s.w.Release(t.Context()); out.Draft != ".killed.1" || out.Err != nil {
		t.Fatalf("got %+v", out)
	}
	if _, err := s.w.Flush(t.Context(), 1); !errors.Is(err, ErrTaken) {
		t.Errorf("close: got %v, want %v", err, ErrTaken)
	}
	if _, err := s.w.Fsync(t.Context()); !errors.Is(err, ErrTaken) {
		t.Errorf("fsync: got %v, want %v", err, ErrTaken)
	}
	if n, err := s.w.Write(t.Context(), 1, []byte("more"), 4, false); n != 0 || !errors.Is(err, ErrTaken) {
		t.Errorf("write: got %d, %v, want %v", n, err, ErrTaken)
	}
	if err := s.w.Truncate(t.Context(), 0); !errors.Is(err, ErrTaken) {
		t.Errorf("truncate: got %v, want %v", err, ErrTaken)
	}
	if out := s.w.Release(t.Context()); out != (Outcome{}) {
		t.Errorf("released twice: got %+v", out)
	}
	if got, want := s.stream.messages(), []string{`.killed.1 "half"`}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
