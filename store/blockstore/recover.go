package blockstore

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"jsfs/store"
	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/internal/record"
)

// recovery is what the first write has to do before it, found out when the stream was opened.
type recovery struct {
	torn       []string // files of blocks that were never begun; they go to quarantine
	cut        int64    // the tail's bytes from here on …
	junk       int64    // … and so many of them go to quarantine
	durable    int64    // what of the newest block is known to be on disk ends here, if the process before was killed, or failed
	footer     bool     // the junk is a footer, which did not reach the disk as a whole
	unfinished bool     // the junk is the beginning of a record that nobody was told of
	unclean    bool     // the stream was not closed, or lost something since
	newBlock   bool     // the tail is sealed, and a new block begun
	lost       uint64   // so many sequences were handed out and are lost
	mark       uint64   // sequences up to this one may have been handed out; 0 is none
}

// readTail finds the records of the newest block, which has no footer, and decides
// what of it is torn.
func (o *opening) readTail(b *block, f io.ReaderAt) (*scan.Contents, error) {
	p := &o.w.plan
	limit, durable := b.size, int64(record.DataStart)
	if o.state.Block == b.hdr.Block {
		durable = min(max(durable, o.state.Len), b.size)
		if o.clean {
			limit = durable // nobody of us wrote what is behind it
		}
	}
	c, err := scan.Block(f, &b.hdr, limit, scan.WantMessages)
	if err != nil {
		return nil, err
	}
	durable = max(durable, c.Durable)
	if !o.clean && o.reboot {
		// After a loss of power, what was not synced may be there in parts. The first hole
		// ends what is kept, so that it is a prefix.
		if i := slices.IndexFunc(c.Bad, func(e scan.BadSpan) bool { return e.Off >= durable }); i >= 0 {
			if c, err = scan.Block(f, &b.hdr, c.Bad[i].Off, scan.WantMessages); err != nil {
				return nil, err
			}
		}
		off, ok, err := o.draftKept(b, c, durable)
		if err == nil && ok {
			c, err = scan.Block(f, &b.hdr, off, scan.WantMessages)
		}
		if err != nil {
			return nil, err
		}
	}
	end := max(c.End, durable)
	p.durable = durable
	if o.state.Block == b.hdr.Block && end < o.state.Len {
		o.note(store.Damage{
			File: b.name, Offset: end, Length: o.state.Len - end,
			Cause: fmt.Sprintf("block ends at %d, and had %d bytes on disk", end, o.state.Len),
		})
	}
	if end > c.End {
		o.note(store.Damage{File: b.name, Offset: c.End, Length: end - c.End, Cause: scan.ErrBad.Error()})
	}
	b.dataEnd = end
	if b.size > end {
		p.cut, p.junk = end, b.size-end
		if err := o.judgeJunk(b, f, c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// judgeJunk finds out whether messages went with the junk behind the tail. A footer that
// was being written and bytes that never reached the disk are none.
func (o *opening) judgeJunk(b *block, f io.ReaderAt, c *scan.Contents) error {
	p := &o.w.plan
	w, zeros := scan.NewWindow(f, 0), true
	start, err := w.At(p.cut, min(record.MaxHead, p.junk))
	if err != nil {
		return err
	}
	h, err := b.coder.Head(start, p.cut)
	switch {
	case record.IsFooter(start) || p.footer || o.clean:
		return nil
	case !o.reboot && (errors.Is(err, record.ErrShort) || err == nil && h.Size > p.junk):
		p.unfinished = true // the process was killed inside of a write, which never returned
		return nil
	}
	for off := p.cut; off < b.size; {
		n := min(scan.WindowSize, b.size-off)
		piece, err := w.At(off, n)
		if err != nil {
			return err
		}
		if zeros = zeros && len(bytes.Trim(piece, "\x00")) == 0; !zeros {
			break
		}
		off += n
	}
	if zeros {
		return nil
	}
	heads := o.headsIn(b, &w, p.cut)
	p.lost = 1
	if len(heads) > 0 {
		p.lost = max(1, heads[len(heads)-1]-c.Next+1)
	}
	return nil
}

// headsIn returns the sequences of the whole heads from off to the end of the block, in order.
func (o *opening) headsIn(b *block, w *scan.Window, off int64) []uint64 {
	var seqs []uint64
	for ; off < b.size; off++ {
		piece, err := w.At(off, min(record.MaxHead, b.size-off))
		if err != nil {
			break
		}
		if h, err := b.coder.Head(piece, off); err == nil && !h.Control() && h.Seq >= b.hdr.First {
			seqs = append(seqs, h.Seq)
		}
	}
	slices.Sort(seqs)
	return seqs
}

// findLost finds the sequences that no message, skip or removal accounts for, and decides
// where sequences go on.
func (o *opening) findLost() {
	slices.SortStableFunc(o.skips, func(a, b record.Control) int { return cmp.Compare(a.Seq, b.Seq) })
	next, skips := uint64(o.config.Load().First()), o.skips
	n := snapshot{blocks: o.blocks}
	for i, b := range o.blocks {
		v := n.view(i)
		skips = o.lostBetween(next, b.hdr.First, skips, blockName(o.dir, max(b.hdr.Block, 2)-1), "a block is missing or not used")
		next = scan.Later(next, b.hdr.First)
		if b.rewritten {
			next = scan.Later(next, o.lostIn(b, skips))
			o.loseDoubtful(b)
			continue
		}
		if uint64(v.count) == v.next-b.hdr.First {
			next = v.next
			continue
		}
		for r, run := range v.runs {
			skips = o.lostBetween(next, run.Seq, skips, b.name, "the record is damaged")
			end := v.count
			if r+1 < len(v.runs) {
				end = int(v.runs[r+1].Index)
			}
			next = run.Seq + uint64(end) - uint64(run.Index)
		}
		skips = o.lostBetween(next, v.next, skips, b.name, "the record is damaged")
		next = scan.Later(next, v.next)
	}
	o.findNext(next)
}

// lostBetween notes what is lost of the sequences from first to before end, which no
// message has, and returns the skips behind them.
func (o *opening) lostBetween(first, end uint64, skips []record.Control, file, why string) []record.Control {
	for first < end {
		for len(skips) > 0 && skips[0].Seq+skips[0].Skip <= first {
			skips = skips[1:]
		}
		stop, after := end, end
		if len(skips) > 0 && skips[0].Seq < end {
			stop, after = max(first, skips[0].Seq), min(end, skips[0].Seq+skips[0].Skip)
			if skips[0].Why == record.SkipLost {
				o.lose(max(first, skips[0].Seq), after-1, file, "lost with a torn tail")
			}
		}
		if first < stop {
			o.lose(first, stop-1, file, why)
		}
		first = after
	}
	return skips
}

// lostIn notes what is lost of the sequences of a block that was written anew: what skips in it say so of. It returns the
// sequence behind the block.
func (o *opening) lostIn(b *block, skips []record.Control) uint64 {
	for i := range skips {
		first, last := max(skips[i].Seq, b.hdr.First), min(skips[i].Seq+skips[i].Skip, b.next)-1
		if skips[i].Why == record.SkipLost && first <= last {
			o.lose(first, last, b.name, "lost with a torn tail")
		}
	}
	return b.next
}

// lose notes that first to last are lost, but for those that were removed before.
func (o *opening) lose(first, last uint64, file, why string) {
	for _, r := range o.accounted(first, last) {
		o.damage.AddGone(r)
		if first < uint64(r.First) {
			o.loseRun(first, uint64(r.First)-1, file, 0, 0, fmt.Errorf("%s: %w", why, record.ErrBad))
		}
		first = uint64(r.Last) + 1
	}
	if first > 0 && first <= last {
		o.loseRun(first, last, file, 0, 0, fmt.Errorf("%s: %w", why, record.ErrBad))
	}
}

// findNext decides where sequences go on, next being the one behind what the blocks have.
func (o *opening) findNext(next uint64) {
	w, p := &o.w, &o.w.plan
	p.torn = o.torn
	w.next = next
	unsure := !o.trusted
	if o.trusted && next != 0 && o.state.Last >= next {
		// The state knows of messages that are not there.
		p.lost = max(p.lost, o.state.Last-next+1)
		unsure = true
	}
	if o.trusted && o.state.Block > w.lastBlock {
		name := blockName(o.dir, o.state.Block)
		o.note(store.Damage{File: name, First: store.Seq(next), Last: store.Seq(max(next, o.state.Last)), Cause: "the newest block is missing"})
		unsure = unsure || !o.clean
		w.lastBlock = o.state.Block
	}
	if !o.clean {
		unsure = unsure || o.reboot || p.lost > 0
	}
	if o.config.Load().Mirror != nil {
		// A mirror's sequences are its origin's. What is lost behind its last message comes from there again, under
		// the same numbers, and a gap would keep it from coming.
		if p.lost > 0 {
			o.log.Warn("messages lost with a torn tail are taken from the origin again", "stream", o.config.Load().Name, "lost", p.lost)
		}
		p.lost, unsure = 0, false
	}
	p.unclean = !o.clean || p.lost > 0
	// A block that the state does not know was begun, and perhaps not to the end: its name may not be on disk.
	p.newBlock = p.unclean || len(o.blocks) == 0 || o.tail == nil || o.state.Block < w.lastBlock
	if unsure {
		p.mark = max(o.state.Mark, next-1+p.lost)
		if !o.trusted {
			p.mark = markFor(max(p.mark, o.lastMark()) + 1)
		}
		if p.mark == next-1+p.lost {
			p.mark = 0
		}
	}
	if p.lost > 0 {
		o.loseRun(next, next+p.lost-1, o.lostFile(), p.cut, p.junk, fmt.Errorf("lost with a torn tail: %w", record.ErrBad))
	}
	if p.junk > 0 && p.lost == 0 {
		o.log.Info("bytes behind the last record are set aside by the first write", "stream", o.config.Load().Name, "bytes", p.junk)
	}
}

// lastMark is the highest mark that a block's header has.
func (o *opening) lastMark() uint64 {
	mark := uint64(0)
	for _, b := range o.blocks {
		mark = max(mark, b.hdr.Mark)
	}
	return mark
}

func (o *opening) lostFile() string {
	if n := len(o.blocks); n > 0 && o.w.lastBlock == o.blocks[n-1].hdr.Block {
		return o.blocks[n-1].name
	}
	return blockName(o.dir, max(o.w.lastBlock, 1))
}

// start publishes what was read.
func (o *opening) start() {
	w := &o.w
	w.state = o.state
	w.time = o.lastTime()
	n := &snapshot{blocks: o.blocks, live: o.live, last: w.next - 1 + w.plan.lost, lastTime: w.time}
	if o.tail != nil {
		b := o.blocks[len(o.blocks)-1]
		w.tail, w.end = b, b.dataEnd
		w.synced = record.DataStart
		if o.clean {
			w.synced = w.end
		}
		w.offs, w.runs, w.all, w.first, w.newest = o.tail.Offsets(), b.runs, b.all, o.tail.First, o.tail.Last
		n.open, n.tail = true, w.view()
		n.tail.next = b.next
	}
	n.first = n.last + 1
	if o.live.Messages > 0 {
		n.first = n.nextLive(1)
	}
	o.cur.Store(n)
}

// lastTime is the time of the last message that is known of, or what a skip raised it to.
func (o *opening) lastTime() int64 {
	t := max(o.lastMessageTime(), o.newest)
	for i := range o.skips {
		t = max(t, o.skips[i].Time)
	}
	return t
}

// lastMessageTime is the time of the last message that is known of.
func (o *opening) lastMessageTime() int64 {
	for _, b := range slices.Backward(o.blocks) {
		switch {
		case b.all.Messages == 0:
			continue
		case b.trailer != nil:
			return b.trailer.LastTime
		}
		v := view{block: b, runs: b.runs, count: int(b.all.Messages), end: b.dataEnd}
		if o.tail != nil && b == o.blocks[len(o.blocks)-1] {
			return o.tail.Last
		}
		if h, err := o.readHead(&v, v.count-1); err == nil {
			return h.Time
		}
	}
	if o.trusted {
		return o.state.LastTime
	}
	return 0
}
