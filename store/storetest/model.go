package storetest

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"jsfs/store"
	"jsfs/store/memstore"
)

// Model makes random operations on the engine and on a memory store. Results, errors,
// states, events and contents must be the same after each; a durable engine is
// reopened now and then. The engine must keep what was removed for Keep. Time is not real: it stands still, but for an operation that lets it go by.
func Model(t *testing.T, e Engine) { modelWith(t, e, Keep, allActions) }

// modelWith is Model with other operations, and an engine that keeps what was removed for keep.
func modelWith(t *testing.T, e Engine, keep time.Duration, actions func(*model) map[string]func(*rapid.T)) {
	root := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(root, "model")
		if err != nil {
			rt.Fatal(err)
		}
		rt.Context().Done() // makes the channel, which must not belong to the bubble
		var stop any        // how rapid ends an attempt, which it must see in its own goroutine
		synctest.Test(t, func(t *testing.T) {
			defer func() { stop = recover() }()
			runModel(t, rt, e, dir, keep, actions)
		})
		// rapid tells failures apart by where they panic, and must not take an attempt that it gave up for one.
		if fmt.Sprintf("%T", stop) == "rapid.invalidData" {
			panic(stop)
		}
		if stop != nil {
			panic(stop)
		}
	})
}

func runModel(t *testing.T, rt *rapid.T, e Engine, dir string, keep time.Duration, actions func(*model) map[string]func(*rapid.T)) {
	m := newModel(t, rt, e, dir, keep)
	defer m.close()
	all := actions(m)
	if e.Durable {
		all["reopen"] = m.reopen
	}
	rt.Repeat(all)
	m.compareContents(rt)
}

func allActions(m *model) map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"":            m.compareStates,
		"append":      m.append,
		"append all":  m.appendAll,
		"restore":     m.restore,
		"restore all": m.restoreAll,
		"skip to":     m.skipTo,
		"remove":      m.remove,
		"erase":       m.erase,
		"truncate":    m.truncate,
		"undelete":    m.undelete,
		"kept":        m.kept,
		"reclaim":     m.reclaim,
		"revive":      m.revive,
		"purge":       m.purge,
		"compact":     m.compact,
		"skip":        m.skip,
		"remove all":  m.removeAll,
		"find":        m.find,
		"find again":  m.find,
		"load":        m.load,
		"load last":   m.loadLast,
		"load run":    m.loadRun,
		"scan":        m.scan,
		"create":      m.create,
		"drop":        m.drop,
		"draft":       m.draft,
		"publish":     m.publish,
		"sync":        m.sync,
		"update":      m.update,
		"sleep":       m.sleep,
		"act":         m.appendActing,
		"act again":   m.appendActing,
		"consumer":    m.createConsumer,
		"reconsume":   m.updateConsumer,
		"unconsume":   m.removeConsumer,
		"deliver":     m.deliver,
		"note":        m.noteConsumer,
		"put back":    m.restoreConsumer,
		"ack":         m.acknowledge,
		"ack again":   m.acknowledge,
	}
}

// model drives two stores alike.
type model struct {
	tb     testing.TB
	engine Engine
	dir    string
	keep   time.Duration
	got    store.Store // the engine under test
	want   store.Store
	subs   map[string]*pair
	incs   map[uint64]bool
	noted  []store.ConsumerState
}

// pair is one stream in both stores.
type pair struct {
	name                      string
	got, want                 store.Stream
	gotSub, wantSub           store.Subscription
	gotRev, wantRev           uint64       // when the subscriptions began
	gotAppended, wantAppended store.Totals // likewise
}

func newModel(tb testing.TB, rt *rapid.T, e Engine, dir string, keep time.Duration) *model {
	m := &model{tb: tb, engine: e, dir: dir, keep: keep, subs: map[string]*pair{}, incs: map[uint64]bool{}}
	m.got = e.Open(tb, dir)
	m.want = memstore.New(memstore.Options{KeepDeleted: keep})
	m.create(rt)
	return m
}

func (m *model) close() {
	_ = m.got.Close()
	_ = m.want.Close()
}

// same demands that both stores gave the same kind of error, and says whether it was none.
func same(rt *rapid.T, what string, got, want error) bool {
	rt.Helper()
	for _, s := range store.Sentinels() {
		if errors.Is(got, s) != errors.Is(want, s) {
			rt.Fatalf("%s: got error %v, want %v", what, got, want)
		}
	}
	if (got == nil) != (want == nil) {
		rt.Fatalf("%s: got error %v, want %v", what, got, want)
	}
	return got == nil
}

func check(rt *rapid.T, err error) {
	rt.Helper()
	if err != nil {
		rt.Fatal(err)
	}
}

// pick returns one of the streams. If there is none it makes one, and skips the action if that was
// refused.
func (m *model) pick(rt *rapid.T) *pair {
	if len(m.subs) == 0 {
		m.create(rt)
	}
	names := make([]string, 0, len(m.subs))
	for name := range m.subs {
		names = append(names, name)
	}
	if len(names) == 0 {
		rt.Skip("no stream")
	}
	slices.Sort(names)
	return m.subs[rapid.SampledFrom(names).Draw(rt, "stream")]
}

func (m *model) open(rt *rapid.T, name string) {
	ctx := rt.Context()
	p := &pair{name: name}
	var err error
	p.got, err = m.got.Stream(ctx, name)
	check(rt, err)
	p.want, err = m.want.Stream(ctx, name)
	check(rt, err)
	p.gotSub, p.wantSub = p.got.Watch(), p.want.Watch()
	gs, err := p.got.State(ctx)
	check(rt, err)
	ws, err := p.want.State(ctx)
	check(rt, err)
	p.gotRev, p.wantRev, p.gotAppended, p.wantAppended = gs.Rev, ws.Rev, gs.Appended, ws.Appended
	m.subs[name] = p
}

func (m *model) create(rt *rapid.T) {
	name := rapid.SampledFrom([]string{"S", "T"}).Draw(rt, "name")
	cfg := drawConfig(rt, name)
	st, got := m.got.Create(rt.Context(), cfg)
	_, want := m.want.Create(rt.Context(), cfg)
	if same(rt, "create", got, want) {
		if m.incs[st.Incarnation()] {
			rt.Fatalf("incarnation %d is used again", st.Incarnation())
		}
		m.incs[st.Incarnation()] = true
		m.open(rt, name)
	}
}

func (m *model) drop(rt *rapid.T) { m.dropOne(rt, m.pick(rt)) }

func (m *model) dropOne(rt *rapid.T, p *pair) {
	got, want := m.got.Remove(rt.Context(), p.name), m.want.Remove(rt.Context(), p.name)
	if same(rt, "drop", got, want) {
		p.compareEvents(rt)
		delete(m.subs, p.name)
	}
}

var subjects = []string{"a", "a.b", "a.c", "b.b", "long.subject.with.many.tokens"}

func drawEntry(rt *rapid.T) store.Entry {
	e := store.Entry{Subject: rapid.SampledFrom(append([]string{"", "a.*"}, subjects...)).Draw(rt, "subject")}
	if rapid.IntRange(0, 3).Draw(rt, "with header") == 0 {
		e.Header = []byte(header)
	}
	e.Data = rapid.OneOf(
		rapid.SliceOfN(rapid.Byte(), 0, 60),
		rapid.SampledFrom([][]byte{[]byte("text\n"), []byte("\"q\"\\\x00"), make([]byte, 400), make([]byte, 501)}),
	).Draw(rt, "data")
	return e
}

func (m *model) append(rt *rapid.T) {
	p, e := m.pick(rt), drawEntry(rt)
	gotSeq, got := p.got.Append(rt.Context(), e)
	wantSeq, want := p.want.Append(rt.Context(), e)
	if same(rt, "append", got, want) && gotSeq != wantSeq {
		rt.Fatalf("append: got sequence %d, want %d", gotSeq, wantSeq)
	}
}

func (m *model) appendAll(rt *rapid.T) {
	p := m.pick(rt)
	es := make([]store.Entry, rapid.IntRange(0, 20).Draw(rt, "entries"))
	for i := range es {
		es[i] = drawEntry(rt)
		if rapid.IntRange(0, 7).Draw(rt, "may be refused") > 0 {
			es[i].Subject, es[i].Data = "a", es[i].Data[:min(len(es[i].Data), 300)]
		}
	}
	gotN, got := p.got.AppendAll(rt.Context(), es)
	wantN, want := p.want.AppendAll(rt.Context(), es)
	same(rt, "append all", got, want)
	if gotN != wantN {
		rt.Fatalf("append all: got %d, want %d", gotN, wantN)
	}
}

// drawSeq draws a sequence that is in the stream, or about it.
func (p *pair) drawSeq(rt *rapid.T) store.Seq {
	state, err := p.want.State(rt.Context())
	check(rt, err)
	if state.First < state.Last && rapid.IntRange(0, 4).Draw(rt, "inside") > 0 {
		span := min(uint64(state.Last-state.First), 60)
		return state.Last - store.Seq(rapid.Uint64Range(0, span).Draw(rt, "back from last"))
	}
	return store.Seq(rapid.Uint64Range(0, uint64(state.Last)+2).Draw(rt, "seq"))
}

func (m *model) restore(rt *rapid.T) {
	p, e := m.pick(rt), drawEntry(rt)
	seq := p.drawSeq(rt)
	if up := rapid.SampledFrom([]store.Seq{0, 1, 2, 3, 40, 100_000}).Draw(rt, "up"); up > 0 {
		state, err := p.want.State(rt.Context())
		check(rt, err)
		seq = state.Last + up
	}
	msg := store.Msg{
		Meta:    store.Meta{Seq: seq, Time: rapid.Int64Range(0, 1<<62).Draw(rt, "time")},
		Subject: e.Subject, Header: e.Header, Data: e.Data,
	}
	if rapid.Bool().Draw(rt, "now") {
		msg.Time = 1
	}
	msg.Time = restoredAt(msg.Time)
	same(rt, "restore", p.got.Restore(rt.Context(), msg), p.want.Restore(rt.Context(), msg))
}

func (m *model) remove(rt *rapid.T) {
	p := m.pick(rt)
	seq := p.drawSeq(rt)
	gotLive, got := p.got.Remove(rt.Context(), seq)
	wantLive, want := p.want.Remove(rt.Context(), seq)
	same(rt, "remove", got, want)
	if gotLive != wantLive {
		rt.Fatalf("remove %d: got %v, want %v", seq, gotLive, wantLive)
	}
}

func (m *model) undelete(rt *rapid.T) {
	p := m.pick(rt)
	seq := p.drawSeq(rt)
	same(rt, fmt.Sprint("undelete ", seq), p.got.Undelete(rt.Context(), seq), p.want.Undelete(rt.Context(), seq))
}

func (m *model) load(rt *rapid.T) {
	p := m.pick(rt)
	seq := p.drawSeq(rt)
	buf := make([]byte, rapid.IntRange(0, 700).Draw(rt, "buffer"))
	got, gotErr := p.got.Load(rt.Context(), seq, buf)
	want, wantErr := p.want.Load(rt.Context(), seq, nil)
	if same(rt, fmt.Sprint("load ", seq), gotErr, wantErr) {
		sameMsg(rt, got, want)
	}
}

func (m *model) loadLast(rt *rapid.T) {
	p := m.pick(rt)
	subject := rapid.SampledFrom(append([]string{"", ">", "a.*", "*.b", "none"}, subjects...)).Draw(rt, "subject")
	got, gotErr := p.got.LoadLast(rt.Context(), subject, nil)
	want, wantErr := p.want.LoadLast(rt.Context(), subject, nil)
	if same(rt, "load last of "+subject, gotErr, wantErr) {
		sameMsg(rt, got, want)
	}
}

func sameMsg(rt *rapid.T, got, want store.Msg) {
	rt.Helper()
	if got.Meta != want.Meta || got.Subject != want.Subject || string(got.Header) != string(want.Header) || string(got.Data) != string(want.Data) {
		rt.Fatalf("message: got %+v, want %+v", got, want)
	}
}

func (m *model) scan(rt *rapid.T) {
	p := m.pick(rt)
	q := p.drawQuery(rt)
	p.compareScans(rt, q)
}

func (m *model) sync(rt *rapid.T) {
	p := m.pick(rt)
	same(rt, "sync", p.got.Sync(rt.Context()), p.want.Sync(rt.Context()))
}

func (m *model) draft(rt *rapid.T) {
	p, ctx := m.pick(rt), rt.Context()
	name := rapid.SampledFrom([]string{".a", ".b", "c~"}).Draw(rt, "draft")
	switch rapid.IntRange(0, 3).Draw(rt, "what") {
	case 0:
		same(rt, "remove draft", p.got.RemoveDraft(ctx, name), p.want.RemoveDraft(ctx, name))
	case 1:
		to := rapid.SampledFrom([]string{".a", ".b", "c~"}).Draw(rt, "to")
		same(rt, "rename draft", p.got.RenameDraft(ctx, name, to), p.want.RenameDraft(ctx, name, to))
	default:
		got, gotErr := p.got.CreateDraft(ctx, name)
		want, wantErr := p.want.CreateDraft(ctx, name)
		if !same(rt, "create draft", gotErr, wantErr) {
			got, gotErr = p.got.OpenDraft(ctx, name)
			want, wantErr = p.want.OpenDraft(ctx, name)
			same(rt, "open draft", gotErr, wantErr)
		}
		data, off := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(rt, "data"), rapid.Int64Range(0, 100).Draw(rt, "offset")
		for _, d := range []store.Draft{got, want} {
			_, err := d.WriteAt(data, off)
			check(rt, errors.Join(err, d.Close()))
		}
	}
}

func (m *model) reopen(rt *rapid.T) {
	pause(tick) // opening looks for what has expired: let the other store have looked, too
	for _, p := range m.subs {
		p.removeBeginners(rt)
	}
	for _, p := range m.subs {
		p.compareEvents(rt)
		p.gotSub.Close()
		p.wantSub.Close()
	}
	check(rt, m.got.Close())
	m.got = m.engine.Open(m.tb, m.dir)
	for name := range m.subs {
		m.open(rt, name)
	}
}
