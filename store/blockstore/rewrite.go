package blockstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"

	"jsfs/store"
	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/blockstore/internal/subjects"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// newSuffix ends the name of a block that is being written anew.
const newSuffix = ".new"

// rewriting makes one block of blocks that follow each other, without the messages whose space is to be given back. The
// new one says of all sequences of theirs what became of them, so no control elsewhere is needed for those any more.
type rewriting struct {
	s      *Stream
	old    []*block
	asOf   int64 // what is kept until then at most need not be kept
	urgent bool  // room is needed at once: the pace is not kept, and the reserve lent

	inPages bool // what was gained is counted in whole pages of the disk

	ids     []*bitset // of each block, which messages are needed for their Nats-Msg-Id; nil if none is
	pinFrom uint64    // messages from this one on are needed for what they tell of the stream's sources

	stay     []*bitset        // of each block, which messages stay …
	gone     []*bitset        // … although they were removed …
	kept     [][]*keptBatch   // … until when: copies, as some may come back while they are written
	skips    []record.Control // of all blocks, sorted
	controls []*ownControl    // that other blocks need
	lastTime int64            // of the last message that the blocks ever had
	times    removalTimes     // of their messages, as far as they tell themselves
	instead  map[int64]int64  // which times are written in the place of these

	b    *block
	f    vfs.File
	buf  []byte     // encoded and not written
	end  int64      // of what was written
	meta store.Meta // of the message that was copied last
	offs []uint32
	runs []record.Run
	own  []record.Control // the controls in the new block
	goes []*keptRange     // of what stays and was removed

	all         store.Totals // of its messages
	first, last int64        // the first one's time, and the last one's
	subjects    *scan.SubjectList
}

// keptRange is what was removed at the same time and is kept until the same time, of the messages that stay.
type keptRange struct {
	due, at int64 // at is 0 where another block tells it
	last    int64 // when the last of them was removed
	record.Range
}

// errBusy means that blocks can't be rewritten now, because of what happened to them meanwhile or because all of it is needed.
var errBusy = errors.New("the blocks changed meanwhile, or are needed as they are")

// errNoGain means that what should still be kept would be forgotten and make no room.
var errNoGain = errors.New("the new block takes no less than the old ones")

// rewrite puts one new block in the place of old ones, which must be sealed and whole and follow each other, and returns
// how many bytes that gave back. The caller holds reclaimMu. Nothing is changed unless the error is nil, or the
// directory could not be synced: then either is good.
func (s *Stream) rewrite(ctx context.Context, r *rewriting) (int64, error) {
	r.s = s
	if err := r.readControls(); err != nil {
		return 0, err
	}
	if err := r.pin(ctx); err != nil {
		return 0, err
	}
	return r.replace(ctx)
}

// replace is rewrite for who has read what the old blocks say.
func (r *rewriting) replace(ctx context.Context) (int64, error) {
	s, last := r.s, r.old[len(r.old)-1]
	if err := r.decide(); err != nil {
		return 0, err
	}
	// What removed the messages must not be lost once they are.
	if err := s.sync(); err != nil {
		return 0, err
	}
	if err := r.sumUp(); err != nil {
		return 0, err
	}
	name := last.name + newSuffix
	err := removeIfThere(s.fs, name)
	if err == nil {
		err = r.write(ctx, name)
	}
	if err == nil && r.asOf > s.opt.Now() && r.gained() <= 0 {
		err = errNoGain
	}
	if err == nil {
		err = r.swap(name)
	}
	if err != nil {
		_ = removeIfThere(s.fs, name)
		s.left = append(s.left, name) // a crash may bring it back
		if errors.Is(err, errNoGain) {
			return 0, nil
		}
		return 0, fmt.Errorf("rewrite %s: %w", last.name, diskError(err))
	}
	s.dropReplaced(r.old)
	return r.finish()
}

// write writes the new block, durably but for its name, and reads it again.
func (r *rewriting) write(ctx context.Context, name string) (err error) {
	hdr := r.header()
	r.b = newBlock(r.old[len(r.old)-1].name, hdr)
	if r.f, err = r.s.fs.Create(name); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.f.Close()) }()
	r.buf = hdr.Start()
	r.subjects = scan.NewSubjectList()
	r.putControls()
	for i, b := range r.old {
		if err := r.copyBlock(ctx, b, i); err != nil {
			return err
		}
	}
	r.putKept()
	if err := r.flush(ctx); err != nil {
		return err
	}
	t := record.Trailer{
		DataEnd: r.end, Next: r.old[len(r.old)-1].next, All: r.all, FirstTime: r.first, LastTime: r.last, Chain: r.chain(),
	}
	f := record.Footer{Trailer: t, Offsets: r.offs, Runs: r.runs, Controls: r.own, Subjects: r.subjects.At(r.offs)}
	r.buf = f.Append(r.buf, &hdr)
	if err := r.flush(ctx); err != nil {
		return err
	}
	if err := r.f.Sync(); err != nil {
		return err
	}
	r.b.seal(&f.Trailer, r.end, r.runs)
	return r.verify()
}

// header is the new block's.
func (r *rewriting) header() record.Header {
	first, last := &r.old[0].hdr, &r.old[len(r.old)-1].hdr
	hdr := *first
	hdr.Block, hdr.Mark = last.Block, max(first.Mark, last.Mark)
	_, _ = rand.Read(hdr.Salt[:]) // never fails
	if hdr.Sealed {
		hdr.Unlock(r.s.st.key)
	}
	return hdr
}

// chain is what the block behind the new one says of the one before it: it must not change.
func (r *rewriting) chain() [16]byte {
	last := r.old[len(r.old)-1]
	blocks := r.s.cur.Load().blocks
	if i := slices.Index(blocks, last); i+1 < len(blocks) {
		if c := blocks[i+1].hdr.Chain; c != [16]byte{} {
			return c
		}
	}
	return last.trailer.Chain
}

// putControls encodes what the new block says besides messages.
func (r *rewriting) putControls() {
	r.put(&record.Control{Kind: record.FlagRemove, Seq: r.old[len(r.old)-1].next, Time: r.lastTime, Rewritten: true})
	for i := range r.skips {
		r.put(&r.skips[i])
	}
	for _, c := range r.controls {
		r.put(&c.Control)
	}
}

// put encodes a control, unless it is the same as the one before: a reader takes that for the twin of a record and passes it over.
func (r *rewriting) put(ct *record.Control) {
	if n := len(r.own); n > 0 && r.own[n-1].Same(ct) {
		return
	}
	at := r.end + int64(len(r.buf))
	r.buf = r.b.coder.AppendControl(r.buf, at, at, ct)
	r.own = append(r.own, *ct)
}

// putKept encodes which of the messages that stay were removed.
func (r *rewriting) putKept() {
	slices.SortFunc(r.goes, func(a, b *keptRange) int { return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.last, b.last)) })
	for _, k := range r.goes {
		r.put(&record.Control{Kind: record.FlagRemove, Seq: r.old[len(r.old)-1].next, Time: max(k.last, r.b.hdr.Time), Discard: k.due == math.MinInt64, Ranges: []record.Range{k.Range}})
	}
}

// copyBlock encodes those messages of b anew that stay, the k-th of the old blocks.
func (r *rewriting) copyBlock(ctx context.Context, b *block, k int) error {
	stay, gone, kept := r.stay[k], r.gone[k], r.kept[k]
	v := view{block: b, runs: b.runs, count: int(b.all.Messages), next: b.next, end: b.dataEnd}
	offs, err := r.s.indexOf(&v)
	if err != nil {
		return err
	}
	w := scan.NewWindow(blockReader{r.s, b}, 0)
	for i := range offs.len() {
		if !stay.get(i) {
			continue
		}
		err := r.copyMessage(&v, i, &w, offs.at(i))
		if errors.Is(err, errErased) {
			stay.words[i/64].And(^uint64(1 << (i % 64)))
			continue
		}
		if err != nil {
			return err
		}
		if gone.get(i) {
			r.noteGone(b, i, keptIn(kept, i))
		}
		if len(r.buf) >= writeSize {
			if err := r.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// errErased means that nothing is left of a message.
var errErased = errors.New("the message was erased")

// copyMessage encodes message i of v, which stands at off.
func (r *rewriting) copyMessage(v *view, i int, w *scan.Window, off int64) error {
	b, seq := v.block, v.seqOf(i)
	rec, err := w.At(off, min(record.MaxHead, b.dataEnd-off))
	if err != nil {
		return err
	}
	h, err := b.coder.Head(rec, off)
	if err == nil && (h.Seq != seq || h.Control() || h.Size > b.dataEnd-off) {
		err = record.ErrBad
	}
	if err != nil {
		return r.s.corrupt(b, off, int64(len(rec)), seq, err)
	}
	if rec, err = w.At(off, h.Size); err != nil {
		return err
	}
	subject, header, data, err := b.coder.Open(&h, rec[:h.Size:h.Size], off)
	if err != nil {
		switch erased, rerr := r.s.wasErased(v, i, &h, make([]byte, h.Size), off); {
		case rerr != nil:
			return rerr
		case erased:
			return errErased
		}
		return r.s.corrupt(b, off, h.Size, seq, err)
	}
	at := r.end + int64(len(r.buf))
	m := record.Message{
		Seq: seq, Time: h.Time, Durable: at, JSON: h.JSON, Subject: subjects.StringOf(subject), Header: header, Data: data,
		Compress: h.Flags&record.FlagCompressed != 0,
	}
	r.buf = r.b.coder.AppendMessage(r.buf, at, &m)
	if k := len(r.offs); k == 0 || r.runs[len(r.runs)-1].Seq+uint64(k)-uint64(r.runs[len(r.runs)-1].Index) != seq {
		r.runs = append(r.runs, record.Run{Seq: seq, Index: uint32(k)})
	}
	if r.offs = append(r.offs, uint32(at)); len(r.offs) == 1 {
		r.first = h.Time
	}
	r.last, r.all = h.Time, r.all.Add(h.Meta())
	r.subjects.Mark(subject, uint32(at))
	r.meta = h.Meta()
	return nil
}

// noteGone notes that message i of b, the one that was copied last, was removed, when, and until when it is kept, which e tells. What a later
// block tells of that counts when the stream is opened.
func (r *rewriting) noteGone(b *block, i int, e *keptBatch) {
	due, at, last := int64(math.MinInt64), int64(0), r.lastTime // it stays for something else
	if e != nil && e.due > r.asOf {
		due, last = e.due, e.last.Load()
		if t, ok := r.times.since(b, i, e, r.s.opt.KeepDeleted); ok {
			if in, ok := r.instead[t]; ok {
				t = in
			}
			at, last = t, t
		}
	}
	k := slices.IndexFunc(r.goes, func(k *keptRange) bool { return k.due == due && k.at == at })
	if k < 0 {
		k = len(r.goes)
		r.goes = append(r.goes, &keptRange{due: due, at: at})
	}
	r.goes[k].last = max(r.goes[k].last, last)
	r.goes[k].Add(uint64(r.meta.Seq), 1)
	r.goes[k].Sums = r.goes[k].Sums.Add(r.meta)
}

// flush writes what is encoded.
func (r *rewriting) flush(ctx context.Context) error {
	if err := r.s.mayReclaim(ctx, r.urgent); err != nil {
		return err
	}
	for {
		_, err := r.f.WriteAt(r.buf, r.end)
		if err == nil {
			break
		}
		if !isNoSpace(err) || !r.urgent || !r.s.st.reserve.Lend(int64(len(r.buf))) {
			return err
		}
	}
	n := len(r.buf)
	r.s.st.rewritten.Add(int64(n))
	r.end, r.buf = r.end+int64(n), r.buf[:0]
	if cap(r.buf) > keepBuffer {
		r.buf = nil
	}
	if r.urgent {
		return nil
	}
	return r.s.st.pace.Wait(ctx, n)
}

// verify reads the new block, and compares it with what was meant.
func (r *rewriting) verify() error {
	c, err := scan.Block(r.f, &r.b.hdr, r.b.dataEnd, scan.WantMessages)
	if err != nil {
		return err
	}
	same := func(a, b record.Control) bool { return a.Same(&b) }
	if len(c.Bad) > 0 || c.End != r.b.dataEnd || c.All != r.all || c.Next != r.b.next ||
		!slices.Equal(c.Offsets(), r.offs) || !slices.EqualFunc(c.Controls, r.own, same) {
		return fmt.Errorf("what was written is not what is read: %w", record.ErrBad)
	}
	return nil
}
