package fusefs

import (
	"context"
	"io"
	"math"

	"jsfs/store"
)

// under is the message for which a subject's name stood when it was opened for writing, and not emptied. Who writes
// there means the rest to stay as it was: rsync --inplace passes over blocks that are right already.
type under struct {
	fs     *FS
	node   uint64 // of the message, in payloads
	stream *stream
	seq    store.Seq
	size   int64
	err    error // why it can't be read
}

// openUnder opens the newest message, whatever is appended later; nil if there is none, or if it is empty.
func (n *subjectNode) openUnder(c *call) (*under, error) {
	last, err := n.last(c)
	if err != nil || !last.ok {
		return nil, err
	}
	u := &under{fs: n.fs, stream: n.stream, seq: last.seq, size: last.size}
	if last.seq == 0 { // it is damaged: who needs its bytes is told
		_, u.err = n.load(c, nil)
		switch {
		case u.err == nil:
			u.err = errStale // somebody else appended to it meanwhile
		case interrupted(c, u.err):
			return nil, u.err
		}
		u.size = math.MaxInt64
	}
	id, ok := n.stream.message(u.seq)
	if u.size == 0 || !ok { // numbers too high for a node are shown nowhere
		return nil, nil
	}
	u.node = id
	u.fs.big.open(id)
	return u, nil
}

func (u *under) close() { u.fs.big.close(u.node) }

// Size implements publish.Under.
func (u *under) Size() int64 { return u.size }

// ReadFull implements publish.Under.
func (u *under) ReadFull(ctx context.Context, p []byte, off int64) error {
	n, err := u.read(ctx, p, off)
	if err == nil && n < len(p) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// read fills p from off on; n < len(p) only at the end.
func (u *under) read(ctx context.Context, p []byte, off int64) (n int, err error) {
	if u.err != nil {
		return 0, u.err
	}
	return u.fs.big.read(ctx, u.node, u.size, func() ([]byte, error) {
		m, err := u.fs.loadOpen(ctx, u.stream, u.seq, nil)
		return m.Data, err
	}, p, off)
}
