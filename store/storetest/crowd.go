package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"jsfs/store"
)

// crowd has many callers on one stream. A third of the messages is removed, in every way there is, a third comes and goes, and a third is
// never touched. Who looks must meet all of these that were acknowledged before, and none that was removed before.
type crowd struct {
	*bench
	st   store.Stream
	left atomic.Int64
	done atomic.Bool

	mu    sync.Mutex // guards the rest
	there map[store.Seq]store.Msg
	gone  map[store.Seq]bool
	rng   *rand.Rand
}

// crowdSubjects are the subjects of the messages; those on the last one are all purged sooner or later.
var crowdSubjects = []string{"a.0", "a.1", "a.2", "b", "purged"}

// runCrowd lets a crowd store so many messages.
func runCrowd(b *bench, total int64) {
	c := &crowd{
		bench: b, st: b.create("S"), there: map[store.Seq]store.Msg{}, gone: map[store.Seq]bool{}, rng: rand.New(rand.NewPCG(1, 2)), //nolint:gosec // no secret
	}
	c.left.Store(total)
	var writers, others sync.WaitGroup
	removals, toggles := make(chan store.Seq, total), make(chan store.Seq, total)
	for w := range 2 {
		writers.Go(func() { c.write(w, removals, toggles) })
	}
	others.Go(func() { c.remove(removals) })
	others.Go(func() { c.toggle(toggles) })
	if r, ok := b.s.(interface{ Reclaim(context.Context) error }); ok {
		others.Go(func() {
			for !c.done.Load() {
				c.good("reclaim", r.Reclaim(c.ctx))
			}
		})
	}
	taken := c.consume(&others)
	mirror := b.mirror("M", store.Source{Name: "S"})
	sub := c.st.Watch()
	others.Go(func() { c.follow(sub) })
	for _, look := range []func(){c.scan, c.find, c.count, c.layOut} {
		others.Go(func() {
			for !c.done.Load() && !c.Failed() {
				look()
			}
		})
	}
	writers.Wait()
	close(removals)
	close(toggles)
	c.done.Store(true)
	sub.Close()
	end := b.append(c.st, "a.1", "the end")
	others.Wait()
	c.scan()
	c.find()
	c.count()
	c.layOut()
	b.follows(mirror, end)
	for seq, m := range c.there {
		if b.wantData(mirror, seq, string(m.Data)); !taken[seq] && strings.HasPrefix(m.Subject, "a.") {
			b.Errorf("message %d on %s was not delivered", seq, m.Subject)
		}
	}
}

// consume has a consumer deliver messages on some subjects until the end of the last one comes. They are in the result when others are done.
func (c *crowd) consume(others *sync.WaitGroup) map[store.Seq]bool {
	taken := map[store.Seq]bool{}
	from := c.consumer(c.st, store.ConsumerConfig{Name: "C", FilterSubject: "a.*", AckPolicy: store.AckNone})
	others.Go(func() {
		for last := store.Seq(0); ; {
			d, err := from.Next(c.ctx, nil)
			if !c.good("next", err) {
				return
			}
			if d.Seq <= last {
				c.Errorf("message %d was delivered behind %d", d.Seq, last)
			}
			if last, taken[d.Seq] = d.Seq, true; string(d.Data) == "the end" {
				return
			}
		}
	})
	return taken
}

// good demands that there is no error.
func (c *crowd) good(what string, err error) bool {
	if err != nil {
		c.Errorf("%s: %v", what, err)
	}
	return err == nil
}

// random returns a number below n.
func (c *crowd) random(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

// known returns copies of what is certainly there, and of what is certainly gone.
func (c *crowd) known() (there map[store.Seq]store.Msg, gone map[store.Seq]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.there), maps.Clone(c.gone)
}

// one returns a message that is certainly there; ok is false if there is none.
func (c *crowd) one() (m store.Msg, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.there {
		return m, true
	}
	return m, false
}

func (c *crowd) write(w int, removals, toggles chan<- store.Seq) {
	for n := c.left.Add(-1); n >= 0 && !c.Failed(); n = c.left.Add(-1) {
		m := store.Msg{Subject: crowdSubjects[c.random(len(crowdSubjects))], Data: fmt.Appendf(nil, "writer %d, %d to go, %0*d", w, n, c.random(300), 0)}
		seq, err := c.st.Append(c.ctx, store.Entry{Subject: m.Subject, Data: m.Data})
		if !c.good("append", err) {
			return
		}
		meta, err := c.st.Stat(c.ctx, seq)
		m.Meta = meta
		switch {
		case m.Subject == "purged":
			if n%8 == 0 {
				_, err := c.st.Purge(c.ctx, store.Purge{Subject: "purged", Below: seq})
				c.good("purge", err)
			}
		case seq%3 == 0:
			removals <- seq
		case seq%3 == 1:
			toggles <- seq
		case c.good("stat", err):
			c.mu.Lock()
			c.there[seq] = m
			c.mu.Unlock()
		}
	}
}

func (c *crowd) remove(removals <-chan store.Seq) {
	var some []store.Range
	for seq := range removals {
		gone := []store.Seq{seq}
		var err error
		switch seq / 3 % 4 {
		case 0:
			_, err = c.st.Erase(c.ctx, seq)
		case 1:
			_, err = c.st.Remove(c.ctx, seq)
		default:
			if some, gone = append(some, store.Range{First: seq, Last: seq}), nil; len(some) == 10 {
				_, err = c.st.RemoveAll(c.ctx, some)
				for _, r := range some {
					gone = append(gone, r.First)
				}
				some = nil
			}
		}
		c.good("remove", err)
		c.mu.Lock()
		for _, seq := range gone {
			c.gone[seq] = true
		}
		c.mu.Unlock()
	}
}

// toggle removes messages and brings them back, the last ones again and again.
func (c *crowd) toggle(toggles <-chan store.Seq) {
	var last []store.Seq
	for seq := range toggles {
		if last = append(last, seq); len(last) > 8 {
			last = last[1:]
		}
		for _, seq := range last {
			_, err := c.st.Remove(c.ctx, seq)
			c.good("remove", err)
			if err := c.st.Undelete(c.ctx, seq); !errors.Is(err, store.ErrNotFound) { // its space may be given back
				c.good("undelete", err)
			}
		}
	}
}

// follow demands of events that none is missing, unless that is said.
func (c *crowd) follow(sub store.Subscription) {
	rev, events := uint64(0), []store.Event(nil)
	for end := false; !end; {
		end = c.done.Load()
		var lost bool
		events, lost = sub.Take(events)
		if lost {
			rev = 0
		}
		for _, e := range events {
			if rev > 0 && e.Rev != rev+1 {
				c.Errorf("an event with revision %d comes behind %d", e.Rev, rev)
			}
			rev = e.Rev
		}
		if len(events) == 0 && !end {
			<-sub.C()
		}
	}
}

// scan walks over the messages on some subjects.
func (c *crowd) scan() {
	q := store.QueryOf([][]string{nil, {"a.*"}, {"a.1"}, {"a.0", "b"}, {"purged", "a.2"}}[c.random(5)])
	there, gone := c.known()
	last := store.Seq(0)
	for m, err := range c.st.Scan(c.ctx, q) {
		if !c.good("scan", err) {
			return
		}
		if m.Seq <= last || gone[m.Seq] {
			c.Errorf("the scan of %+v met %d behind %d, removed before: %v", q, m.Seq, last, gone[m.Seq])
		}
		if want, ok := there[m.Seq]; ok && want.Meta != m {
			c.Errorf("the scan of %+v met %+v, want %+v", q, m, want.Meta)
		}
		delete(there, m.Seq)
		last = m.Seq
	}
	for seq, m := range there {
		if q.Matches(m.Subject) {
			c.Errorf("the scan of %+v did not meet %d on %s", q, seq, m.Subject)
		}
	}
}

// find looks for one message in every way.
func (c *crowd) find() {
	want, ok := c.one()
	if !ok {
		return
	}
	same := func(what string, m store.Msg, err error) {
		if err != nil || m.Seq != want.Seq || m.Subject != want.Subject || string(m.Data) != string(want.Data) {
			c.Errorf("%s: got %d on %s, %q, and %v, want %d on %s, %q", what, m.Seq, m.Subject, m.Data, err, want.Seq, want.Subject, want.Data)
		}
	}
	m, err := c.st.Load(c.ctx, want.Seq, nil)
	same("load", m, err)
	for _, pattern := range []string{"", want.Subject, want.Subject[:1] + ".>"} {
		q := store.Query{Subject: pattern, From: want.Seq}
		if !q.Matches(want.Subject) {
			continue
		}
		m, err = c.st.Next(c.ctx, q, nil)
		same("next on "+pattern, m, err)
		m, err = c.st.Prev(c.ctx, store.Query{Subject: pattern, To: want.Seq}, nil)
		same("previous on "+pattern, m, err)
		last, err := c.st.LoadLast(c.ctx, pattern, nil)
		if err != nil || last.Seq < want.Seq {
			c.Errorf("the last on %q is %d (%v), and %d is there", pattern, last.Seq, err, want.Seq)
		}
		seqs, err := c.st.LastSeqs(c.ctx, []string{pattern}, want.Seq, 0)
		if err != nil || !slices.Contains(seqs, want.Seq) || !slices.IsSorted(seqs) {
			c.Errorf("the last ones on %q up to %d are %d (%v)", pattern, want.Seq, seqs, err)
		}
	}
	seq, err := c.st.SeekTime(c.ctx, want.Time)
	behind, err2 := c.st.SeekTime(c.ctx, want.Time+1)
	if err != nil || err2 != nil || seq > want.Seq || behind <= want.Seq {
		c.Errorf("the first from the time of %d on is %d (%v), the first behind it %d (%v)", want.Seq, seq, err, behind, err2)
	}
	if meta, err := c.st.Stat(c.ctx, seq); err == nil && meta.Time < want.Time {
		c.Errorf("the first from %d on is %d, which came at %d", want.Time, seq, meta.Time)
	}
}

// count compares counts with what is at least there.
func (c *crowd) count() {
	there, gone := c.known()
	for _, pattern := range []string{"", "a.*", "a.1", "b"} {
		q := store.Query{Subject: pattern}
		least, first, last := uint64(0), store.Seq(0), store.Seq(0)
		for seq, m := range there {
			if q.Matches(m.Subject) {
				if least++; first == 0 || seq < first {
					first = seq
				}
				last = max(last, seq)
			}
		}
		if least == 0 {
			continue
		}
		n, err := c.st.Count(c.ctx, q)
		state, serr := c.st.State(c.ctx)
		most := uint64(state.Last) - uint64(len(gone))
		if err != nil || serr != nil || n.Messages < least || n.Messages > most || n.First > first || n.Last < last || n.Last > state.Last || gone[n.First] || gone[n.Last] {
			c.Errorf("count of %q: got %+v (%v), want %d to %d from %d to %d", pattern, n, err, least, most, first, last)
		}
		pending, through, err := c.st.Pending(c.ctx, q, false)
		if err != nil || pending < least || through < last {
			c.Errorf("pending on %q: got %d up to %d (%v), want %d up to %d", pattern, pending, through, err, least, last)
		}
	}
	got := map[string]store.Count{}
	for n, err := range c.st.Subjects(c.ctx, "", "") {
		if !c.good("subjects", err) {
			return
		}
		got[n.Subject] = n.Count
	}
	for seq, m := range there {
		if n := got[m.Subject]; n.Messages == 0 || n.First > seq || n.Last < seq || gone[n.First] || gone[n.Last] {
			c.Errorf("subject %s is %+v, and %d is there", m.Subject, n, seq)
		}
	}
}

// layOut looks at the stream as a whole: its extents, and the gaps between messages.
func (c *crowd) layOut() {
	there, gone := c.known()
	extents, state, err := c.st.Extents(c.ctx)
	if !c.good("extents", err) {
		return
	}
	sum, next := store.Totals{}, store.Seq(0)
	for _, e := range extents {
		if e.First < next || e.Last < e.First {
			c.Errorf("extents %+v", extents)
		}
		sum, next = sum.Plus(e.Live), e.Last+1
	}
	if sum != state.Live {
		c.Errorf("extents have %+v, and the state %+v", sum, state.Live)
	}
	first, last := store.Seq(0), store.Seq(0)
	for g, err := range c.st.Gaps(c.ctx, store.Query{}) {
		if !c.good("gaps", err) {
			return
		}
		if g.First <= last || g.Last < g.First || g.Cause != store.CauseRemoved {
			c.Errorf("gap %+v behind %d", g, last)
		}
		for seq := g.First; seq <= g.Last; seq++ {
			if _, ok := there[seq]; ok {
				c.Errorf("%d is in gap %+v, and there", seq, g)
			}
			delete(gone, seq)
		}
		if last = g.Last; first == 0 {
			first = g.First
		}
	}
	for seq := range gone {
		if first < seq && seq < last {
			c.Errorf("%d is gone, and in no gap", seq)
		}
	}
}
