package logview_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"jsfs/fusefs/logview"
	"jsfs/store"
	"jsfs/store/jsonl"
)

// model is the plain truth about a stream and its log: every message that was ever
// stored, and while the log is open the list of those that have a place.
type model struct {
	blank byte // what stands where messages were removed
	msgs  []*modelMsg
	open  int
	laid  []*modelMsg // nil while nobody has the log open
}

type modelMsg struct {
	seq   store.Seq
	text  []byte // framed
	live  bool
	start int // in the layout
}

func (m *model) append(seq store.Seq, text []byte) {
	msg := &modelMsg{seq: seq, text: text, live: true, start: m.size()}
	m.msgs = append(m.msgs, msg)
	if m.open > 0 {
		m.laid = append(m.laid, msg)
	}
}

func (m *model) size() int {
	n := 0
	if m.open > 0 {
		for _, msg := range m.laid {
			n += len(msg.text)
		}
		return n
	}
	for _, msg := range m.msgs {
		if msg.live {
			n += len(msg.text)
		}
	}
	return n
}

func (m *model) acquire() {
	if m.open == 0 {
		m.laid = nil
		at := 0
		for _, msg := range m.msgs {
			if msg.live {
				msg.start = at
				at += len(msg.text)
				m.laid = append(m.laid, msg)
			}
		}
	}
	m.open++
}

// at returns the index of the laid message with the byte at off; len(laid) at the end.
func (m *model) at(off int) int {
	i, _ := slices.BinarySearchFunc(m.laid, off, func(msg *modelMsg, off int) int {
		if msg.start+len(msg.text) <= off {
			return -1
		}
		return 1
	})
	return i
}

// modelHandle is one reader: what it was given in its pass, byte by byte, and where its
// frontier is in the layout.
type modelHandle struct {
	m      *model
	passed bool
	begin  int   // position where the pass began
	given  []int // the layout's offset of each byte of the pass
	front  int   // the layout's offset of the frontier
	blank  int   // up to here newlines are given
	told   []int // the last sizes that were told since it was opened, or met the end
}

func (h *modelHandle) pos() int { return h.begin + len(h.given) }

// read is what ReadAt must give. With upTo a read that ends at a size that was told gives nothing that was stored later.
func (h *modelHandle) read(off, n int, upTo bool) (out []byte) {
	defer func() {
		if len(out) == 0 {
			h.told = nil
		}
	}()
	limit := -1
	if upTo && slices.Contains(h.told, off+n) {
		limit = off + n
	}
	if !h.passed || off < h.begin || off > h.pos() {
		if off > h.m.size() {
			return nil
		}
		h.seek(off)
	}
	for ; len(out) < n && off < h.pos(); off++ {
		at := h.given[off-h.begin]
		msg := h.m.laid[h.m.at(at)]
		if msg.live {
			out = append(out, msg.text[at-msg.start])
		} else {
			out = append(out, h.m.blank)
		}
	}
	for len(out) < n {
		c, ok := h.advance(limit)
		if !ok {
			break
		}
		out = append(out, c)
	}
	return out
}

func (h *modelHandle) seek(off int) {
	h.passed, h.begin, h.given, h.front, h.blank = true, off, nil, off, 0
	i := h.m.at(off)
	if i == len(h.m.laid) || h.m.laid[i].live {
		return
	}
	if off == h.m.laid[i].start && (i == 0 || h.m.laid[i-1].live) {
		return
	}
	for ; i < len(h.m.laid) && !h.m.laid[i].live; i++ {
		h.blank = h.m.laid[i].start + len(h.m.laid[i].text)
	}
}

// advance gives the byte at the frontier, if that is in a message that begins before the limit, unless it is -1. At the end the frontier stays behind the last
// message that it gave: what comes back there is still ahead of it.
func (h *modelHandle) advance(limit int) (byte, bool) {
	before := h.front
	for {
		i := h.m.at(h.front)
		if i == len(h.m.laid) {
			h.front = before
			return 0, false
		}
		msg := h.m.laid[i]
		if h.front < h.blank {
			h.give()
			return h.m.blank, true
		}
		if h.front == msg.start && !msg.live {
			h.front += len(msg.text)
			continue
		}
		if h.front == msg.start && limit >= 0 && h.front >= limit {
			h.front = before
			return 0, false
		}
		c := msg.text[h.front-msg.start]
		h.give()
		return c, true
	}
}

func (h *modelHandle) give() {
	h.given = append(h.given, h.front)
	h.front++
}

// machine drives a log and its model.
type machine struct {
	ctx     context.Context
	s       store.Stream
	framing logview.Framing
	log     *logview.Log
	m       *model
	handles []*logview.Handle
	models  []*modelHandle
	guessed bool // a size that was told ends no read, once the log knows that
}

func (x *machine) append(t *rapid.T) {
	data := rapid.StringMatching(`[a-z]{0,12}\n?`).Draw(t, "data")
	for range rapid.IntRange(1, 6).Draw(t, "times") {
		data := fmt.Sprintf("%d%s", len(x.m.msgs), data)
		seq, err := x.s.Append(x.ctx, store.Entry{Subject: "s", Data: []byte(data)})
		if err != nil {
			t.Fatal(err)
		}
		x.m.append(seq, x.framed(t, seq, data))
	}
}

// framed is how the log shows a message that was stored.
func (x *machine) framed(t *rapid.T, seq store.Seq, data string) []byte {
	if x.framing == logview.JSONLines {
		m, err := x.s.Load(x.ctx, seq, nil)
		if err != nil || string(m.Data) != data {
			t.Fatalf("message %d is %q, %v, want %q", seq, m.Data, err, data)
		}
		return jsonl.Append(nil, m)
	}
	text := []byte(data)
	if len(text) == 0 || text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	return text
}

func (x *machine) remove(t *rapid.T) {
	x.removeRun(t, rapid.IntRange(0, max(0, len(x.m.msgs)-1)).Draw(t, "from"), rapid.IntRange(1, 5).Draw(t, "n"))
}

// retire removes from the front.
func (x *machine) retire(t *rapid.T) {
	from := slices.IndexFunc(x.m.msgs, func(m *modelMsg) bool { return m.live })
	x.removeRun(t, max(from, 0), rapid.IntRange(1, 20).Draw(t, "n"))
}

func (x *machine) removeRun(t *rapid.T, from, n int) {
	for _, msg := range x.m.msgs[min(from, len(x.m.msgs)):min(from+n, len(x.m.msgs))] {
		was, err := x.s.Remove(x.ctx, msg.seq)
		if err != nil || was != msg.live {
			t.Fatalf("Remove(%d) gives %v, %v", msg.seq, was, err)
		}
		msg.live = false
	}
}

// bringBack undeletes a message. It has its place again if it had one in this epoch.
func (x *machine) bringBack(t *rapid.T) {
	if len(x.m.msgs) == 0 {
		t.Skip("nothing was stored")
	}
	msg := rapid.SampledFrom(x.m.msgs).Draw(t, "message")
	if msg.live {
		t.Skip("it is live")
	}
	if err := x.s.Undelete(x.ctx, msg.seq); err != nil {
		t.Fatal(err)
	}
	msg.live = true
}

func (x *machine) open(t *rapid.T) {
	if len(x.handles) == 4 {
		t.Skip("enough")
	}
	h, err := x.log.Open(x.ctx)
	if err != nil {
		t.Fatal(err)
	}
	x.m.acquire()
	x.handles = append(x.handles, h)
	x.models = append(x.models, &modelHandle{m: x.m})
}

func (x *machine) pick(t *rapid.T) int {
	if len(x.handles) == 0 {
		t.Skip("nobody has it open")
	}
	return rapid.IntRange(0, len(x.handles)-1).Draw(t, "handle")
}

func (x *machine) close(t *rapid.T) {
	i := x.pick(t)
	x.handles[i].Close()
	x.handles[i].Close()
	x.handles, x.models = slices.Delete(x.handles, i, i+1), slices.Delete(x.models, i, i+1)
	x.m.open--
}

func (x *machine) readOn(t *rapid.T) {
	i := x.pick(t)
	x.read(t, i, x.models[i].pos())
}

func (x *machine) seek(t *rapid.T) {
	i := x.pick(t)
	x.read(t, i, rapid.IntRange(0, x.m.size()+5).Draw(t, "off"))
}

func (x *machine) read(t *rapid.T, i, off int) {
	length := rapid.IntRange(1, 400).Draw(t, "len")
	if told := x.models[i].told; len(told) > 0 && rapid.Bool().Draw(t, "to the end") {
		if to := rapid.SampledFrom(told).Draw(t, "told"); to > off {
			length = to - off
		}
	}
	p := bytes.Repeat([]byte{0}, length)
	n, err := x.handles[i].ReadAt(x.ctx, p, int64(off))
	knows := *x.models[i] // if the log does not know yet that events were lost
	knows.given = slices.Clone(knows.given)
	want := x.models[i].read(off, len(p), !x.guessed)
	if x.guessed && string(p[:n]) != string(want) {
		want = knows.read(off, len(p), true)
		x.models[i] = &knows
	}
	if string(p[:n]) != string(want) {
		t.Fatalf("handle %d at %d gives %q, want %q", i, off, p[:n], want)
	}
	if wantErr := n < len(p); (err != nil) != wantErr || wantErr && !errors.Is(err, io.EOF) {
		t.Fatalf("handle %d at %d gives %d of %d bytes with the error %v", i, off, n, len(p), err)
	}
}

func (x *machine) check(t *rapid.T) {
	n, err := x.log.Size(x.ctx)
	if err != nil || n != int64(x.m.size()) {
		t.Fatalf("Size is %d, %v, want %d", n, err, x.m.size())
	}
	for _, h := range x.models {
		h.told = append(h.told, int(n))
		h.told = h.told[max(0, len(h.told)-64):]
	}
}

// variant is what a test against the model does besides appending, removing and reading on.
type variant struct {
	seeks   bool // reads at random offsets
	returns bool // removed messages come back, as long as their place is remembered
	losses  bool // events get lost
	framing logview.Framing
}

// testAgainstModel runs random operations on a log and compares everything that it shows.
func testAgainstModel(t *testing.T, newStream func(t testing.TB) store.Stream, v variant) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStream(t)
		var source logview.Source = s
		if v.losses {
			source = forgetful{s}
		}
		x := &machine{ctx: t.Context(), s: s, framing: v.framing, guessed: v.losses, log: logview.New(source, store.Query{}, v.framing), m: &model{blank: '\n'}}
		if v.framing == logview.JSONLines {
			x.m.blank = ' '
		}
		fresh := rapid.IntRange(0, 20).Draw(rt, "fresh")
		if v.returns {
			fresh = 1 << 30
		}
		x.log.SetLimits(rapid.IntRange(2, 8).Draw(rt, "segment"), fresh)
		defer func() {
			for _, h := range x.handles {
				h.Close()
			}
		}()
		actions := map[string]func(*rapid.T){
			"append": x.append, "append more": x.append, "remove": x.remove, "retire": x.retire,
			"open": x.open, "close": x.close, "read on": x.readOn, "read on more": x.readOn,
			"": x.check,
		}
		if v.seeks {
			actions["seek"] = x.seek
		}
		if v.returns {
			actions["bring back"] = x.bringBack
		}
		rt.Repeat(actions)
	})
}

// forgetful is a source whose subscriptions lose events now and then.
type forgetful struct{ logview.Source }

func (f forgetful) Watch() store.Subscription { return &forgetfulSub{Subscription: f.Source.Watch()} }

type forgetfulSub struct {
	store.Subscription
	taken int
}

func (s *forgetfulSub) Take(buf []store.Event) ([]store.Event, bool) {
	events, lost := s.Subscription.Take(buf)
	if len(events) == 0 {
		return events, lost
	}
	switch s.taken++; s.taken % 5 {
	case 2:
		return events[:0], true
	case 4:
		return events[len(events)/2:], true
	}
	return events, lost
}
