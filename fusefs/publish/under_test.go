package publish

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// fakeUnder is a file's bytes, which can't be read if err is set.
type fakeUnder struct {
	b   []byte
	err error
}

func (u *fakeUnder) Size() int64 { return int64(len(u.b)) }

func (u *fakeUnder) ReadFull(_ context.Context, p []byte, off int64) error {
	if u.err != nil {
		return u.err
	}
	copy(p, u.b[off:off+int64(len(p))])
	return nil
}

// Who neither empties a file nor appends to it finds in it what he passes over.
func TestWriterOverWhatIsThere(t *testing.T) {
	tests := []struct {
		name  string
		steps string
		want  []string
	}{
		{"the whole of it is written", "w:xyz end", []string{`"xyz"`}},
		{"the beginning is passed over", "p4:XY end", []string{`"abcdXY"`}},
		{"a part is passed over", "w:X p5:Y end", []string{`"XbcdeY"`}},
		{"behind its end are zeros", "p8:X end", []string{`"abcdef\x00\x00X"`}},
		{"all is passed over, and the size set", "t6 end", nil},
		{"the end is passed over, and the size set", "w:XY t6 end", []string{`"XYcdef"`}},
		{"it is cut", "t3 end", []string{`"abc"`}},
		{"it is extended", "t8 end", []string{`"abcdef\x00\x00"`}},
		{"what was cut is gone", "t2 p5:X end", []string{`"ab\x00\x00\x00X"`}},
		{"what was cut behind what was written is gone", "w:XY t2 p4:Z end", []string{`"XY\x00\x00Z"`}},
		{"cut and extended", "t2 t4 end", []string{`"ab\x00\x00"`}},
		{"emptied", "t0 p2:X end", []string{`"\x00\x00X"`}},
		{"after a commit nothing is filled up", "p1:X s p4:Y end", []string{`"aX"`, `"Y"`}},
		{"nothing is written", "end", nil},
		{"its writer was killed", "p4:X k1 end", []string{`.killed.1 "abcdX"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(t, false)
			s.w = s.desk.NewWriter(s.stream, Subject{Stream: s.stream, Name: "x"}, Open{Inode: 7, Thread: 1, Under: &fakeUnder{b: []byte("abcdef")}})
			for word := range strings.FieldsSeq(test.steps) {
				s.step(word)
			}
			if got := s.stream.messages(); !slices.Equal(got, test.want) || s.errs != nil {
				t.Errorf("got %v, errors %q; want %v", got, s.errs, test.want)
			}
		})
	}
}

// What the file held can't be read: who passes over it is told, and what he writes again is the message.
func TestWriterOverWhatCantBeRead(t *testing.T) {
	s := newFakeStream()
	damaged := errors.New("damaged")
	w := NewDesk(&fakeProc{}, nil).NewWriter(s, Subject{Stream: s, Name: "x"}, Open{Thread: 1, Under: &fakeUnder{bytes.Repeat([]byte("a"), 3*chunk), damaged}})
	if err := w.Truncate(t.Context(), 5); !errors.Is(err, damaged) {
		t.Errorf("truncate: got %v, want %v", err, damaged)
	}
	if _, err := w.Write(t.Context(), 1, []byte("text"), 2*chunk, false); !errors.Is(err, damaged) {
		t.Errorf("write: got %v, want %v", err, damaged)
	}
	if _, err := w.Flush(t.Context(), 1); !errors.Is(err, damaged) {
		t.Errorf("close: got %v, want %v", err, damaged)
	}
	if _, err := w.Write(t.Context(), 1, []byte("text"), 0, false); err != nil {
		t.Errorf("write from the beginning: %v", err)
	}
	if out := w.Release(t.Context()); out.Err != nil || string(s.msgs[0].Data) != "text" {
		t.Errorf("got %+v and messages %v", out, s.messages())
	}
}
