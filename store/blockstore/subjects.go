package blockstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"jsfs/store"
	"jsfs/store/internal/record"
)

// subjectIndex knows where the newest message on each subject is. It is made from the
// blocks' footers when it is first asked, and kept up from then on.
type subjectIndex struct {
	// build is held while the index is made, and never together with mu by who waits for it.
	build sync.Mutex

	mu    sync.RWMutex // guards the rest; a leaf, held for a few look-ups, or one pass over the subjects
	ready bool
	last  map[string]uint64 // the highest sequence ever seen on a subject, live or not
	news  []subjectSeq      // what was stored while the index is made
	open  bool              // it is being made
}

// subjectSeq is a message's subject and sequence.
type subjectSeq struct {
	subject string
	seq     uint64
}

// listening says whether the writer has to tell.
func (x *subjectIndex) listening() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.ready || x.open
}

// stored takes in a message that was published.
func (x *subjectIndex) stored(subject string, seq uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ready {
		x.last[subject] = max(x.last[subject], seq)
	} else if x.open {
		x.news = append(x.news, subjectSeq{subject, seq})
	}
}

// LoadLast implements [store.Reader].
func (s *Stream) LoadLast(ctx context.Context, subject string, buf []byte) (store.Msg, error) {
	if err := s.enter(ctx); err != nil {
		return store.Msg{}, err
	}
	defer s.gate.leave()
	if subject == "" || subject == ">" {
		return s.loadNewest(buf)
	}
	if err := store.CheckPattern(subject); err != nil {
		return store.Msg{}, err
	}
	if err := s.buildSubjects(ctx); err != nil {
		return store.Msg{}, err
	}
	for range maxRetries {
		seq, err := s.lastOn(ctx, subject)
		if err != nil {
			return store.Msg{}, err
		}
		if seq == 0 {
			break
		}
		v, i, err := s.locate(seq)
		if errors.Is(err, store.ErrNotFound) {
			continue // removed meanwhile
		}
		if err != nil {
			return store.Msg{}, err
		}
		return s.load(&v, i, buf)
	}
	return store.Msg{}, fmt.Errorf("newest message on %s in stream %s: %w", subject, s.config.Load().Name, store.ErrNotFound)
}

// maxRetries bounds how often LoadLast starts again because what it found was removed.
const maxRetries = 1000

// loadNewest reads the newest live message.
func (s *Stream) loadNewest(buf []byte) (store.Msg, error) {
	n := s.cur.Load()
	for b := len(n.blocks) - 1; b >= 0; b-- {
		v := n.view(b)
		for i := v.prevLive(v.count - 1); i >= 0; i = v.prevLive(i - 1) {
			return s.load(&v, i, buf)
		}
	}
	return store.Msg{}, fmt.Errorf("newest message of stream %s: %w", s.config.Load().Name, store.ErrNotFound)
}

// lastOn returns the highest live sequence on a pattern, 0 if there is none.
func (s *Stream) lastOn(ctx context.Context, pattern string) (uint64, error) {
	for {
		// The highest first: most often it is live.
		subject, seq := s.subjects.highest(pattern)
		if seq == 0 {
			return 0, nil
		}
		if s.isLive(seq) {
			return seq, nil
		}
		older, err := s.lastBelow(ctx, subject, seq)
		if err != nil {
			return 0, err
		}
		s.subjects.lower(subject, seq, older)
		if s.isLive(seq) { // it came back meanwhile
			s.subjects.stored(subject, seq)
		}
	}
}

// highest returns the subject that matches and has the highest sequence.
func (x *subjectIndex) highest(pattern string) (subject string, seq uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if store.IsLiteral(pattern) {
		return pattern, x.last[pattern]
	}
	for name, last := range x.last {
		if last > seq && store.MatchSubject(pattern, name) {
			subject, seq = name, last
		}
	}
	return subject, seq
}

// lower notes that the newest live message on subject was not from but to, unless there
// are news.
func (x *subjectIndex) lower(subject string, from, to uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.last[subject] != from {
		return
	}
	if to == 0 {
		delete(x.last, subject)
	} else {
		x.last[subject] = to
	}
}

func (s *Stream) isLive(seq uint64) bool {
	v, i, ok := s.cur.Load().find(seq)
	return ok && !v.isDeleted(i)
}

// lastBelow returns the highest live sequence below seq on a literal subject, 0 if there is none.
func (s *Stream) lastBelow(ctx context.Context, subject string, seq uint64) (uint64, error) {
	n := s.cur.Load()
	for b := n.blockOf(seq); b >= 0; b-- {
		v := n.view(b)
		if !s.mayHave(&v, subject) {
			continue
		}
		last := uint64(0)
		q := store.Query{From: store.Seq(v.hdr.First), To: store.Seq(min(seq, v.next) - 1), Subject: subject}
		if q.To < q.From {
			continue
		}
		for m, err := range s.Scan(ctx, q) {
			if err != nil {
				return 0, err
			}
			last = uint64(m.Seq)
		}
		if last > 0 {
			return last, nil
		}
	}
	return 0, nil
}

// mayHave says whether a block may have messages on subject.
func (s *Stream) mayHave(v *view, subject string) bool {
	if v.known || v.trailer == nil {
		return true
	}
	subs, err := s.readSubjects(v.block)
	return err != nil || slices.ContainsFunc(subs, func(e record.Subject) bool { return e.Name == subject })
}

func (s *Stream) readSubjects(b *block) ([]record.Subject, error) {
	bytes, err := s.readSection(b, b.trailer, record.Subjects)
	if err != nil {
		return nil, err
	}
	return b.trailer.Subjects(&b.hdr, bytes)
}

// buildSubjects makes the index unless it is there.
func (s *Stream) buildSubjects(ctx context.Context) error {
	x := &s.subjects
	if x.isReady() {
		return nil
	}
	x.build.Lock()
	defer x.build.Unlock()
	if x.isReady() {
		return nil
	}
	x.mu.Lock()
	x.open, x.news = true, nil // from here on, who stores tells
	x.mu.Unlock()
	// Whoever was about to publish without telling has done so when wmu is free.
	s.wmu.Lock()
	n := s.cur.Load()
	s.wmu.Unlock()
	last := map[string]uint64{}
	for b := range n.blocks {
		v := n.view(b)
		if err := s.addSubjects(ctx, &v, last); err != nil {
			x.mu.Lock()
			x.open, x.news = false, nil
			x.mu.Unlock()
			return err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.news {
		last[e.subject] = max(last[e.subject], e.seq)
	}
	x.last, x.ready, x.open, x.news = last, true, false, nil
	return nil
}

func (x *subjectIndex) isReady() bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.ready
}

// addSubjects adds the subjects of one block, from its footer if that has them.
func (s *Stream) addSubjects(ctx context.Context, v *view, last map[string]uint64) error {
	if !v.known && v.trailer != nil {
		subs, err := s.readSubjects(v.block)
		if err == nil {
			for _, e := range subs {
				last[e.Name] = max(last[e.Name], e.Last)
			}
			return nil
		}
		s.noteFile(v.block, err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := scanBlock(blockReader{s, v.block}, &v.hdr, v.end, subjects)
	if err != nil {
		return err
	}
	for name, e := range c.subjects {
		last[name] = max(last[name], e.Last)
	}
	return nil
}
