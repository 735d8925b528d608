package logview_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"jsfs/fusefs/logview"
	"jsfs/store"
)

// partMsg is a message as a test knows it.
type partMsg struct {
	seq  store.Seq
	text string // framed
	in   bool   // it belongs to the part
	live bool
}

// partMachine appends, removes and brings back, and reads the log of a part forward.
type partMachine struct {
	ctx     context.Context
	s       store.Stream
	q       store.Query
	framing logview.Framing
	log     *logview.Log
	msgs    []*partMsg
	readers []*partReader
	size    int64 // of the log when it was looked at last; 0 if nobody had it open
	fresh   bool  // nothing was removed or came back since the log was opened first
	loose   bool  // a message came back since then: it may be shown or not
}

// partReader reads on. The messages before next are behind it; rest is what it still has to get of the one
// that it is in the middle of.
type partReader struct {
	h    *logview.Handle
	pos  int64
	next int // index in msgs
	rest string
}

func (x *partMachine) append(t *rapid.T) {
	for range rapid.IntRange(1, 8).Draw(t, "times") {
		subject := rapid.SampledFrom([]string{"a", "b", "a.c"}).Draw(t, "subject")
		seq, err := x.s.Append(x.ctx, store.Entry{Subject: subject, Data: fmt.Appendf(nil, "%d %s", len(x.msgs), subject)})
		if err != nil {
			t.Fatal(err)
		}
		m, err := x.s.Load(x.ctx, seq, nil)
		if err != nil {
			t.Fatal(err)
		}
		in := x.q.Matches(subject) && seq >= x.q.From && (x.q.To == 0 || seq <= x.q.To)
		x.msgs = append(x.msgs, &partMsg{seq, string(x.framing.Append(nil, m)), in, true})
	}
}

func (x *partMachine) remove(t *rapid.T) {
	if len(x.msgs) == 0 {
		t.Skip("nothing was stored")
	}
	from := rapid.IntRange(0, len(x.msgs)-1).Draw(t, "from")
	for _, m := range x.msgs[from:min(from+rapid.IntRange(1, 6).Draw(t, "n"), len(x.msgs))] {
		if _, err := x.s.Remove(x.ctx, m.seq); err != nil {
			t.Fatal(err)
		}
		m.live, x.fresh = false, false
	}
}

func (x *partMachine) bringBack(t *rapid.T) {
	for _, m := range x.msgs {
		if m.live {
			continue
		}
		if err := x.s.Undelete(x.ctx, m.seq); err != nil {
			t.Fatal(err)
		}
		m.live, x.fresh, x.loose = true, false, true
		return
	}
	t.Skip("nothing was removed")
}

func (x *partMachine) open(t *rapid.T) {
	if len(x.readers) == 3 {
		t.Skip("enough")
	}
	h, err := x.log.Open(x.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(x.readers) == 0 {
		x.fresh, x.loose = true, false
	}
	x.readers = append(x.readers, &partReader{h: h})
}

func (x *partMachine) pick(t *rapid.T) int {
	if len(x.readers) == 0 {
		t.Skip("nobody has it open")
	}
	return rapid.IntRange(0, len(x.readers)-1).Draw(t, "reader")
}

func (x *partMachine) close(t *rapid.T) {
	i := x.pick(t)
	x.readers[i].h.Close()
	if x.readers = slices.Delete(x.readers, i, i+1); len(x.readers) == 0 {
		x.size = 0
	}
}

// readOn demands what a forward reader must get: each message that is live when it is reached.
func (x *partMachine) readOn(t *rapid.T) {
	r := x.readers[x.pick(t)]
	p := make([]byte, rapid.IntRange(1, 150).Draw(t, "len"))
	n, err := r.h.ReadAt(x.ctx, p, r.pos)
	if err != nil && !errors.Is(err, io.EOF) || n < len(p) && err == nil {
		t.Fatalf("at %d: %d of %d bytes, %v", r.pos, n, len(p), err)
	}
	r.pos += int64(n)
	got := string(p[:n])
	if x.loose { // what came back may be shown or not
		return
	}
	for got != "" {
		if r.rest == "" {
			for r.next < len(x.msgs) && (!x.msgs[r.next].in || !x.msgs[r.next].live) {
				r.next++
			}
			if r.next == len(x.msgs) {
				t.Fatalf("%q comes behind the last message", got)
			}
			r.rest = x.msgs[r.next].text
			r.next++
		}
		k := min(len(got), len(r.rest))
		if got[:k] != r.rest[:k] {
			t.Fatalf("got %q, want %q", got, r.rest)
		}
		got, r.rest = got[k:], r.rest[k:]
	}
	if err == nil {
		return
	}
	for _, m := range x.msgs[r.next:] {
		if r.next++; m.in && m.live {
			t.Fatalf("the end comes before message %d", m.seq)
		}
	}
}

// look compares any place with the whole, as long as nothing moved.
func (x *partMachine) look(t *rapid.T) {
	i := x.pick(t)
	if !x.fresh {
		t.Skip("places are only near")
	}
	var whole string
	for _, m := range x.msgs {
		if m.in && m.live {
			whole += m.text
		}
	}
	h, err := x.log.Open(x.ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	off := rapid.IntRange(0, len(whole)).Draw(t, "off")
	p := make([]byte, 50)
	n, _ := h.ReadAt(x.ctx, p, int64(off))
	if want := whole[off:min(off+len(p), len(whole))]; string(p[:n]) != want {
		t.Fatalf("%d: at %d is %q, want %q", i, off, p[:n], want)
	}
}

func (x *partMachine) check(t *rapid.T) {
	size, err := x.log.Size(x.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(x.readers) == 0 {
		want := int64(0)
		for _, m := range x.msgs {
			if m.in && m.live {
				want += int64(len(m.text))
			}
		}
		if size != want {
			t.Fatalf("the size is %d, want %d", size, want)
		}
		return
	}
	if size < x.size {
		t.Fatalf("the size shrinks from %d to %d", x.size, size)
	}
	x.size = size
	for _, r := range x.readers {
		if r.pos > size {
			t.Fatalf("a reader is at %d, the size is %d", r.pos, size)
		}
	}
}

func TestPartsAgainstModel(t *testing.T) {
	for _, c := range []struct {
		name string
		q    store.Query
		f    logview.Framing
	}{
		{"a subject", store.Query{Subject: "a"}, logview.Payloads},
		{"a subject as JSON lines", store.Query{Subject: "b"}, logview.JSONLines},
		{"a pattern", store.Query{Subject: "a.>"}, logview.Payloads},
		{"several", store.Query{Subject: "a", Or: []string{"a.*"}}, logview.JSONLines},
		{"a range", store.Query{From: 5, To: 30}, logview.Payloads},
		{"from a message on", store.Query{From: 5, Subject: "*"}, logview.Payloads},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEveryEngine(t, func(t *testing.T, newStream func(testing.TB) store.Stream) { testPart(t, newStream, c.q, c.f) })
		})
	}
}

func testPart(t *testing.T, newStream func(testing.TB) store.Stream, q store.Query, f logview.Framing) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStream(t)
		x := &partMachine{ctx: t.Context(), s: s, q: q, framing: f, log: logview.New(s, q, f)}
		x.log.SetLimits(rapid.IntRange(2, 8).Draw(rt, "segment"), rapid.IntRange(0, 20).Draw(rt, "fresh"))
		defer func() {
			for _, r := range x.readers {
				r.h.Close()
			}
		}()
		rt.Repeat(map[string]func(*rapid.T){
			"append": x.append, "append more": x.append, "remove": x.remove, "bring back": x.bringBack,
			"open": x.open, "close": x.close, "read on": x.readOn, "read on more": x.readOn, "look": x.look, "": x.check,
		})
	})
}
