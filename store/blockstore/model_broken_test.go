package blockstore

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// brokenModel is a stream on a disk whose writes, syncs and opens fail, and what must be in it. A stream that was told of such an error is
// opened again, perhaps after a kill or a loss of power: what was acknowledged is there, and what was refused whole, or not at all.
type brokenModel struct {
	opt     Options
	mem     *vfs.Mem
	disk    *vfs.Fail
	st      *Store
	s       store.Stream // nil if there is none
	now     content
	last    store.Seq // the highest sequence that there was
	inc     uint64
	removed map[uint64]bool // incarnations that are among the removed ones
	unsure  map[uint64]bool // those that a loss of power may leave nowhere, or in both places, as the disk failed when they went
	drafts  int             // that were made
	doubt   []string        // descriptions of which a loss of power may bring back any, as an update failed
}

// content is what a stream has.
type content struct {
	live, kept  map[store.Seq]string // messages, and those that were removed
	description string
	gone        bool // the stream was removed
	other       bool // it is one that took the place of the one that was before
}

func newContent() content {
	return content{live: map[store.Seq]string{}, kept: map[store.Seq]string{}}
}

func (c content) clone() content {
	c.live, c.kept = maps.Clone(c.live), maps.Clone(c.kept)
	return c
}

// attempt is an operation: what it may leave, from nothing of it to all of it, and whether its success is one of the disk's: with
// SyncAlways, or always.
type attempt struct {
	may             []content
	durable, always bool
	err             error
}

// brokenFaults are of a disk that can't write, or not find what is on it.
var brokenFaults = []vfs.Fault{
	{Err: syscall.EIO, Match: of("write")},
	{Err: syscall.EIO, Match: of("write"), Short: true},
	{Err: syscall.EIO, Match: of("sync", "syncdir"), Lost: true},
	{Err: syscall.EIO, Match: of("open", "list")},
	{Err: syscall.EMFILE, Match: of("open", "create", "list", "syncdir")},
	{Err: syscall.EIO, Match: of("write", "sync", "syncdir", "truncate", "create", "mkdir", "open", "list", "rename", "remove"), Lost: true},
}

// TestModelOfBrokenDisks makes random operations on a stream while writes, syncs and opens fail now and then.
func TestModelOfBrokenDisks(t *testing.T) {
	for _, k := range kinds {
		k.opt.asked = true
		t.Run(k.name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				m := &brokenModel{opt: k.opt, mem: vfs.NewMem(), removed: map[uint64]bool{}, unsure: map[uint64]bool{}}
				defer func() { _ = m.st.Close() }()
				m.open(rt)
				m.create(rt)
				actions := map[string]func(*rapid.T){"": m.compare}
				for name, do := range map[string]func(*rapid.T) attempt{
					"append": m.append, "append all": m.appendAll, "remove": m.remove, "undelete": m.undelete, "purge": m.purge,
					"update": m.update, "sync": m.sync, "publish": m.publish, "truncate": m.truncate,
				} {
					actions[name] = func(rt *rapid.T) { m.troubled(rt, do) }
				}
				actions["drop"] = m.dropEmpty
				rt.Repeat(actions)
			})
		})
	}
}

func (m *brokenModel) must(rt *rapid.T, err error) {
	rt.Helper()
	if err != nil {
		rt.Fatal(err)
	}
}

func (m *brokenModel) open(rt *rapid.T) {
	var err error
	m.disk = vfs.NewFail(m.mem)
	m.st, err = Open(m.disk, m.opt)
	m.must(rt, err)
}

// create makes the stream.
func (m *brokenModel) create(rt *rapid.T) {
	s, err := m.st.Create(rt.Context(), store.Config{Name: "S"})
	m.must(rt, err)
	m.s, m.now, m.last, m.doubt = s, newContent(), 0, nil
	m.takeInc(rt)
}

// takeInc notes which stream it is now.
func (m *brokenModel) takeInc(rt *rapid.T) {
	inc := m.s.Incarnation()
	if inc == m.inc || m.removed[inc] {
		rt.Fatalf("incarnation %d is used again", inc)
	}
	m.inc = inc
}

// find finds the stream, if it is there.
func (m *brokenModel) find(rt *rapid.T) error {
	var err error
	if m.s, err = m.st.Stream(rt.Context(), "S"); errors.Is(err, store.ErrNotFound) {
		m.s, err = nil, nil
	}
	return err
}

// troubled makes an operation while the disk fails in one of the ways, or does not.
func (m *brokenModel) troubled(rt *rapid.T, do func(*rapid.T) attempt) {
	m.must(rt, m.s.Sync(rt.Context())) // what was before is not what is tried
	if which := rapid.IntRange(-2, len(brokenFaults)-1).Draw(rt, "fault"); which >= 0 {
		fault := brokenFaults[which]
		fault.At = rapid.IntRange(1, 6).Draw(rt, "call")
		fault.ForGood = rapid.Bool().Draw(rt, "for good")
		m.disk.Set(fault)
	}
	before := len(m.disk.Failed())
	a := func() attempt {
		defer m.disk.Set(vfs.Fault{})
		return do(rt)
	}()
	if len(m.disk.Failed()) == before {
		m.must(rt, a.err)
		m.must(rt, m.find(rt))
		m.adopt(rt, "after it was done", a.may[len(a.may)-1:])
		return
	}
	m.unsure[m.inc] = true
	if a.err != nil && !errors.Is(a.err, syscall.EIO) && !errors.Is(a.err, syscall.EMFILE) && !errors.Is(a.err, store.ErrReadOnly) {
		rt.Fatalf("while the disk fails: %v", a.err)
	}
	if err := m.find(rt); err != nil { // it could not be removed, and may be on disk or not
		if a.err == nil {
			rt.Fatalf("after it was done: %v", err)
		}
		m.reopen(rt, a)
		return
	}
	if m.adopt(rt, "while the stream is open", a.may) { // reads go on
		a = attempt{may: []content{m.now}, always: true}
	}
	if rapid.Bool().Draw(rt, "go on") && m.goesOn(rt) {
		return
	}
	m.reopen(rt, a)
}

// goesOn says whether the stream still takes messages, and then whether it has what it says.
func (m *brokenModel) goesOn(rt *rapid.T) bool {
	seq, err := m.s.Append(rt.Context(), store.Entry{Subject: "x", Data: []byte("next")})
	if errors.Is(err, store.ErrReadOnly) {
		return false
	}
	m.must(rt, err)
	m.now.live[seq] = "next"
	m.compare(rt)
	return true
}

// reopen opens the store again after an operation that met an error, and finds what came of it.
func (m *brokenModel) reopen(rt *rapid.T, a attempt) {
	old, crash := m.st, false
	switch how := rapid.SampledFrom([]string{"close", "kill", "crash"}).Draw(rt, "how"); how {
	case "close":
		_ = m.st.Close()
	case "kill":
		m.mem = m.mem.Kill()
	case "crash":
		crash = true
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		m.mem = m.mem.Crash(rng, rapid.SampledFrom([]int{0, 50, 100}).Draw(rt, "keep"))
	}
	_ = old.Close()
	m.open(rt)
	m.must(rt, m.find(rt))
	if a.err == nil && (!crash || a.always || a.durable && m.opt.Sync == SyncAlways) {
		a.may = a.may[len(a.may)-1:]
	}
	if crash {
		for _, c := range a.may {
			for _, c.description = range m.doubt {
				a.may = append(a.may, c)
			}
		}
		m.doubt = nil
	}
	m.adopt(rt, "after it was opened again", a.may)
	m.compareRemoved(rt)
	clear(m.unsure) // opening has synced where they are
	seq, err := m.s.Append(rt.Context(), store.Entry{Subject: "x", Data: []byte("again")})
	m.must(rt, err)
	if seq <= m.last {
		rt.Fatalf("sequence %d is used again", seq)
	}
	m.now.live[seq] = "again"
	m.doubt = nil // the configuration is on disk before a message
}

// adopt demands that the stream has one of what it may have, and goes on with that. It says whether it is another one.
func (m *brokenModel) adopt(rt *rapid.T, when string, may []content) (replaced bool) {
	var diff []string
	for _, c := range may {
		d := m.differs(rt, c)
		if d != "" {
			diff = append(diff, d)
			continue
		}
		if c.gone || c.other {
			m.removed[m.inc] = true
		}
		if c.gone {
			m.create(rt)
			return true
		}
		state, err := m.s.State(rt.Context())
		m.must(rt, err)
		if c.other {
			m.takeInc(rt)
			m.last, m.doubt = 0, nil
		}
		m.last = max(m.last, state.Last)
		m.now = c.clone()
		m.now.other = false
		return c.other
	}
	rt.Fatalf("%s: %q", when, diff)
	return false
}

func (m *brokenModel) compare(rt *rapid.T) { m.adopt(rt, "now", []content{m.now}) }

// compareRemoved demands that the removed streams are those that were.
func (m *brokenModel) compareRemoved(rt *rapid.T) {
	removed, err := m.st.RemovedStreams(rt.Context())
	m.must(rt, err)
	got := map[uint64]bool{}
	for _, r := range removed {
		if got[r.Incarnation] = true; !m.removed[r.Incarnation] && !(r.Incarnation == m.inc && m.unsure[m.inc]) {
			rt.Fatalf("stream %d was not removed: %+v", r.Incarnation, removed)
		}
	}
	for inc := range m.removed {
		if !got[inc] && !m.unsure[inc] {
			rt.Fatalf("stream %d is not among the removed ones: %+v", inc, removed)
		}
	}
	m.removed = got
}

// differs says in what the stream is not as c is, "" if it is.
func (m *brokenModel) differs(rt *rapid.T, c content) string {
	switch {
	case c.gone != (m.s == nil):
		return fmt.Sprintf("it is gone: %v, want %v", m.s == nil, c.gone)
	case c.gone:
		return ""
	case c.other != (m.s.Incarnation() != m.inc):
		return fmt.Sprintf("it is incarnation %d, was %d, want another one: %v", m.s.Incarnation(), m.inc, c.other)
	}
	live := map[store.Seq]string{}
	for meta, err := range m.s.Scan(rt.Context(), store.Query{}) {
		m.must(rt, err)
		msg, err := m.s.Load(rt.Context(), meta.Seq, nil)
		m.must(rt, err)
		live[meta.Seq] = string(msg.Data)
	}
	if !maps.Equal(live, c.live) {
		return fmt.Sprintf("messages are %s, want %s", listed(live), listed(c.live))
	}
	for seq, data := range c.kept {
		if msg, err := m.s.LoadKept(rt.Context(), seq, nil); err != nil || string(msg.Data) != data {
			return fmt.Sprintf("removed message %d is %q, %v, want %q", seq, msg.Data, err, data)
		}
	}
	if got := m.s.Config().Description; got != c.description {
		return fmt.Sprintf("description is %q, want %q", got, c.description)
	}
	return ""
}

// listed says which messages there are, and how long.
func listed(of map[store.Seq]string) string {
	out := ""
	for _, seq := range slices.Sorted(maps.Keys(of)) {
		out += fmt.Sprintf("%d:%d ", seq, len(of[seq]))
	}
	return out
}
