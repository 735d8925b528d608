package blockstore

import (
	"context"
	"math"

	"jsfs/store"
	"jsfs/store/internal/record"
)

// removal is what one change is to remove, gathered under wmu: live messages in the order of their
// sequences, and no others. It takes memory for the blocks that they are in, and a few bytes for each run of them.
type removal struct {
	s      *Stream
	n      int64
	sums   store.Totals
	groups []group
	metas  []store.Meta // of all of them, as long as tell
	tell   bool         // that each is gone, to who follows
	// subject is what all of them are on, "" if that is not known.
	subject string
	at      int64       // when they were removed, in another stream; 0 is now
	over    bool        // they need not be kept, whatever the options say
	here    bool        // the tail has them, and is to say so however large it becomes
	room    removalRoom // ranges has its memory; that of groups is theirs
}

// group is the messages of one block.
type group struct {
	v view
	record.Range
}

// placed walks the messages of the group, in runs: those from lo to before hi.
func (g *group) placed(yield func(lo, hi int) bool) {
	for first, count := range g.Runs() {
		if lo, hi := g.v.between(first, first+count-1); lo < hi && !yield(lo, hi) {
			return
		}
	}
}

// fewMarks is how many messages are marked one by one while readers wait for all.
const fewMarks = 256

// marks returns the deletion bits that the blocks get, for more messages than are marked while readers wait.
func (r *removal) marks() map[*block]*bitset {
	if r.n <= fewMarks {
		return nil
	}
	marks := make(map[*block]*bitset, len(r.groups))
	for i := range r.groups {
		g := &r.groups[i]
		d := marks[g.v.block]
		if d == nil {
			d = g.v.deleted.Load()
			d = d.grown(max(g.v.count, d.len()))
			marks[g.v.block] = d
		}
		for lo, hi := range g.placed {
			d.set(lo, hi, true)
		}
	}
	return marks
}

// mark marks the messages of the group as removed, where marks are made already by these.
func (g *group) mark(marks map[*block]*bitset) {
	if marks == nil {
		for lo, hi := range g.placed {
			g.v.setRange(lo, hi, true)
		}
		return
	}
	b := g.v.block
	d := marks[b]
	if b.deleted.Swap(d) != d {
		b.dead.Store(int64(b.deletedIn(0, d.len()))) //nolint:gosec // a count
	}
}

// maxTold bounds how many messages a removal tells of one by one. Of more it says that events were
// lost, as who follows would not be faster one by one.
const maxTold = 4096

// fewMessages is how many are looked at one by one rather than a window at a time.
const fewMessages = 8

// removalRoom is the memory of a removal that is over, for the next one.
type removalRoom struct {
	groups []group
	ranges []record.Range
}

// roomGroups is for how many groups that memory may stay.
const roomGroups = 32

// newRemoval begins a removal, which removeLocked ends.
func (s *Stream) newRemoval() *removal {
	r := &removal{s: s, tell: s.hub.Listening(), room: s.w.room}
	r.groups, s.w.room = r.room.groups, removalRoom{}
	return r
}

// free gives the memory of r back, which is over.
func (r *removal) free() {
	if cap(r.groups) <= roomGroups {
		clear(r.groups)
		clear(r.room.ranges)
		r.s.w.room = removalRoom{r.groups[:0], r.room.ranges[:0]}
	}
	r.groups = nil
}

// addRange gathers the live messages from first to last.
func (r *removal) addRange(ctx context.Context, first, last uint64) error {
	n := r.s.cur.Load()
	first, last = max(first, n.first), min(last, n.last)
	if first > last {
		return nil
	}
	for i := max(n.blockOf(first), 0); i < len(n.blocks) && n.blocks[i].hdr.First <= last; i++ {
		v := n.view(i)
		if err := r.addPart(ctx, &v, first, last); err != nil {
			return err
		}
	}
	return nil
}

// addPart gathers the live messages of v from first to last.
func (r *removal) addPart(ctx context.Context, v *view, first, last uint64) error {
	lo, hi := v.between(first, last)
	lo, end := v.nextLive(lo), v.prevLive(hi-1)
	if lo > end {
		return nil
	}
	live := v.block.live // it changes under wmu only
	whole := v.nextLive(0) == lo && v.prevLive(v.count-1) == end
	if whole && (!r.tell || r.n+live.Messages > maxTold) {
		r.addWhole(v, lo, end)
		return nil
	}
	before := *r
	var err error
	if end-lo < fewMessages {
		err = r.addFew(v, lo, end)
	} else {
		q := store.Query{From: store.Seq(v.seqOf(lo)), To: store.Seq(v.seqOf(end))}
		err = r.addMatches(ctx, q, math.MaxInt64)
	}
	if err == nil && whole && r.n-before.n != live.Messages {
		// Some can't be read, so nobody can be told of them. They go with the others.
		*r = before
		r.addWhole(v, lo, end)
	}
	return err
}

// addWhole gathers all live messages of v, which are from lo to end. It names none that was removed before: who reads that takes the last
// removal of a message for the one that counts.
func (r *removal) addWhole(v *view, lo, end int) {
	r.tell, r.metas = false, nil
	r.groups = append(r.groups, group{v: *v})
	g := &r.groups[len(r.groups)-1]
	for at := lo; at <= end; at = v.nextLive(at) {
		for stop := min(v.nextDeleted(at), end+1); at < stop; {
			seq, to := v.seqOf(at), v.runEnd(at, stop-1)
			g.Add(seq, to-seq+1)
			at += int(to-seq) + 1
		}
	}
	r.count(v.block.live)
}

// addFew gathers the live messages of v from lo to end.
func (r *removal) addFew(v *view, lo, end int) error {
	for i := lo; i <= end; i = v.nextLive(i + 1) {
		h, err := r.s.headLocked(v, i)
		if isCorrupt(err) {
			continue
		}
		if err != nil {
			return err
		}
		r.add(v, h.Meta())
	}
	return nil
}

// addMatches gathers the first live messages of q, limit of them at most.
func (r *removal) addMatches(ctx context.Context, q store.Query, limit int64) error {
	return r.s.eachMatch(ctx, q, func(v *view, m store.Meta) bool {
		if limit > 0 {
			r.add(v, m)
		}
		limit--
		return limit > 0
	})
}

func (r *removal) add(v *view, m store.Meta) {
	r.group(v).Add(uint64(m.Seq), 1)
	r.count(totals(m))
	if r.tell = r.tell && r.n <= maxTold; r.tell {
		r.metas = append(r.metas, m)
	} else {
		r.metas = nil
	}
}

// group returns the group of v's block, which is that of the last message or a later one.
func (r *removal) group(v *view) *group {
	if n := len(r.groups); n == 0 || r.groups[n-1].v.block != v.block {
		r.groups = append(r.groups, group{v: *v})
	}
	return &r.groups[len(r.groups)-1]
}

func (r *removal) count(sums store.Totals) {
	r.n += sums.Messages
	r.sums = r.sums.Plus(sums)
	g := &r.groups[len(r.groups)-1]
	g.Sums = g.Sums.Plus(sums)
}

// eachMatch walks the live messages of q until f says no. wmu is held, so the walk sees all of
// them; messages that can't be read are passed over.
func (s *Stream) eachMatch(ctx context.Context, q store.Query, f func(v *view, m store.Meta) bool) error {
	w := newWalk(s, q)
	defer w.free()
	n := s.cur.latest()
	to := n.last
	if q.To != 0 {
		to = min(to, uint64(q.To))
	}
	r := s.span(w.f, w.from, to)
	w.from, to = max(r.first, n.first), min(r.last, to)
	var v view // one for all: f makes it stay in memory
	lo, hi, likely := max(n.blockOf(w.from), 0), n.blockOf(to)+1, uint64(0)
	for i := lo; i < hi; i++ {
		k := uint(i-lo) % likelyBlocks
		if k == 0 {
			likely = n.likely(w.f, i, hi)
		}
		if likely>>k&1 == 0 {
			continue
		}
		v = n.view(i)
		for more := true; more; more = len(w.metas) == walkMetas {
			if err := ctx.Err(); err != nil {
				return err
			}
			w.forget()
			if err := w.fillBlock(&v, to); err != nil {
				return err
			}
			for j := range w.metas {
				if !f(&v, w.metas[j].Meta) {
					return nil
				}
			}
		}
	}
	return nil
}

// removeLocked removes what r has gathered, and skips to sequence next if that is above what comes
// next: one control, so one change. discard says that a limit removes them, so that they need not be kept. Of r the sums are left.
func (s *Stream) removeLocked(r *removal, next uint64, discard bool) error {
	defer r.free()
	w := &s.w
	if r.n == 0 && (next <= w.next || w.next == 0) {
		return s.writableLocked()
	}
	if !r.here {
		if err := s.placeControlLocked(); err != nil {
			return err
		}
	}
	ct := record.Control{Kind: record.FlagRemove, Seq: w.next, Discard: r.over || discard && !s.opt.KeepLimits}
	if r.at != 0 {
		ct.Time = max(r.at, w.tail.hdr.Time)
	}
	if next > w.next && w.next != 0 {
		if err := s.reserveLocked(next - 1); err != nil {
			return err
		}
		ct.Seq, ct.Skip = next, next-w.next
	}
	ct.Ranges = r.ranges()
	if err := s.writeControlLocked(&ct); err != nil {
		return err
	}
	w.next = ct.Seq
	s.publishRemoved(r, ct.Time, ct.Discard)
	return nil
}

// ranges returns what a control says of the groups.
func (r *removal) ranges() []record.Range {
	all := r.room.ranges[:0]
	for i := range r.groups {
		all = append(all, r.groups[i].Range)
	}
	r.room.ranges = all
	return all
}

// publishRemoved shows that the messages of r are gone since the time at, and where sequences go on.
func (s *Stream) publishRemoved(r *removal, at int64, discard bool) {
	due, marks := s.keepUntil(at, discard), r.marks()
	for i := range r.groups {
		g := &r.groups[i]
		for lo, hi := range g.placed {
			g.v.keepRange(lo, hi, at, due, s.opt.Now)
		}
	}
	s.smu.Lock()
	n := s.cur.begin()
	for i := range r.groups {
		g := &r.groups[i]
		g.v.live = g.v.live.Minus(g.Sums)
		g.mark(marks)
	}
	rev, first := n.rev, n.first
	n.rev += uint64(r.n)
	n.live = n.live.Minus(r.sums)
	n.last = s.w.next - 1
	n.tail = s.w.view()
	if n.first = n.last + 1; n.live.Messages > 0 {
		n.first = n.nextLive(first)
	}
	s.cur.end()
	s.smu.Unlock()
	s.checkInvariants()
	if r.subject == "" || !r.unindexOn() {
		for i := range r.groups {
			s.unindex(&r.groups[i].v, r.groups[i].placed)
		}
	}
	if r.n > 0 && !r.tell {
		s.hub.Lose()
		return
	}
	for i, m := range r.metas {
		s.post(store.Deleted, rev+uint64(i)+1, m)
	}
}

// removeRangesLocked removes the live messages in ranges, which are sorted and do not overlap, in
// one change, and returns their totals. discard is as in removeLocked. What was stored must be published.
func (s *Stream) removeRangesLocked(ctx context.Context, ranges []store.Range, discard bool) (store.Totals, error) {
	r := s.newRemoval()
	for _, e := range ranges {
		if err := r.addRange(ctx, uint64(e.First), uint64(e.Last)); err != nil {
			return store.Totals{}, err
		}
	}
	if err := s.removeLocked(r, 0, discard); err != nil {
		return store.Totals{}, err
	}
	return r.sums, nil
}
