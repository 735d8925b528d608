package blockstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore/internal/damage"
	"jsfs/store/internal/consume"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
	"jsfs/store/internal/watch"
)

// Stream is a stream of the store.
//
// Lock order: those of consumers but for one Consumer's, which is a leaf, then reclaimMu, then commits.lead or syncMu or draftMu, then wmu, then a draftSize's, then subjects.mu, then one of the leaves: smu, tailMu, damage's,
// commits.mu, and the cache's and the reserve's. That of cur comes behind smu, and may be taken by whoever loads.
type Stream struct {
	// Dependencies and constants, set before the Stream is shared.
	st     *Store
	fs     vfs.FS
	opt    Options
	log    *slog.Logger
	cache  *cache
	dir    string // in the store
	inc    uint64
	boot   record.ID
	hub    *watch.Hub
	gate   *gate
	config atomic.Pointer[store.Config] // what it points to never changes; replaced under wmu

	// cur is what readers see: immutable, replaced as a whole, under smu.
	cur current

	// firstTime caches the time of the first live message.
	firstTime atomic.Pointer[seqTime]
	// lastSubject is the subject that was read last, so that reading it again need not
	// allocate.
	lastSubject atomic.Pointer[string]
	ahead       ahead
	// returned counts the messages that came back. It is raised before one is seen.
	returned atomic.Uint64
	// bytes is how much of the store's account is the stream's.
	bytes atomic.Int64
	// erasing is the message that is being overwritten, or may be so in part since a crash; 0 if none is.
	erasing atomic.Uint64

	// wmu serialises everything that changes the stream, and is held for the whole
	// change; while a sync runs only if the policy is SyncAlways. Readers never take it, and nothing
	// foreign is called under it.
	wmu    sync.Mutex
	w      writer  // guarded by wmu
	lim    limiter // guarded by wmu
	leaves bool    // guarded by wmu: once it is closed the stream is one that was removed

	// smu makes one change of cur and of the blocks' live totals. It is held for a few
	// assignments, and by Extents for a loop over the blocks.
	smu sync.Mutex

	// syncMu is held by who syncs the tail without wmu.
	syncMu sync.Mutex
	// tailMu is held while a tail is synced, by whomever. tailLost is guarded by it: why what was written may not be on disk, whatever the next
	// sync says.
	tailMu   sync.Mutex
	tailLost error
	// background counts the syncs that are planned or run.
	background sync.WaitGroup

	// draftMu serialises what changes the names of drafts, and guards retired.
	draftMu sync.Mutex
	retired bool // the stream was removed, or is truncated: no draft can be made any more
	// openDrafts are the sealed drafts that somebody has open, by the names of their files; guarded by draftMu.
	openDrafts map[string]*openDraft
	// returning are drafts that were to become messages and, as far as is known, did not, whose files still have the names that
	// they got for that: while the stream is only read; the files by the names of the drafts. Guarded by draftMu.
	returning  map[string]string
	draftSizes map[string]*draftSize // by the names of their files; guarded by draftMu, nil if nobody counts
	vacated    vacated               // guarded by draftMu
	moved      atomic.Uint64         // how many of writer.moves are on disk
	// plainDrafts are the drafts without encryption that somebody has open or whose checksums are not on disk, by the names of their files,
	// sumFiles the files of those that are, sumsDropped that one was removed and may still be on disk. All guarded by draftMu.
	plainDrafts map[string]*plainDraft
	sumFiles    map[string]bool
	sumsDropped bool
	namesSynced bool        // no draft has got or lost its name since their directory was synced; guarded by draftMu
	sumsTimer   *time.Timer // until sums are put on disk; guarded by draftMu
	sumsClosed  bool        // none are any more, but by who closes the stream; guarded by draftMu
	unsummed    []string    // files of drafts that have no sums on disk; set before the Stream is shared
	leftDrafts  []string    // files that are no drafts and are to be removed; set before the Stream is shared
	// draftIO is held for reading while the content of a draft changes, and for writing while all are copied by a truncation; of
	// those that wait for it none has another lock. draftsHeld, guarded by Store.originMu, says that it is held for writing.
	draftIO    sync.RWMutex
	draftsHeld bool
	draftsGone atomic.Bool // they are those of the stream that took this one's place

	// reclaimMu is held by who writes blocks anew. It comes before all other locks of the stream. unsure is guarded
	// by it: why no block is written anew, and no message erased, any more.
	reclaimMu sync.Mutex
	unsure    error
	left      []string     // files that others stand for, to be removed; guarded by reclaimMu
	leftLast  []string     // those of them by which others are known for what they are: they go when those are gone for good; likewise
	rewrites  atomic.Int64 // how often blocks were written anew
	wanted    atomic.Int64 // how many wait for reclaimMu and for the pass under it to end early
	stopping  atomic.Bool  // the stream is being closed: whoever writes blocks anew is to stop

	lastMu sync.Mutex  // guards lasts; a leaf
	lasts  []*lastFile // of blocks that were replaced

	commits   commits
	damage    damage.Book
	subjects  subjectIndex
	consumers *consume.Set // set before the Stream is shared; it calls the Stream, with none of its locks held
}

// snapshot is what readers see. The rules:
//
//  1. What a published snapshot reaches never changes, but for the blocks' deletion bits, indexes
//     and open files, which are atomic, and their live totals, which smu guards.
//  2. Bytes below a block's published end never change while the block has its name, but for those of
//     messages that are erased, which were unpublished before; see erase.go.
//  3. A sequence number is never reused: it loads the same bytes, or is gone.
//  4. Write, sync as the policy says, publish, post the event, return; in this order.
//  5. Who finds a block's file closed asks for it again: files are unpublished before they are
//     closed, and only Close closes them for good, when nobody is inside the gate.
//  6. A later snapshot may have another block in the place of some. Who reads those goes on with their last files; their
//     deletion bits don't change any more.
type snapshot struct {
	rev      uint64
	first    uint64 // the lowest live sequence, or last+1
	last     uint64
	lastTime int64
	live     store.Totals
	appended store.Totals
	blocks   []*block // in order
	// Of the newest block, if it is not sealed.
	open bool
	tail view
}

// view returns the i-th block as the snapshot shows it.
func (n *snapshot) view(i int) view {
	if n.open && i == len(n.blocks)-1 {
		return n.tail
	}
	b := n.blocks[i]
	return view{block: b, runs: b.runs, count: int(b.all.Messages), next: b.next, end: b.dataEnd}
}

// blockOf returns the number of the block that would have seq: the last one that begins
// at or below it, -1 if there is none.
func (n *snapshot) blockOf(seq uint64) int {
	lo, hi := 0, len(n.blocks)
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); n.blocks[mid].hdr.First <= seq {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	// A block without a message may begin where the next one does, which has it then.
	return lo - 1
}

// find returns the view that has seq, and its place in it.
func (n *snapshot) find(seq uint64) (v view, i int, ok bool) {
	b := n.blockOf(seq)
	if b < 0 {
		return v, 0, false
	}
	v = n.view(b)
	i, ok = v.place(seq)
	return v, i, ok
}

// nextLive returns the lowest live sequence from seq on, or last+1.
func (n *snapshot) nextLive(seq uint64) uint64 {
	for b := max(n.blockOf(seq), 0); b < len(n.blocks); b++ {
		v := n.view(b)
		i, _ := v.place(seq)
		if i = v.nextLive(i); i < v.count {
			return v.seqOf(i)
		}
	}
	return n.last + 1
}

// seqTime is a message's time.
type seqTime struct {
	seq  uint64
	time int64
}

// writer is what changing the stream needs.
type writer struct {
	ready     bool     // the first write of this process was prepared
	begun     bool     // … as far as that its new block was begun
	plan      recovery // what that one has to do
	failed    error    // the first write or sync that failed; sticky
	file      vfs.File // of the tail; nil if there is none, or it is sealed
	tail      *block   // nil if there is none, or it is sealed
	end       int64    // of the tail's records
	synced    int64    // how much of the tail is known to be on disk
	lastBlock uint64   // the highest number that a block has, or may have had
	offs      []uint32 // of the tail's messages; readers have a prefix of it
	runs      []record.Run
	all       store.Totals // of the tail's messages
	first     int64        // time of the tail's first message
	newest    int64        // time of the tail's last message
	next      uint64
	time      int64 // of the last message, or what SkipTo raised it to
	state     record.State
	stateFile vfs.File
	timer     *time.Timer // of the next sync in the background; nil if none is planned

	buf       []byte       // records that are encoded and not written
	metas     []store.Meta // of the messages that are to be published
	made      int          // how many of the metas are still in buf
	before    int64        // what time was before the first of these
	unwritten store.Totals // of these
	sums      store.Totals // of the others
	skipped   uint64       // how many sequences are skipped in buf
	flushed   int          // how many messages were written since the stream was opened
	told      []subjectSeq // the subjects of metas, for the subject index
	notes     tailNotes    // of what is in the tail, and in buf
	now       int64        // when the last message came that was asked the time of
	fresh     int          // how many more messages get that time
	spent     []spentDraft // whose messages may not be on disk yet, or could not be removed
	drafted   bool         // what is encoded is made of a draft whose new name will not be on disk before it
	moves     uint64       // how often the file of a draft got the name of a message; s.moved says how many of these are on disk

	head [record.MaxHead]byte // room for headLocked
	room removalRoom          // nobody's while there is no removal
}

// Config implements [store.Stream].
func (s *Stream) Config() store.Config { return s.config.Load().Clone() }

// Incarnation implements [store.Stream].
func (s *Stream) Incarnation() uint64 { return s.inc }

// Watch implements [store.Follower].
func (s *Stream) Watch() store.Subscription { return s.hub.Watch() }

// State implements [store.Reader].
func (s *Stream) State(ctx context.Context) (store.State, error) {
	if err := s.enter(ctx); err != nil {
		return store.State{}, err
	}
	defer s.gate.leave()
	return s.state(s.cur.Load()), nil
}

// enter begins a call, which must leave the gate.
func (s *Stream) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.gate.enter(); err != nil {
		return fmt.Errorf("stream %s: %w", s.config.Load().Name, err)
	}
	return nil
}

func (s *Stream) state(n *snapshot) store.State {
	st := s.counts(n)
	st.FirstTime = s.timeOfFirst(n)
	return st
}

// counts is the state without the time of the first message, for which a block may have to be read.
func (s *Stream) counts(n *snapshot) store.State {
	st := store.State{
		Rev: n.rev, First: store.Seq(n.first), Last: store.Seq(n.last), LastTime: n.lastTime,
		Live: n.live, Appended: n.appended, Consumers: s.consumers.Len(),
	}
	unlisted, lost := s.damage.Count(n.first, n.last)
	st.Lost = lost
	if span := n.last + 1 - n.first; span >= uint64(n.live.Messages)+unlisted {
		st.Deleted = span - uint64(n.live.Messages) - unlisted
	}
	return st
}

// timeOfFirst returns the time of the first live message, 0 if there is none.
func (s *Stream) timeOfFirst(n *snapshot) int64 {
	if n.live.Messages == 0 {
		return 0
	}
	if c := s.firstTime.Load(); c != nil && c.seq == n.first {
		return c.time
	}
	v, i, ok := n.find(n.first)
	if !ok {
		return 0
	}
	h, err := s.readHead(&v, i)
	if err != nil {
		return 0
	}
	s.firstTime.Store(&seqTime{n.first, h.Time})
	return h.Time
}

// Extents implements [store.Reader]. An extent is a block, and the gap before it.
func (s *Stream) Extents(ctx context.Context) ([]store.Extent, store.State, error) {
	if err := s.enter(ctx); err != nil {
		return nil, store.State{}, err
	}
	defer s.gate.leave()
	s.smu.Lock()
	n := s.cur.Load()
	live := make([]store.Totals, len(n.blocks))
	for i, b := range n.blocks {
		live[i] = b.live
	}
	s.smu.Unlock()
	extents := make([]store.Extent, 0, len(n.blocks))
	from := uint64(1)
	for i := range n.blocks {
		v := n.view(i)
		to := v.next - 1
		if i == len(n.blocks)-1 {
			to = n.last
		}
		if to < from {
			continue
		}
		extents = append(extents, store.Extent{First: store.Seq(from), Last: store.Seq(to), Live: live[i]})
		from = to + 1
	}
	return extents, s.state(n), nil
}

// publish makes n what readers see.
func (s *Stream) publish(n *snapshot) {
	s.smu.Lock()
	s.cur.Store(n)
	s.smu.Unlock()
	s.checkInvariants()
}

// post tells who follows of a change that is published.
func (s *Stream) post(kind store.Kind, rev uint64, m store.Meta) {
	if s.hub.Listening() {
		s.hub.Post(store.Event{Kind: kind, Stream: s.config.Load().Name, Incarnation: s.inc, Rev: rev, Meta: m})
	}
}

// close ends the stream. What was stored is durable then.
func (s *Stream) close() error {
	s.stopping.Store(true)
	_ = s.consumers.SweepAgain() // what stays nevertheless is left to who opens the stream
	s.gate.close()
	kept := s.consumers.Close()
	s.reclaimMu.Lock()
	s.unsure = store.ErrClosed
	s.reclaimMu.Unlock()
	s.wmu.Lock()
	if t := s.w.timer; t != nil && t.Stop() {
		s.background.Done()
	}
	s.w.timer = nil
	s.stopLocked()
	s.lim.closed = true
	s.wmu.Unlock()
	sums := s.closeSums()
	s.wmu.Lock()
	defer s.wmu.Unlock()
	err := errors.Join(kept, sums, s.closeWriterLocked())
	s.cache.drop(s.cur.Load().blocks)
	s.cache.pieces.drop(&s.ahead)
	s.uncount()
	s.release(true)
	return err
}
