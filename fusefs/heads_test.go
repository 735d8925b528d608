package fusefs

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/store"
)

// loadsCounted is a stream that counts how often a message of it is loaded.
type loadsCounted struct {
	store.Stream
	loads int
}

func (s *loadsCounted) Load(ctx context.Context, seq store.Seq, buf []byte) (store.Msg, error) {
	s.loads++
	return s.Stream.Load(ctx, seq, buf)
}

// large makes a stream with so many large messages, each with a header, and returns what counts its loads.
func (m *mounted) large(name string, n int) (*stream, *loadsCounted) {
	m.t.Helper()
	s := m.stream(name)
	for range n {
		e := store.Entry{Subject: "a.b", Header: []byte("NATS/1.0\r\nX: secret\r\n\r\n"), Data: []byte(strings.Repeat("x", headFrom))}
		if _, err := s.Append(m.t.Context(), e); err != nil {
			m.t.Fatal(err)
		}
	}
	counted := &loadsCounted{Stream: s.Stream}
	s.Stream = counted
	return s, counted
}

// headers is what cp -a asks of a message, and returns one header.
func (m *mounted) headers(node uint64) (string, fuse.Status) {
	m.t.Helper()
	h := header(node)
	_, _ = m.ListXAttr(nil, &h, make([]byte, 1000))
	_, _ = m.getXattr(node, "user.jsfs.headers")
	return m.getXattr(node, "user.jsfs.header.X")
}

func TestALargeMessageIsLoadedOnceForItsAttributes(t *testing.T) {
	m := newMounted(t, Options{SeqWidth: 1})
	s, counted := m.large("S", keptHeads+1)
	for seq := 1; seq <= keptHeads+1; seq++ {
		node, _ := s.message(store.Seq(seq))
		for range 2 {
			if got, st := m.headers(node); got != "secret" || !st.Ok() {
				t.Errorf("message %d: got %q, %v", seq, got, st)
			}
		}
		if counted.loads != seq {
			t.Errorf("after message %d: %d loads", seq, counted.loads)
		}
	}
	// What is removed is kept for who has it open, and asked for each time: it may be given up.
	node, _ := s.message(2)
	m.remove(s, 2)
	for range 2 {
		if got, st := m.headers(node); got != "secret" || !st.Ok() {
			t.Errorf("removed: got %q, %v", got, st)
		}
	}
	if counted.loads <= keptHeads+1 {
		t.Error("a message that is not live was not looked for")
	}
}

func TestAttributesAreForgottenWithAnErasedMessage(t *testing.T) {
	m := newMounted(t, Options{SeqWidth: 1})
	s, _ := m.large("S", 2)
	first, _ := s.message(1)
	second, _ := s.message(2)
	if got, st := m.headers(first); got != "secret" || !st.Ok() {
		t.Fatal(got, st)
	}
	erase := func(seq store.Seq) {
		if _, err := s.Erase(t.Context(), seq); err != nil {
			t.Error(err)
		}
		m.erased(s, seq, 0)
	}
	forgotten := func() {
		t.Helper()
		if i := slices.IndexFunc(m.heads.recent[:], func(h head) bool { return h.msg.Header != nil }); i >= 0 {
			t.Errorf("%q is in memory still", m.heads.recent[i].msg.Header)
		}
	}
	erase(1)
	forgotten()
	if got, st := m.headers(first); st.Ok() {
		t.Errorf("erased: got %q", got)
	}
	s.Stream = &erasesLoaded{s.Stream, func() { erase(2) }} // while it is loaded
	_, _ = m.headers(second)
	forgotten()
	if got, st := m.headers(second); st.Ok() {
		t.Errorf("erased while it was loaded: got %q", got)
	}
}
