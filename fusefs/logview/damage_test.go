package logview_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"

	"jsfs/fusefs/logview"
	"jsfs/store"
)

// damaged is a source in which some messages can't be read: of those in bad only the
// payload, of those in lost nothing.
type damaged struct {
	logview.Source
	bad, lost map[store.Seq]bool
}

var errChecksum = &store.CorruptError{File: "1.blk", Offset: 42, Err: errors.New("checksum")}

func (d *damaged) Load(ctx context.Context, seq store.Seq, buf []byte) (store.Msg, error) {
	if d.bad[seq] || d.lost[seq] {
		return store.Msg{}, errChecksum
	}
	return d.Source.Load(ctx, seq, buf)
}

func (d *damaged) LoadRun(ctx context.Context, seq store.Seq, buf []byte) iter.Seq2[store.Msg, error] {
	return runOf(ctx, d.Load, seq, buf)
}

// runOf is LoadRun by load.
func runOf(ctx context.Context, load func(context.Context, store.Seq, []byte) (store.Msg, error), seq store.Seq, buf []byte) iter.Seq2[store.Msg, error] {
	return func(yield func(store.Msg, error) bool) {
		m, err := load(ctx, seq, buf)
		for yield(m, err) && err == nil {
			if m, err = load(ctx, m.Seq+1, buf); err != nil {
				return
			}
		}
	}
}

func (d *damaged) Next(ctx context.Context, q store.Query, buf []byte) (store.Msg, error) {
	m, err := d.Source.Next(ctx, q, buf)
	if d.bad[m.Seq] || d.lost[m.Seq] {
		return store.Msg{Meta: store.Meta{Seq: m.Seq}}, errChecksum
	}
	return m, err
}

func (d *damaged) Stat(ctx context.Context, seq store.Seq) (store.Meta, error) {
	if d.lost[seq] {
		return store.Meta{}, errChecksum
	}
	return d.Source.Stat(ctx, seq)
}

func (d *damaged) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Meta, error] {
	return func(yield func(store.Meta, error) bool) {
		for m, err := range d.Source.Scan(ctx, q) {
			if !d.lost[m.Seq] && !yield(m, err) {
				return
			}
		}
	}
}

func (d *damaged) State(ctx context.Context) (store.State, error) {
	st, err := d.Source.State(ctx)
	st.Lost = uint64(len(d.lost))
	return st, err
}

func (d *damaged) Extents(ctx context.Context) ([]store.Extent, store.State, error) {
	st, err := d.State(ctx)
	var x store.Extent
	for m, err := range d.Scan(ctx, store.Query{}) {
		if err != nil {
			return nil, st, err
		}
		x.Live = x.Live.Add(m)
	}
	x.First, x.Last, st.Live = 1, st.Last, x.Live
	return []store.Extent{x}, st, err
}

func (d *damaged) Damage(context.Context) ([]store.Damage, error) {
	var all []store.Damage
	for seq := range d.lost {
		all = append(all, store.Damage{File: "1.blk", First: seq, Last: seq, Cause: "checksum"})
	}
	return all, nil
}

func set(seqs ...store.Seq) map[store.Seq]bool {
	m := map[store.Seq]bool{}
	for _, s := range seqs {
		m[s] = true
	}
	return m
}

// appendLines stores a message for each word, without a newline.
func appendLines(t testing.TB, s store.Stream, words ...string) {
	t.Helper()
	for _, w := range words {
		if _, err := s.Append(t.Context(), store.Entry{Subject: "s", Data: []byte(w)}); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t testing.TB, l *logview.Log) *logview.Handle {
	t.Helper()
	h, err := l.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// reads makes reads of n bytes, each where the last one ended, until nothing comes, and writes
// down what they gave: "!" is damage.
func reads(t *testing.T, h *logview.Handle, off int64, n, times int) string {
	t.Helper()
	var out strings.Builder
	for range times {
		p := make([]byte, n)
		k, err := h.ReadAt(t.Context(), p, off)
		off += int64(k)
		out.Write(p[:k])
		var damage *store.CorruptError
		switch {
		case errors.As(err, &damage):
			if k > 0 {
				t.Errorf("a read gave %q and the error %v", p[:k], err)
			}
			out.WriteByte('!')
		case err == io.EOF:
			return out.String()
		case err != nil:
			t.Fatal(err)
		}
	}
	return out.String()
}

func TestDamage(t *testing.T) {
	for _, c := range []struct {
		name      string
		bad, lost map[store.Seq]bool
		off       int64
		n, times  int
		want      string
	}{
		{"what stands before a damaged message is given first", set(3), nil, 0, 100, 2, "a\nb\n!"},
		{"a damaged message stays in the way", set(3), nil, 0, 100, 4, "a\nb\n!!!"},
		{"inside of it is damage, too", set(3), nil, 5, 100, 2, "!!"},
		{"beyond it all is well", set(3), nil, 6, 100, 2, "d\ne\n"},
		{"a damaged message at the end", set(5), nil, 6, 100, 3, "d\n!!"},
		{"a damaged message at the beginning", set(1), nil, 0, 100, 2, "!!"},
		{"a lost message is told of once", nil, set(3), 0, 100, 3, "a\nb\n!d\ne\n"},
		{"several in a row are told of once", nil, set(2, 3, 4), 0, 100, 3, "a\n!e\n"},
		{"several apart are told of each", nil, set(2, 4), 0, 100, 5, "a\n!c\n!e\n"},
		{"lost messages at the end are told of", nil, set(4, 5), 0, 100, 5, "a\nb\nc\n!"},
		{"all is lost", nil, set(1, 2, 3, 4, 5), 0, 100, 5, "!"},
		{"small reads are told the same", nil, set(3), 0, 1, 20, "a\nb\n!d\ne\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newMemStream(t)
			appendLines(t, s, "a", "b", "c", "d", "e")
			h := open(t, logview.New(&damaged{s, c.bad, c.lost}, store.Query{}, logview.Payloads))
			if got := reads(t, h, c.off, c.n, c.times); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestLostMessagesBehindRemovedOnesAreToldOf(t *testing.T) {
	s := newMemStream(t)
	appendLines(t, s, "a", "b", "c", "d", "e")
	d := &damaged{s, nil, set(3)}
	h := open(t, logview.New(d, store.Query{}, logview.Payloads))
	if _, err := s.Remove(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if got, want := reads(t, h, 0, 100, 5), "a\n!d\ne\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAMessageThatIsLostWhileTheLogIsOpenLeavesItsPlace(t *testing.T) {
	s := newMemStream(t)
	appendLines(t, s, "a", "bb", "c")
	d := &damaged{s, nil, map[store.Seq]bool{}}
	h := open(t, logview.New(d, store.Query{}, logview.Payloads))
	d.lost[2] = true
	p := make([]byte, 3)
	if n, err := h.ReadAt(t.Context(), p, 4); err != nil && err != io.EOF || string(p[:n]) != "\nc\n" {
		t.Errorf("at 4 is %q, %v", p[:n], err)
	}
}

func TestAnErrorOfTheStoreIsTheReaders(t *testing.T) {
	s := newMemStream(t)
	appendLines(t, s, "a")
	l := logview.New(s, store.Query{}, logview.Payloads)
	h := open(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := s.Remove(ctx, 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := h.ReadAt(ctx, make([]byte, 10), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled read gives %v", err)
	}
	h.Close()
	if _, err := h.ReadAt(t.Context(), make([]byte, 10), 0); !errors.Is(err, store.ErrClosed) {
		t.Errorf("a read after Close gives %v", err)
	}
}

func TestALargeMessageIsReadInPieces(t *testing.T) {
	s := newMemStream(t)
	big := bytes.Repeat([]byte("0123456789abcdef"), 200_000) // 3.2 MB
	appendLines(t, s, "a", string(big), string(big)+"\n", "b")
	h := open(t, logview.New(s, store.Query{}, logview.Payloads))
	want := "a\n" + string(big) + "\n" + string(big) + "\nb\n"
	if got := reads(t, h, 0, 128<<10, 100); got != want {
		t.Errorf("got %d bytes, want %d, or others", len(got), len(want))
	}
	if _, err := s.Remove(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 4)
	if n, _ := h.ReadAt(t.Context(), p, int64(len(want)-4)); string(p[:n]) != "\n\nb\n" {
		t.Errorf("behind a large run is %q", p[:n])
	}
}
