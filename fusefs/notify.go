package fusefs

import (
	"context"
	"errors"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// kernel is what the kernel can be told. ENOENT means that it did not know of it.
type kernel interface {
	// InodeNotify drops the attributes of a node and, from off on, its pages; off < 0
	// is the attributes alone.
	InodeNotify(node uint64, off, length int64) fuse.Status
	// EntryNotify drops a name; under a directory's name, everything that is not in use.
	EntryNotify(parent uint64, name string) fuse.Status
	// DeleteNotify drops a name because what it stood for was removed.
	DeleteNotify(parent, child uint64, name string) fuse.Status
	// EpochNotify makes the kernel look up every name again, once.
	EpochNotify() fuse.Status
	// PruneNotify makes the kernel forget nodes that nobody uses. Linux has it from 6.18 on.
	PruneNotify(nodes []uint64) fuse.Status
	// StoreNotify gives the first pages of a file to the page cache. It may wait for a READ of
	// them that is under way.
	StoreNotify(node uint64, data []byte) fuse.Status
}

// notifier takes the store's events and tells the kernel of them. It is one
// goroutine; it holds no lock while it tells.
type notifier struct {
	fs     *FS
	kernel kernel
}

// tellPause is how long the notifier rests when it has told something. Who changes many
// messages in a row would else pay for waking it each time.
const tellPause = time.Millisecond

// run takes events until the subscription is closed.
func (n *notifier) run(sub store.Subscription) {
	var events []store.Event
	for range sub.C() {
		var lost bool
		events, lost = sub.Take(events)
		if lost {
			n.afterLoss(context.Background())
		}
		n.tell(events)
		time.Sleep(tellPause)
	}
}

// tell tells the kernel of some events. However many there are, a directory's
// attributes are dropped once; for what the kernel itself removed it dropped them itself.
func (n *notifier) tell(events []store.Event) {
	touched := map[*stream]bool{}
	root := false
	for i := range events {
		e := &events[i]
		switch e.Kind {
		case store.StreamCreated:
			root = true
			continue
		case store.StreamRemoved:
			root = true
			n.removed(e)
			continue
		}
		s := n.fs.streams.byNode(mapping.Incarnation(e.Incarnation))
		if s == nil || s.Incarnation() != e.Incarnation {
			continue // nobody looked it up: the kernel knows nothing of it
		}
		if e.Kind == store.Deleted && s.unlinked.take(e.Meta.Seq) {
			continue
		}
		touched[s] = true
		switch e.Kind {
		case store.Deleted:
			if e.Rev > s.dated.Load() {
				s.changed.Store(n.fs.now().UnixNano())
			}
			n.deleted(s, e.Meta.Seq)
			if s.erasing.take(e.Meta.Seq) {
				n.erased(s, e.Meta.Seq)
			}
		case store.Erased: // who had it open when it was removed has its pages
			if id, ok := s.message(e.Meta.Seq); ok {
				n.kernel.InodeNotify(id, 0, 0)
			}
			n.erased(s, e.Meta.Seq)
		case store.Undeleted:
			s.lowerFloor(e.Meta.Seq)
			if id, ok := s.message(e.Meta.Seq); ok {
				n.kernel.InodeNotify(id, -1, 0)
			}
		}
	}
	if root {
		n.fs.changed.Store(n.fs.now().UnixNano())
		n.kernel.InodeNotify(mapping.Root, -1, 0)
	}
	for s := range touched {
		n.kernel.InodeNotify(s.node, -1, 0)
	}
}

// removed tells that a stream is gone. The kernel knows where it asked for that itself, unless the removal failed and
// nobody knows what is on the disk.
func (n *notifier) removed(e *store.Event) {
	old := n.fs.streams.of(e.Incarnation) // before it is looked whether it was brought back
	now, err := n.fs.st.Stream(context.Background(), e.Stream)
	switch {
	case old == nil:
	case err != nil || now.Incarnation() != e.Incarnation:
		n.fs.streams.dropOnly(old)
	default:
		n.fs.streams.renew(context.Background(), old)
	}
	known := n.fs.streams.rmdirs.take(e.Incarnation)
	if !known || err != nil && !errors.Is(err, store.ErrNotFound) {
		n.kernel.EntryNotify(mapping.Root, e.Stream)
	}
}

// deleted tells that a message is gone: its listed name, attributes and pages.
func (n *notifier) deleted(s *stream, seq store.Seq) {
	id, ok := s.message(seq)
	if !ok {
		return
	}
	n.kernel.DeleteNotify(s.node, id, mapping.FormatSeq(seq, n.fs.opt.SeqWidth))
	n.kernel.InodeNotify(id, 0, 0)
}

// erased tells that a message is gone in what its stream was before it was truncated, too: who has it open there has its pages.
func (n *notifier) erased(s *stream, seq store.Seq) {
	for _, num := range n.fs.streams.goneOf(s.name) {
		if id, ok := mapping.Node(mapping.KindMessage, num, uint64(seq)); ok {
			n.kernel.InodeNotify(id, 0, 0)
		}
	}
}

// maxRetold bounds the names of one stream that are gone through after a loss.
const maxRetold = 1 << 20

// afterLoss makes good for events that were dropped: everything that the kernel may
// know is looked at again.
func (n *notifier) afterLoss(ctx context.Context) {
	n.fs.opt.Logger.Debug("more happened than could be told: all names are looked up again")
	n.fs.changed.Store(n.fs.now().UnixNano())
	n.fs.streams.rmdirs.clear()
	all := n.kernel.EpochNotify().Ok()
	n.kernel.InodeNotify(mapping.Root, -1, 0)
	for _, s := range n.fs.streams.all() {
		s.unlinked.clear()
		s.erasing.clear()
		s.changed.Store(n.fs.now().UnixNano())
		if !all { // what is not in use goes with the name of the directory
			n.kernel.EntryNotify(mapping.Root, s.name)
		}
		n.kernel.InodeNotify(s.node, -1, 0)
		if now, err := n.fs.st.Stream(ctx, s.name); err != nil || now.Incarnation() != s.Incarnation() {
			n.fs.streams.dropOnly(s)
			continue
		}
		if all {
			continue
		}
		if err := n.retell(ctx, s); err != nil {
			n.fs.opt.Logger.Error("names of removed messages could not be dropped", "stream", s.name, "error", err)
		}
	}
}

// retell drops the names of all messages that are not live, one by one: those in use
// must go as well.
func (n *notifier) retell(ctx context.Context, s *stream) error {
	st, err := s.State(ctx)
	if err != nil {
		return err
	}
	next, told := s.lowestShown(st.First), 0
	gap := func(end store.Seq) {
		for ; next < end && told < maxRetold; next++ {
			n.deleted(s, next)
			told++
		}
		next = max(next, end)
	}
	for m, err := range s.Scan(ctx, store.Query{From: next, To: st.Last}) {
		if err != nil {
			return err
		}
		gap(m.Seq)
		next = m.Seq + 1
	}
	gap(st.Last + 1)
	if told == maxRetold {
		n.fs.opt.Logger.Warn("too many removed messages: some names may live on for a while", "stream", s.name, "limit", keep.Round(time.Minute))
	}
	return nil
}
