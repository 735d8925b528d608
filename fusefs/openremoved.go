package fusefs

import (
	"context"
	"errors"
	"syscall"

	"jsfs/mapping"
	"jsfs/store"
)

// loadOpen reads a message for who has it open, like Load: also one that was removed since, with its stream or without, as long as it is
// kept.
func (fs *FS) loadOpen(ctx context.Context, s *stream, seq store.Seq, buf []byte) (store.Msg, error) {
	m, err := s.Load(ctx, seq, buf)
	if errors.Is(err, store.ErrNotFound) {
		m, err = s.LoadKept(ctx, seq, buf)
	}
	if errors.Is(err, store.ErrClosed) {
		return fs.loadRemoved(ctx, s.Incarnation(), seq, buf)
	}
	return m, gone(err)
}

// statOpen is Stat for who has the message open, as loadOpen is Load, but for what went with its stream. removed says that it was
// removed since.
func statOpen(ctx context.Context, s store.Stream, seq store.Seq) (m store.Meta, removed bool, err error) {
	m, err = s.Stat(ctx, seq)
	if errors.Is(err, store.ErrNotFound) {
		m, err = s.StatKept(ctx, seq)
		removed = err == nil
	}
	return m, removed, gone(err)
}

// loadRemoved reads a message of the removed stream of an incarnation for who has it open, as long as that is kept.
func (fs *FS) loadRemoved(ctx context.Context, incarnation uint64, seq store.Seq, buf []byte) (store.Msg, error) {
	m, err := fs.st.LoadRemoved(ctx, incarnation, seq, buf)
	if errors.Is(err, store.ErrClosed) {
		err = errStale
	}
	return m, gone(err)
}

// removedMessage says which message a node was, and of which stream that was removed, as err says of a call on it. ok is false if it
// was none.
func (fs *FS) removedMessage(node uint64, err error) (incarnation uint64, seq store.Seq, ok bool) {
	kind, num, n := mapping.SplitNode(node)
	if kind != mapping.KindMessage {
		return 0, 0, false
	}
	if s := fs.streams.byNode(num); s != nil { // nobody told of its removal yet
		return s.Incarnation(), store.Seq(n), errors.Is(err, store.ErrClosed)
	}
	incarnation, ok = fs.streams.removed(num)
	return incarnation, store.Seq(n), ok
}

// loadNode reads the message that a node is, for who has it open.
func (fs *FS) loadNode(c *call, buf []byte) (*stream, store.Msg, error) {
	s, at, err := fs.split(c.hdr.NodeId)
	if err == nil && at.kind != mapping.KindMessage {
		err = refuse(syscall.EBADF, "it is not open")
	}
	if err == nil {
		m, err := fs.loadOpen(c, s, store.Seq(at.n), buf)
		return s, m, err
	}
	if inc, seq, ok := fs.removedMessage(c.hdr.NodeId, err); ok {
		m, err := fs.loadRemoved(c, inc, seq, buf)
		return nil, m, err
	}
	return nil, store.Msg{}, err
}
