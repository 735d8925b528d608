package gather

import (
	"bytes"
	"io"
	"testing"

	"jsfs/store"
)

// largeMessages are longer than what is written and read at once.
func largeMessages() map[store.Seq]store.Msg {
	out := map[store.Seq]store.Msg{}
	for seq, data := range map[store.Seq][]byte{
		9: bytes.Repeat([]byte("a line\n"), largeSize/4),
		3: bytes.Repeat([]byte{0xff, 0}, largeSize),
		7: make([]byte, 2*largeSize+5),
		5: bytes.Repeat([]byte(`"`), largeSize-1), // its line is, it is not
	} {
		m := message(seq)
		m.Data = data
		out[seq] = m
	}
	return out
}

func TestLargeMessages(t *testing.T) {
	for _, killed := range []bool{false, true} {
		s := newStream(t)
		b := newBench(t, s, Options{})
		want := largeMessages()
		for _, seq := range []store.Seq{9, 3, 7, 5} {
			if err := b.r.Restore(t.Context(), want[seq], maker()); err != nil {
				t.Fatal(err)
			}
			if m, ok := b.r.Held(seq); !ok || m.Size != int64(len(want[seq].Data)) {
				t.Errorf("message %d: %+v, %v", seq, m, ok)
			}
		}
		b.restore(8)
		if killed {
			b.kill()
			b = newBench(t, s, Options{})
			if err := b.r.Recover(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		b.settle()
		b.wantDrafts()
		for seq, m := range want {
			got, err := s.Load(t.Context(), seq, nil)
			if err != nil || got.Subject != m.Subject || !bytes.Equal(got.Header, m.Header) || !bytes.Equal(got.Data, m.Data) {
				t.Errorf("message %d, killed %v: %d bytes, %v", seq, killed, len(got.Data), err)
			}
		}
		if _, err := s.Load(t.Context(), 8, nil); err != nil {
			t.Error(err)
		}
	}
}

// A damaged page of a large message costs that, and none of the others.
func TestDamageInALargeMessage(t *testing.T) {
	f, b := newFaulty(t, Options{})
	want := largeMessages()
	b.restore(11)
	for _, seq := range []store.Seq{9, 3} {
		if err := b.r.Restore(t.Context(), want[seq], maker()); err != nil {
			t.Fatal(err)
		}
	}
	b.kill()
	f.page = 3 * largeSize / pageSize // the middle of message 3, whose line begins behind 2 MiB
	next := newBench(t, f, Options{})
	if err := next.r.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	next.wantDrafts(".refused.1")
	for seq, there := range map[store.Seq]bool{11: true, 9: true, 3: false} {
		if _, err := f.Load(t.Context(), seq, nil); (err == nil) != there {
			t.Errorf("message %d: %v", seq, err)
		}
	}
}

// endless is where a large message is written to: what is kept of it is its length.
type endless struct {
	store.Draft
	size int64
	most int
}

func (d *endless) WriteAt(p []byte, off int64) (int, error) {
	d.size, d.most = max(d.size, off+int64(len(p))), max(d.most, len(p))
	return len(p), nil
}

func (d *endless) Truncate(int64) error { return io.ErrUnexpectedEOF }

// No message is in memory as a line, and none takes much more room than itself.
func TestLargeMessagesAreWrittenInPieces(t *testing.T) {
	for seq, m := range largeMessages() {
		d := &endless{}
		if err := newFile(d).add(m); err != nil {
			t.Error(err)
		}
		if most := int64(len(m.Data))*4/3 + 1000; len(m.Data) >= largeSize && (d.size > most || d.most > 1<<20) {
			t.Errorf("message %d of %d bytes: %d bytes, %d at once", seq, len(m.Data), d.size, d.most)
		}
	}
}
