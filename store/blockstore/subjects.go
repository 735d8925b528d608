package blockstore

import (
	"context"
	"sync"
	"sync/atomic"

	"jsfs/store"
	"jsfs/store/blockstore/internal/subjects"
	"jsfs/store/internal/record"
)

// subjectIndex knows of each subject how many live messages it has, and which are the first and the last; and of each
// message of the tail which subject it is on. It is made from the blocks' footers when it is first asked, and
// kept up from then on. What it says is true of a moment after the snapshot that the asker loaded before, and
// up to the one that he loads then.
type subjectIndex struct {
	mu    sync.RWMutex // guards the rest; held for a few look-ups, or a batch of them
	ready bool
	open  bool        // it is being made
	asked atomic.Bool // it is ready or open; read without mu
	news  []subjectChange
	// made counts how often it was begun or dropped, so that who makes it sees that he is late.
	made int
	subs *subjects.Map
	// ids are the numbers of the subjects of tail's messages, in order; noSubject where it is not known.
	ids   []uint32
	tail  *block
	chain tailChain // of the same messages
	// undeleted counts the messages that came back.
	undeleted uint64
	// missed are messages that were live at the moment that the index was made of, and whose subject was not found: they are not counted.
	missed map[uint64]bool
}

// noSubject stands for the subject of a message that damage has made unreadable.
const noSubject = ^uint32(0)

// subjectSeq is a message's subject and sequence.
type subjectSeq struct {
	subject string
	seq     uint64
}

// subjectChange is a change that was published while the index was made.
type subjectChange struct {
	subjectSeq
	kind store.Kind
	b    *block // where a message was stored
}

// listening says whether the writer has to tell. As the making of the index begins under wmu, the
// answer holds for who has that.
func (x *subjectIndex) listening() bool { return x.asked.Load() }

// tell takes in changes that were published.
func (x *subjectIndex) tell(changes ...subjectChange) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range changes {
		if x.ready {
			x.apply(c)
		} else if x.open {
			x.news = append(x.news, c)
		}
	}
}

// storedLocked takes in messages that were stored in b, the tail. The caller holds mu until they are published: who sees one must find it
// by its subject, and who finds one so must see it.
func (x *subjectIndex) storedLocked(b *block, told []subjectSeq) {
	for _, e := range told {
		c := subjectChange{e, store.Stored, b}
		if x.ready {
			x.apply(c)
		} else if x.open {
			x.news = append(x.news, c)
		}
	}
}

func (x *subjectIndex) apply(c subjectChange) {
	switch c.kind {
	case store.Stored:
		if c.b != x.tail {
			x.tail, x.ids, x.chain = c.b, nil, tailChain{}
			if x.subs.Wasteful() { // nobody has numbers of it any more
				x.subs = x.subs.Compacted()
			}
		}
		id := x.subs.Add(c.subject)
		x.chain.stored(c.seq, len(x.ids), x.subs.At(id).Last)
		x.subs.Stored(id, c.seq)
		x.ids = append(x.ids, id)
	case store.Undeleted:
		x.undeleted++
		x.chain.cut = true
		x.subs.Stored(x.subs.Add(c.subject), c.seq)
	case store.Deleted:
		if !x.subs.Removed(c.subject, c.seq) {
			x.dropLocked() // it contradicts the blocks: it is made anew
		}
	}
}

// drop forgets everything; who asks next has it made anew. It is for changes that would take longer to
// tell than to find out.
func (x *subjectIndex) drop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dropLocked()
}

func (x *subjectIndex) dropLocked() {
	x.asked.Store(false)
	x.ready, x.open, x.news, x.subs, x.ids, x.tail, x.chain = false, false, nil, nil, nil, nil, tailChain{}
	x.made++
}

func (x *subjectIndex) isReady() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.ready
}

// count returns how many subjects have a live message; ok is false if the index is not there.
func (x *subjectIndex) count() (n uint64, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if !x.ready {
		return 0, false
	}
	return uint64(x.subs.Live()), true //nolint:gosec // never negative
}

// lastOn returns the last live sequence on a literal subject, 0 if the index does not know it. It may be that of another subject,
// which who reads the message sees.
func (x *subjectIndex) lastOn(subject string) uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if !x.ready {
		return 0
	}
	id, ok := x.subs.Guess(subject)
	if !ok {
		return 0
	}
	e := x.subs.At(id)
	if e.Count == 0 || e.Stale&subjects.StaleLast != 0 {
		return 0
	}
	return e.Last
}

// subjectBase is what the index is made from: a snapshot, and who was removed at that moment.
type subjectBase struct {
	*snapshot
	gone map[*block]*bitset
}

func (s *Stream) subjectBaseLocked() subjectBase {
	n := subjectBase{s.cur.Load(), map[*block]*bitset{}}
	for _, b := range n.blocks {
		if d := b.deleted.Load(); d != nil && b.dead.Load() > 0 {
			n.gone[b] = d.grown(64 * len(d.words))
		}
	}
	return n
}

// buildSubjects makes the index unless it is there.
func (s *Stream) buildSubjects(ctx context.Context) error {
	x := &s.subjects
	for !x.isReady() {
		s.wmu.Lock()
		x.mu.Lock()
		if !x.open { // who finds it open makes it, too: the first one to be done serves both
			x.asked.Store(true)
			x.open, x.news = true, nil
			x.made++
		}
		turn, from := x.made, len(x.news)
		x.mu.Unlock()
		n := s.subjectBaseLocked()
		s.wmu.Unlock()
		made, err := s.readSubjectIndex(ctx, &n)
		x.mu.Lock()
		switch {
		case x.ready || x.made != turn: // somebody was faster, or it was dropped
		case err != nil:
			x.dropLocked()
		default:
			x.install(made, x.news[from:])
		}
		x.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// install makes y what x is, brought up to date by news.
func (x *subjectIndex) install(y *subjectIndex, news []subjectChange) {
	x.subs, x.ids, x.tail, x.chain = y.subs, y.ids, y.tail, y.chain
	x.asked.Store(true)
	x.ready, x.open, x.news = true, false, nil
	for _, c := range news {
		if c.kind == store.Deleted && y.missed[c.seq] { // it was erased before its block was read
			delete(y.missed, c.seq)
			continue
		}
		if x.ready {
			x.apply(c)
		}
	}
}

// subjectStateLocked returns the live messages on a literal subject, those among them that are written and
// not published yet. The caller holds wmu, and so nothing changes meanwhile. The first call after opening reads
// the footers of all blocks.
func (s *Stream) subjectStateLocked(ctx context.Context, subject string) (store.Count, error) {
	x := &s.subjects
	if !x.isReady() {
		n := s.subjectBaseLocked()
		y, err := s.readSubjectIndex(ctx, &n)
		if err != nil {
			return store.Count{}, err
		}
		x.mu.Lock()
		if !x.ready {
			x.made++
			x.install(y, nil)
		}
		x.mu.Unlock()
	}
	k, err := s.knownOf(ctx, subject)
	c := store.Count{Messages: k.count, First: store.Seq(k.first), Last: store.Seq(k.last)}
	for _, e := range s.w.told {
		if e.subject == subject {
			c.Messages++
			c.Last = store.Seq(e.seq)
			if c.First == 0 {
				c.First = c.Last
			}
		}
	}
	return c, err
}

// knownOf returns what is known of one subject, with bounds that are exact.
func (s *Stream) knownOf(ctx context.Context, subject string) (known, error) {
	x := &s.subjects
	k := known{name: subject}
	x.mu.RLock()
	if id, ok := x.subs.Find(subject); ok {
		e := x.subs.At(id)
		k.count, k.first, k.last, k.stale = e.Count, e.First, e.Last, e.Stale
	}
	x.mu.RUnlock()
	return k, s.exact(ctx, &k)
}

// readSubjectIndex makes an index of what n shows.
func (s *Stream) readSubjectIndex(ctx context.Context, n *subjectBase) (*subjectIndex, error) {
	y := &subjectIndex{subs: subjects.NewMap()}
	var places []uint32
	for b := range n.blocks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v := n.view(b)
		gone := n.gone[v.block]
		if v.count == 0 {
			continue
		}
		t, err := s.tableOnce(&v)
		if err != nil {
			return nil, err
		}
		if v.known {
			y.tail, y.ids = v.block, make([]uint32, v.count)
			for i := range y.ids {
				y.ids[i] = noSubject
			}
			y.chain = tailChain{runs: v.runs[:len(v.runs):len(v.runs)], prevs: make([]uint32, v.count)}
		}
		listed := 0
		for e := range t.Prefixed("") {
			places = y.addEntry(&v, gone, e, places[:0])
			listed += int(e.Count)
		}
		if listed < v.count {
			y.miss(&v, gone, t)
		}
	}
	return y, nil
}

// miss notes the messages of v that are not in its table t, and were not gone.
func (x *subjectIndex) miss(v *view, gone *bitset, t *subjectTable) {
	listed := new(bitset).grown(v.count)
	var places []uint32
	for e := range t.Prefixed("") {
		places = e.Places(places[:0])
		for _, i := range places {
			listed.set(int(i), int(i)+1, true)
		}
	}
	if x.missed == nil {
		x.missed = map[uint64]bool{}
	}
	for i := range v.count {
		if !listed.get(i) && (gone == nil || !gone.get(i)) {
			x.missed[v.seqOf(i)] = true
		}
	}
}

// addEntry counts in the messages of v on one subject. It returns places, which it uses.
func (x *subjectIndex) addEntry(v *view, gone *bitset, e *record.SubjectEntry, places []uint32) []uint32 {
	id := noSubject
	if v.known {
		id = x.subs.Add(subjects.StringOf(e.Name))
		places = e.Places(places)
		for _, i := range places {
			x.ids[i] = id
		}
		x.chain.link(places)
	}
	n, first, last := uint64(e.Count), e.First, e.Last
	if gone != nil {
		places, n = e.Places(places[:0]), 0
		for _, i := range places {
			if gone.get(int(i)) {
				continue
			}
			if n++; n == 1 {
				first = i
			}
			last = i
		}
	}
	if n > 0 {
		if id == noSubject {
			id = x.subs.Add(subjects.StringOf(e.Name))
		}
		x.subs.Count(id, n, v.seqOf(int(first)), v.seqOf(int(last)))
	}
	return places
}
