package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jsfs/store"
)

// Fault says which calls on the disk below an engine fail: from the At-th on of those that are named in Calls, counted from 1, one or all.
type Fault struct {
	At      int
	ForGood bool
	Err     error
	Calls   []string // as a file system calls them: "write", "create", "open"
}

// Failing is an engine whose disk can fail.
type Failing struct {
	Engine
	// Fail lets calls fail on the disk of the store at dir; the zero Fault ends that. Failed tells how many did.
	Fail   func(dir string, f Fault)
	Failed func(dir string) int
	// Forgot says whether the engine forgot, since it was asked last, what was removed before it must.
	Forgot func(dir string) bool
}

// faultModel is [Model] on a disk that fails now and then.
type faultModel struct {
	*model
	disk Failing
	t    *trouble
	// unsure says that the engine may have forgotten a part of what it could.
	unsure bool
	// revived says that a stream was brought back just now: limits may have taken something away before anybody could see that, and a
	// consumer that could not be read is there when the store is opened again.
	revived bool
}

// FaultModel is [Model] for an engine whose disk is full now and then, can't be read, or may have no more files open, for a call or as
// long as an operation takes: streams go on then. What gave an error the memory store does not do either, or only the part that is done, so
// that both are the same after each operation. What limits take away may stay until the next message is stored.
func FaultModel(t *testing.T, e Failing) {
	modelWith(t, e.Engine, Keep, func(m *model) map[string]func(*rapid.T) {
		f := &faultModel{model: m, disk: e, t: &trouble{hit: never}}
		f.t.lift = func() { e.Fail(m.dir, Fault{}) }
		f.wrap()
		all := map[string]func(*rapid.T){"": f.compare}
		for name, action := range map[string]func(*rapid.T){
			"append": m.append, "append all": m.appendAll, "restore": m.restoreTimed, "restore all": m.restoreAll, "skip to": m.skipTo,
			"remove": m.remove, "erase": f.ofKept(f.eraseOne), "undelete": f.ofKept(f.undeleteOne), "purge": m.purge, "compact": m.compact,
			"skip": m.skip, "remove all": m.removeAll, "create": m.create, "publish": m.publish, "update": f.widening(m.update),
			"update again": f.widening(m.update), "act": m.appendActing, "act again": m.appendActing, "consumer": m.createConsumer,
			"reconsume": m.updateConsumer, "unconsume": m.removeConsumer, "deliver": m.deliver, "put back": m.restoreConsumer,
			"ack": m.acknowledge, "ack again": m.acknowledge, "sync": m.sync, "reclaim": f.reclaim, "sleep": f.sleep,
			"drop": f.drop, "truncate": f.ofKept(f.truncateTo), "reset": f.reset, "revive": f.revive,
		} {
			all[name] = func(rt *rapid.T) { f.troubled(rt, action) }
		}
		maps.Copy(all, map[string]func(*rapid.T){"draft": m.draft, "find": m.find, "load": m.load, "scan": m.scan, "note": m.noteConsumer})
		return all
	})
}

// wrap lets the reference do what the engine did.
func (f *faultModel) wrap() {
	m := f.model
	m.got = &gotStore{m.got, f.t, map[store.Stream]*gotStream{}}
	m.want = &wantStore{m.want, f.t, map[store.Stream]*wantStream{}}
	for _, p := range m.subs {
		p.got, p.want = m.got.(*gotStore).wrap(p.got), m.want.(*wantStore).wrap(p.want)
		if p.want.Config().DenyDelete { // see gotStore.Create
			_, _ = m.got.Remove(context.Background(), p.name), m.want.Remove(context.Background(), p.name)
			delete(m.subs, p.name)
		}
	}
	open := m.engine.Open
	m.engine.Open = func(tb testing.TB, dir string) store.Store {
		return &gotStore{open(tb, dir), f.t, map[store.Stream]*gotStream{}}
	}
}

// None of these keeps a stream from going on when it is over.
var faults = []Fault{
	{Err: syscall.ENOSPC, Calls: []string{"write", "create", "mkdir"}, ForGood: true},
	{Err: syscall.ENOSPC, Calls: []string{"write"}, ForGood: true},
	{Err: syscall.ENOSPC, Calls: []string{"rename"}}, // a name goes back to where it was
	{Err: syscall.EMFILE, Calls: []string{"open", "create"}, ForGood: true},
	{Err: syscall.EIO, Calls: []string{"read"}, ForGood: true},
}

// troubled makes an operation while the disk fails in one of the ways, or does not.
func (f *faultModel) troubled(rt *rapid.T, action func(*rapid.T)) {
	which, before := rapid.IntRange(-3, len(faults)-1).Draw(rt, "fault"), f.disk.Failed(f.dir)
	if which >= 0 {
		fault := faults[which]
		fault.At = rapid.IntRange(1, 6).Draw(rt, "call")
		fault.ForGood = fault.ForGood && rapid.Bool().Draw(rt, "for good")
		f.disk.Fail(f.dir, fault)
	}
	f.revived, f.t.hit = false, func() bool { return f.disk.Failed(f.dir) > before }
	func() {
		defer f.disk.Fail(f.dir, Fault{})
		action(rt)
	}()
	hit := f.t.hit()
	f.t.hit, f.t.err = never, nil
	if hit && f.revived {
		f.again(rt)
	}
	if hit {
		pause(tick) // what failed in the background is tried again, and a consumer that failed is of another time than the next one
		f.settle(rt)
	}
	if f.disk.Forgot(f.dir) || f.unsure || f.t.partly { // also without a fault: the reserve may lack what it gave
		f.forget(rt)
	}
}

// forget lets both stores forget all that was removed, and the ids of messages.
func (f *faultModel) forget(rt *rapid.T) {
	pause((f.keep + store.DefaultDuplicateWindow).Round(tick) + 2*tick)
	check(rt, f.got.Reclaim(rt.Context()))
	check(rt, f.want.Reclaim(rt.Context()))
	f.unsure, f.t.partly = false, false
}

func never() bool { return false }

// widening makes an update. If ids of messages are remembered for longer then, the engine may still know one of what the reference has forgotten.
func (f *faultModel) widening(update func(*rapid.T)) func(*rapid.T) {
	return func(rt *rapid.T) {
		before := map[string]time.Duration{}
		for name, p := range f.subs {
			before[name] = p.want.Config().DuplicateWindow
		}
		update(rt)
		for name, p := range f.subs {
			f.unsure = f.unsure || p.want.Config().DuplicateWindow > before[name]
		}
	}
}

// settle stores a message in each stream that has what limits should have taken away: then that is gone, unless there is room for it
// by now. The message is on a subject of its own: if it replaced another one, there might be.
func (f *faultModel) settle(rt *rapid.T) {
	for _, name := range slices.Sorted(maps.Keys(f.subs)) {
		p := f.subs[name]
		if got, want := p.live(rt, p.got), p.live(rt, p.want); !maps.Equal(got, want) {
			f.removeEarly(rt, p, got, want)
			state, err := p.want.State(rt.Context())
			check(rt, err)
			late := store.Msg{Meta: store.Meta{Seq: state.Last + 1, Time: time.Now().UnixNano()}, Subject: fmt.Sprint("late.", state.Last), Data: []byte("late")}
			same(rt, "restore after a fault", p.got.Restore(rt.Context(), late), p.want.Restore(rt.Context(), late))
			f.removeEarly(rt, p, p.live(rt, p.got), p.live(rt, p.want)) // what should have gone for its TTL was counted, and an older one went
			f.removeLate(rt, p)
		}
		p.takeEvents(rt)
		p.observe(rt)
	}
}

// observe has all consumers notice which deliveries are over: those of the engine may have, when something was tried again.
func (p *pair) observe(rt *rapid.T) {
	names, err := p.want.ConsumerNames(rt.Context())
	check(rt, err)
	for _, name := range names {
		for _, st := range []store.Stream{p.got, p.want} {
			c, err := st.Consumer(rt.Context(), name)
			check(rt, err)
			_ = c.InProgress(rt.Context(), 0) // there is no such delivery
		}
	}
}

// removeEarly removes from the reference what limits took away from the engine alone: of several messages some were stored before room was
// made for the others, and so the oldest may have gone that would have had room.
func (f *faultModel) removeEarly(rt *rapid.T, p *pair, got, want map[store.Seq]store.Meta) {
	cfg := p.got.Config()
	gone := true
	for _, seq := range slices.Sorted(maps.Keys(want)) {
		switch m, ok := got[seq]; {
		case !ok && gone && cfg.Discard == store.DiscardOld && (cfg.MaxMsgs > 0 || cfg.MaxBytes > 0):
			f.unsure = true
			_, err := p.want.Remove(rt.Context(), seq)
			check(rt, err)
		case !ok || m != want[seq]:
			rt.Fatalf("after a fault message %d of %s is %+v, want %+v", seq, p.name, m, want[seq])
		default:
			gone = false
		}
	}
}

// removeLate removes from the engine what limits took away from the reference alone, and have room for.
func (f *faultModel) removeLate(rt *rapid.T, p *pair) {
	var late []store.Range
	want := p.live(rt, p.want)
	for seq := range p.live(rt, p.got) {
		if _, ok := want[seq]; !ok {
			late = append(late, store.Range{First: seq, Last: seq})
		}
	}
	if len(late) == 0 {
		return
	}
	cfg := p.got.Config()
	state, err := p.got.State(rt.Context())
	check(rt, err)
	if cfg.Discard == store.DiscardOld && cfg.Over(state.Live) {
		rt.Fatalf("%s is still over its limits, %+v: %+v", p.name, cfg, state)
	}
	for s, err := range p.got.Subjects(rt.Context(), ">", "") {
		if check(rt, err); cfg.MaxMsgsPerSubject > 0 && int64(s.Messages) > cfg.MaxMsgsPerSubject {
			rt.Fatalf("%s has still %+v, with %+v", p.name, s, cfg)
		}
	}
	f.unsure = true
	_, err = p.got.RemoveAll(rt.Context(), late)
	check(rt, err)
}

// live returns what lives in a stream.
func (p *pair) live(rt *rapid.T, st store.Stream) map[store.Seq]store.Meta {
	live := map[store.Seq]store.Meta{}
	for m, err := range st.Scan(rt.Context(), store.Query{}) {
		check(rt, err)
		live[m.Seq] = m
	}
	return live
}

// takeEvents compares events in whatever order they came.
func (p *pair) takeEvents(rt *rapid.T) {
	take := func(sub store.Subscription) []store.Event {
		events, lost := sub.Take(nil)
		if lost {
			rt.Fatal("events were lost")
		}
		for i := range events {
			events[i].Rev, events[i].Incarnation = 0, 0
		}
		slices.SortFunc(events, func(a, b store.Event) int {
			return cmp.Or(cmp.Compare(a.Meta.Seq, b.Meta.Seq), cmp.Compare(a.Kind, b.Kind))
		})
		return events
	}
	diff(rt, "events of "+p.name, take(p.gotSub), take(p.wantSub))
}

// reclaim has the engine forget what it can.
func (f *faultModel) reclaim(rt *rapid.T) {
	err := f.got.Reclaim(rt.Context())
	if f.t.met(0, err); f.t.err != nil {
		f.unsure = true
		return
	}
	check(rt, errors.Join(err, f.want.Reclaim(rt.Context())))
}

// drop removes a stream. One that could not be removed is opened again.
func (f *faultModel) drop(rt *rapid.T) {
	p := f.pick(rt)
	f.model.dropOne(rt, p)
	if _, err := p.got.State(rt.Context()); f.subs[p.name] != nil && errors.Is(err, store.ErrClosed) {
		f.disk.Fail(f.dir, Fault{})
		f.open(rt, p.name)
		f.subs[p.name].removeBeginners(rt)
	}
}

// revive brings a stream back.
func (f *faultModel) revive(rt *rapid.T) {
	n := len(f.subs)
	f.model.revive(rt)
	f.revived = len(f.subs) > n
}

// again opens the store again.
func (f *faultModel) again(rt *rapid.T) {
	for _, p := range f.subs {
		p.gotSub.Close()
		p.wantSub.Close()
	}
	check(rt, f.got.Close())
	f.got = f.engine.Open(f.tb, f.dir)
	for name := range f.subs {
		f.open(rt, name)
		f.subs[name].removeBeginners(rt)
	}
}

// reset truncates a stream to nothing.
func (f *faultModel) reset(rt *rapid.T) { f.truncateTo(rt, f.pick(rt), 0) }

// sleep lets time go by, and some more in which what expired goes that could not before.
func (f *faultModel) sleep(rt *rapid.T) {
	f.model.sleep(rt)
	f.disk.Fail(f.dir, Fault{})
	pause(tick)
}

// compare compares states, and what is kept.
func (f *faultModel) compare(rt *rapid.T) {
	f.compareStates(rt)
	for _, p := range f.subs {
		p.compareKept(rt)
	}
	f.compareRemoved(rt)
}

// ofKept makes an operation of a message that is live or kept: of what is not kept any more nobody knows whether it is there.
func (f *faultModel) ofKept(do func(rt *rapid.T, p *pair, seq store.Seq)) func(*rapid.T) {
	return func(rt *rapid.T) {
		p := f.pick(rt)
		seq := p.drawSeq(rt)
		_, live := p.want.Stat(rt.Context(), seq)
		_, kept := p.want.StatKept(rt.Context(), seq)
		if live == nil || kept == nil {
			do(rt, p, seq)
		}
	}
}

func (f *faultModel) undeleteOne(rt *rapid.T, p *pair, seq store.Seq) {
	same(rt, fmt.Sprint("undelete ", seq), p.got.Undelete(rt.Context(), seq), p.want.Undelete(rt.Context(), seq))
}

func (f *faultModel) eraseOne(rt *rapid.T, p *pair, seq store.Seq) {
	gotLive, got := p.got.Erase(rt.Context(), seq)
	wantLive, want := p.want.Erase(rt.Context(), seq)
	if same(rt, "erase", got, want) && gotLive != wantLive {
		rt.Fatalf("erase %d: got %v, want %v", seq, gotLive, wantLive)
	}
}
