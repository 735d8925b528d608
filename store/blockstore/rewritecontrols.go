package blockstore

import (
	"cmp"
	"fmt"
	"slices"

	"jsfs/store"
	"jsfs/store/internal/record"
)

// ownControl is a control of a block that is written anew, about messages of other blocks.
type ownControl struct {
	record.Control
	stale []int // ranges that have lost some of what they were about: their sums are to be made anew
}

// stays says whether message i must stay on disk: it is live, or kept for longer than until asOf.
func (b *block) stays(i int, asOf int64) bool { return !b.isDeleted(i) || b.isKept(i, asOf) }

// readControls reads what the old blocks say besides messages, and demands that they account for each of their
// sequences: what is lost must not be taken for removed.
func (r *rewriting) readControls() error {
	for _, b := range r.old {
		bytes, err := r.s.readSection(b, b.trailer, record.Controls)
		if err != nil {
			return err
		}
		cts, err := b.trailer.Controls(&b.hdr, bytes)
		if err != nil {
			r.s.noteFile(b, err)
			return err
		}
		r.lastTime = max(r.lastTime, b.hdr.Time, b.trailer.LastTime)
		for i := range cts {
			r.take(b, &cts[i])
		}
	}
	slices.SortStableFunc(r.skips, func(a, b record.Control) int { return cmp.Compare(a.Seq, b.Seq) })
	r.mergeSkips()
	for _, b := range r.old {
		if err := r.accounted(b); err != nil {
			return err
		}
	}
	return nil
}

// take takes a control of b in.
func (r *rewriting) take(b *block, ct *record.Control) {
	switch {
	case ct.Rewritten:
		r.lastTime = max(r.lastTime, ct.Time)
	case ct.Kind == record.FlagSkip:
		r.skips = append(r.skips, *ct)
	default:
		if ct.Skip > 0 {
			r.skips = append(r.skips, record.Control{Kind: record.FlagSkip, Seq: ct.Seq - ct.Skip, Skip: ct.Skip, Time: b.hdr.Time})
			ct.Skip = 0
		}
		if len(ct.Ranges) > 0 {
			r.controls = append(r.controls, &ownControl{Control: *ct})
		}
	}
}

// mergeSkips joins skips that touch and have the same cause.
func (r *rewriting) mergeSkips() {
	var out []record.Control
	for _, ct := range r.skips {
		if n := len(out); n > 0 && out[n-1].Why == ct.Why && out[n-1].Seq+out[n-1].Skip == ct.Seq {
			out[n-1].Skip, out[n-1].Time = out[n-1].Skip+ct.Skip, max(out[n-1].Time, ct.Time)
			continue
		}
		out = append(out, ct)
	}
	r.skips = out
}

// accounted returns nil if every sequence of b without a message was removed for good, or is one of a skip.
func (r *rewriting) accounted(b *block) error {
	if b.rewritten || uint64(b.all.Messages) == b.next-b.hdr.First {
		return nil
	}
	next := b.hdr.First
	for i, run := range b.runs {
		if err := r.skipped(b, next, run.Seq); err != nil {
			return err
		}
		end := int(b.all.Messages)
		if i+1 < len(b.runs) {
			end = int(b.runs[i+1].Index)
		}
		next = run.Seq + uint64(end) - uint64(run.Index)
	}
	return r.skipped(b, next, b.next)
}

// skipped returns nil if the sequences of b from first to before end are those of skips.
func (r *rewriting) skipped(b *block, first, end uint64) error {
	for _, ct := range r.skips {
		if ct.Seq <= first && first < ct.Seq+ct.Skip {
			first = ct.Seq + ct.Skip
		}
	}
	if first < end {
		return fmt.Errorf("%s: nothing tells what became of message %d: %w", b.name, first, record.ErrBad)
	}
	return nil
}

// decide finds out, at one moment, which messages stay, and which of the controls are needed by other blocks.
func (r *rewriting) decide() error {
	s := r.s
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if err := s.withReserve(s.prepareLocked); err != nil {
		return err
	}
	if _, err := s.placeOfLocked(r.old); err != nil {
		return err
	}
	dropped := 0
	for k, b := range r.old {
		n := int(b.all.Messages)
		stay, gone := new(bitset).grown(n), new(bitset).grown(n)
		for i := range n {
			if !r.staysIn(k, i) {
				dropped++
				continue
			}
			stay.words[i/64].Or(1 << (i % 64))
			if b.isDeleted(i) {
				gone.words[i/64].Or(1 << (i % 64))
			}
		}
		r.stay, r.gone, r.kept = append(r.stay, stay), append(r.gone, gone), append(r.kept, b.copyOfKept())
	}
	r.timeRemovals()
	controls := len(r.controls)
	for _, c := range r.controls {
		r.reduce(s.cur.Load(), c)
	}
	r.controls = slices.DeleteFunc(r.controls, func(c *ownControl) bool { return len(c.Ranges) == 0 })
	if dropped == 0 && len(r.controls) == controls && len(r.old) == 1 {
		return errBusy // there is nothing to gain
	}
	return nil
}

// timeRemovals finds out when what stays was removed, from the controls of the old blocks, and which of these times are to be written.
func (r *rewriting) timeRemovals() {
	n := snapshot{blocks: r.old}
	r.times = removalTimes{}
	for _, c := range r.controls {
		for i := range c.Ranges {
			r.times.note(&n, anyBlock, &c.Control, &c.Ranges[i])
		}
	}
	var all []int64
	for k, b := range r.old {
		for i := range r.times[b] {
			if e := b.keptWith(i); e != nil && e.due > r.asOf && r.gone[k].get(i) {
				if t, ok := r.times.since(b, i, e, r.s.opt.KeepDeleted); ok {
					all = addTime(all, t)
				}
			}
		}
	}
	r.instead = standIns(all, r.s.opt.KeepDeleted)
}

// reduce leaves in a control what is still true of messages of other blocks: a removal of what is removed, or
// something brought back that is live. No earlier control for such a message is left out unless a later one is as true.
func (r *rewriting) reduce(n *snapshot, c *ownControl) {
	var left []record.Range
	for i := range c.Ranges {
		old := &c.Ranges[i]
		e := r.neededOf(n, old, c.Kind == record.FlagRemove)
		if e.Count == 0 {
			continue
		}
		if e.Sums = old.Sums; !e.SameRuns(old) {
			c.stale = append(c.stale, len(left))
		}
		left = append(left, e)
	}
	c.Ranges = left
}

// neededOf returns which sequences of a range other blocks need to hear of. It has no more in memory than the ranges take in a control:
// of a block of removals these are millions of runs.
func (r *rewriting) neededOf(n *snapshot, of *record.Range, gone bool) (e record.Range) {
	add := func(first, last uint64) { e.Add(first, last-first+1) }
	if gone {
		if lost := r.s.damage.GoneIn(of.First, of.First+of.Count-1); len(lost) > 0 {
			// What was removed and is lost is not lost because of that. There are few such ranges.
			var need []store.Range
			for first, count := range of.Runs() {
				r.eachNeeded(n, gone, first, first+count-1, func(first, last uint64) {
					need = append(need, store.Range{First: store.Seq(first), Last: store.Seq(last)})
				})
				need = append(need, r.s.damage.GoneIn(first, first+count-1)...)
			}
			for _, q := range store.MergeRanges(need) {
				add(uint64(q.First), uint64(q.Last))
			}
			return e
		}
	}
	for first, count := range of.Runs() {
		r.eachNeeded(n, gone, first, first+count-1, add)
	}
	return e
}

// eachNeeded calls f with the runs of sequences from first to last that other blocks have and need to hear of, in order.
func (r *rewriting) eachNeeded(n *snapshot, gone bool, first, last uint64, f func(first, last uint64)) {
	for i := max(n.blockOf(first), 0); i < len(n.blocks) && n.blocks[i].hdr.First <= last; i++ {
		v := n.view(i)
		if slices.Contains(r.old, v.block) {
			continue
		}
		lo, hi := v.between(first, last)
		for at := lo; at < hi; {
			end := hi
			if gone {
				if at = v.nextDeleted(at); at < hi {
					end = min(v.nextLive(at), hi)
				}
			} else if at = v.nextLive(at); at < hi {
				end = min(v.nextDeleted(at), hi)
			}
			for at < end && at < hi {
				seq, to := v.seqOf(at), v.runEnd(at, end-1)
				f(seq, to)
				at += int(to-seq) + 1
			}
		}
	}
}

// sumUp makes the sums of ranges that were reduced: those of the messages in them.
func (r *rewriting) sumUp() error {
	n := r.s.cur.Load()
	for _, c := range r.controls {
		for _, i := range c.stale {
			e := &c.Ranges[i]
			e.Sums = store.Totals{}
			for first, count := range e.Runs() {
				sums, err := r.s.sumsOf(n, first, first+count-1)
				if err != nil {
					return err
				}
				e.Sums = e.Sums.Plus(sums)
			}
		}
	}
	return nil
}

// sumsOf sums up the messages from first to last, removed or not.
func (s *Stream) sumsOf(n *snapshot, first, last uint64) (sums store.Totals, err error) {
	for i := max(n.blockOf(first), 0); i < len(n.blocks) && n.blocks[i].hdr.First <= last; i++ {
		v := n.view(i)
		lo, hi := v.between(first, last)
		for at := lo; at < hi; at++ {
			h, err := s.readHead(&v, at)
			if isCorrupt(err) {
				continue // the sums will not fit, and are made anew by who opens the stream
			}
			if err != nil {
				return sums, err
			}
			sums = sums.Add(h.Meta())
		}
	}
	return sums, nil
}
