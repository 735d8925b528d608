package fusefs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"

	"jsfs/fusefs/gather"
	"jsfs/fusefs/logview"
	"jsfs/mapping"
	"jsfs/store"
)

// stream is a stream that somebody looked up, and what the mount knows about it.
type stream struct {
	store.Stream
	name string
	// num is the part of the incarnation that node numbers hold; node is the number
	// of the stream's directory.
	num, node uint64
	// generation tells a stream that was removed and brought back from what it was: the kernel lets
	// nothing be made in a directory that was removed, and has it as long as somebody works there.
	generation uint64

	// messages are all of them.
	messages *messages

	// bell rings for who waits for the next message.
	bell *logview.Bell
	// erasures are those of all streams that have had the name: what a stream was before it was truncated has the same messages.
	erasures *logview.Erasures

	// broken is set when a handler panicked: the stream is only read from then on.
	broken atomic.Bool
	// changed is when a message was removed last, in nanoseconds since the Unix epoch.
	changed atomic.Int64
	// dated is the State.Rev up to which removals have their time in changed: that of the call that made them.
	dated atomic.Uint64
	// unnamed is when a draft's name went last, likewise.
	unnamed atomic.Int64

	// floor is the lowest sequence that the kernel may have been shown, 0 before any was.
	floor atomic.Uint64

	// lookups counts the messages that the kernel asked for by name.
	lookups atomic.Uint64
	// used counts the messages that somebody opened, asked for the beginning of, or removed.
	used atomic.Uint64
	// bare counts those that were listed without their attributes.
	bare atomic.Uint64
	// unkept is what both were when the kernel was told the last time to forget the names that it keeps.
	unkept atomic.Uint64

	removing removing // who is about to remove a consumer

	restores *gather.Restores // what is restored by number, in whatever order

	copied     copied // whether it may get the configuration of another stream
	draftNames draftNames
	writing    writing // what the writing half remembers of the stream
	sweep      sweep

	// unlinked are the messages that the kernel asked to remove under their listed names,
	// from before the removal until its event was taken: the kernel knows of them.
	unlinked set[store.Seq]
	// erasing are those that are being erased, until the events of their removals were taken.
	erasing set[store.Seq]
}

// message returns the node number of a message, ok is false if it has none.
func (s *stream) message(seq store.Seq) (uint64, bool) {
	return mapping.Node(mapping.KindMessage, s.num, uint64(seq))
}

// shown refuses a number that is too high for a message to be shown, whichever way it is to come to a stream.
func shown(seq store.Seq) error {
	if seq > mapping.MaxN {
		return refuse(syscall.EINVAL, "sequence %d is too high to be shown", seq)
	}
	return nil
}

// Erasures implements [logview.Erasing].
func (s *stream) Erasures() *logview.Erasures { return s.erasures }

// lowerFloor notes that the kernel may be shown messages from seq on.
func (s *stream) lowerFloor(seq store.Seq) {
	for {
		old := s.floor.Load()
		if old != 0 && old <= uint64(seq) || s.floor.CompareAndSwap(old, uint64(seq)) {
			return
		}
	}
}

// lowestShown returns the lowest sequence that the kernel may have been shown, given
// the stream's first one.
func (s *stream) lowestShown(first store.Seq) store.Seq {
	if floor := s.floor.Load(); floor != 0 {
		return min(first, store.Seq(floor))
	}
	return first
}

// streams holds the streams that were looked up, by what node numbers hold of their
// incarnations.
type streams struct {
	st store.Store
	// gathering says how messages are gathered that are restored to the stream.
	gathering func(s *stream) gather.Options

	// mu guards all below. It is a leaf.
	mu      sync.RWMutex
	byNum   map[uint64]*stream
	dropped uint64 // how many were dropped
	// erasures are those of each name that a stream has had.
	erasures map[string]*logview.Erasures
	// gone are those that were dropped and whose number no other one has, of which there are 2^18.
	gone map[uint64]goneStream

	// rmdirs are the incarnations of those that the kernel asked to remove, from before the removal until its event was taken: it drops
	// the name itself, and may have it for another one by then. It has its own lock.
	rmdirs set[uint64]
}

// goneStream is a stream that was removed.
type goneStream struct {
	incarnation uint64
	name        string
}

// byNode returns the stream to which a node belongs, nil if it was removed.
func (t *streams) byNode(num uint64) *stream {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byNum[num]
}

// removed returns the incarnation of the stream that a node number belonged to before it was removed.
func (t *streams) removed(num uint64) (incarnation uint64, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	gone, ok := t.gone[num]
	return gone.incarnation, ok
}

// goneOf returns the numbers of the streams that had a name before and were removed.
func (t *streams) goneOf(name string) []uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var nums []uint64
	for num, s := range t.gone {
		if s.name == name {
			nums = append(nums, num)
		}
	}
	return nums
}

// named returns the stream that has a name now; store.ErrNotFound if there is none.
func (t *streams) named(ctx context.Context, name string) (*stream, error) {
	found, err := t.st.Stream(ctx, name)
	if err != nil {
		return nil, err
	}
	return t.enter(found)
}

// enter returns the entry of a stream, which it makes if there is none.
func (t *streams) enter(found store.Stream) (*stream, error) {
	name, num := found.Config().Name, mapping.Incarnation(found.Incarnation())
	t.mu.RLock()
	old := t.byNum[num]
	t.mu.RUnlock()
	if old != nil && old.Incarnation() == found.Incarnation() {
		return old, nil
	}
	used := everUsed(found)
	t.mu.Lock()
	defer t.mu.Unlock()
	old = t.byNum[num]
	if old != nil && old.Incarnation() == found.Incarnation() {
		return old, nil
	}
	if old != nil {
		return nil, fmt.Errorf("stream %s can't be shown beside %s: their incarnations %d and %d have the same node numbers",
			name, old.name, found.Incarnation(), old.Incarnation())
	}
	s := &stream{Stream: found, name: name, num: num, generation: t.dropped, bell: logview.NewBell(found)}
	s.restores = gather.New(found, t.gathering(s))
	s.messages = &messages{stream: s}
	if s.erasures = t.erasures[name]; s.erasures == nil {
		if t.erasures == nil {
			t.erasures = map[string]*logview.Erasures{}
		}
		s.erasures = &logview.Erasures{}
		t.erasures[name] = s.erasures
	}
	s.copied.used.Store(used)
	s.node, _ = mapping.Node(mapping.KindStream, num, 0)
	t.byNum[num] = s
	delete(t.gone, num)
	return s, nil
}

// drop forgets a stream that was removed.
func (t *streams) drop(incarnation uint64) {
	if s := t.of(incarnation); s != nil {
		t.dropOnly(s)
	}
}

// dropOnly is drop for who has seen that s was removed: one of the same incarnation, which was brought back since, stays.
func (t *streams) dropOnly(s *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byNum[s.num] != s {
		return
	}
	delete(t.byNum, s.num)
	t.dropped++
	if t.gone == nil {
		t.gone = map[uint64]goneStream{}
	}
	t.gone[s.num] = goneStream{s.Incarnation(), s.name}
	s.bell.End()
}

// renew replaces the entry of a stream that the store has ended, and opened again as it could not be removed.
func (t *streams) renew(ctx context.Context, s *stream) {
	if _, err := s.Stream.State(ctx); errors.Is(err, store.ErrClosed) {
		t.dropOnly(s)
		_, _ = t.named(ctx, s.name) // who looks for it is told if it can't be opened
	}
}

// of returns the entry of the stream with an incarnation, nil if there is none.
func (t *streams) of(incarnation uint64) *stream {
	if s := t.byNode(mapping.Incarnation(incarnation)); s != nil && s.Incarnation() == incarnation {
		return s
	}
	return nil
}

// all returns the streams that were looked up.
func (t *streams) all() []*stream {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make([]*stream, 0, len(t.byNum))
	for _, s := range t.byNum {
		out = append(out, s)
	}
	return out
}

// set is a small set.
type set[K comparable] struct {
	// mu guards m. It is a leaf.
	mu sync.Mutex
	m  map[K]struct{}
}

func (s *set[K]) add(k K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil {
		s.m = map[K]struct{}{}
	}
	s.m[k] = struct{}{}
}

// take removes k, and says whether it was there.
func (s *set[K]) take(k K) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.m[k]
	delete(s.m, k)
	return ok
}

func (s *set[K]) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.m)
}
