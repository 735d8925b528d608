package publish

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"jsfs/store"
)

// open is what Writer and Lines have in common: bytes that wait for their commit, and the
// rule that says when.
type open struct {
	stream store.Stream
	target Target
	limit  int64 // of a message, when the file was opened

	// mu guards all below, and is held for a whole call, a commit included: calls on one open
	// wait for each other.
	mu   sync.Mutex
	rule rule
	buf  buffer // what was written since the last commit
	// dirty says that there is something to commit; empty that there is not, and that an empty
	// message is due at release; closed that its writer was told that he has closed the file; flushed that somebody closed a descriptor.
	dirty, empty, closed, flushed bool
	// base is the offset in the file of buf's first byte. settled says that there was a commit;
	// before the first one base is 0, after it a message begins where its first byte is written.
	base    int64
	settled bool
	modTime *int64
	// refused is why buf could not be committed when its writer could not be told for certain.
	refused error
	// spoiled is why bytes of the message were refused when they were written, and spoiledAt
	// where: what there is of it is not the message, unless they are written again.
	spoiled   error
	spoiledAt int64
	judged    bool // the message's beginning was found good; see judge
	// unfit is why it was found bad: what is written behind it has the same answer.
	unfit error
	// ended says that Release was called. lost is why it did not append what was left: who closes the file then is told.
	ended bool
	lost  error
}

// ErrTaken is what Flush, Fsync and writes give after Release, where the mount was taken away under the writer.
var ErrTaken = errors.New("the mount was taken away before the file was closed, so it is no message; what was written is kept as a draft")

func (d *Desk) open(s store.Stream, t Target, o Open) *open {
	return &open{
		stream: s,
		target: t,
		limit:  t.Limit(),
		rule:   newRule(d, o.Inode, o.Thread),
		buf:    buffer{drafts: s, budget: d.budget},
		dirty:  o.Due,
		empty:  o.Empty && !o.Due,
	}
}

// OpenedBy says whether a thread is known to be of the process that opened the file. pid is its process, 0 if that is not
// known. It waits for no other call.
func (o *open) OpenedBy(tid uint32, pid int) bool {
	return tid != 0 && tid == o.rule.thread || pid != 0 && pid == o.rule.opener
}

// Opener is the process that opened the file, 0 if it is not known.
func (o *open) Opener() int { return o.rule.opener }

// Flush is told that a thread closed a descriptor. It commits if the rule says so, and returns
// the sequence of the message, or 0. An error means that the message was refused. It is
// forgotten then, unless its writer is on its way out and can't be told: then Release keeps it.
func (o *open) Flush(ctx context.Context, tid uint32) (store.Seq, error) {
	o.rule.tables.flushed(o.rule.inode)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return 0, o.lost
	}
	o.flushed = true
	due := o.dirty || o.spoiled != nil
	if o.rule.flush(tid, due, o.empty) != closed {
		return 0, nil
	}
	if !due {
		o.closed = true
		return 0, nil
	}
	if err := o.spoiled; err != nil {
		return 0, errors.Join(err, o.settleLocked())
	}
	seq, err := o.commitLocked(ctx)
	switch {
	case err == nil:
		return seq, nil
	case o.rule.gone && !o.rule.leaving:
		return 0, errors.Join(err, o.settleLocked())
	}
	o.refused = err
	return 0, err
}

// Fsync commits what was written, whoever calls, and returns when it is durable, with the
// sequence of the message, or 0. What is refused stays, for the close to try again.
func (o *open) Fsync(ctx context.Context) (store.Seq, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var seq store.Seq
	if o.ended {
		return 0, o.lost
	}
	if o.spoiled != nil {
		return 0, o.spoiled
	}
	if o.dirty {
		var err error
		if seq, err = o.commitLocked(ctx); err != nil {
			return 0, err
		}
	}
	return seq, o.stream.Sync(ctx)
}

// Release is told that the last descriptor is closed, or that the mount is taken away. It commits what is left, or keeps it
// as a draft. Then nothing can be written any more, and Flush and Fsync tell why what was left was not appended.
func (o *open) Release(ctx context.Context) Outcome {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return Outcome{}
	}
	o.ended = true
	o.rule.tables.opened(o.rule.inode, -1)
	ctx = context.WithoutCancel(ctx)
	o.rule.leave()
	out := o.leftLocked(ctx)
	switch {
	case out.Err != nil:
		o.lost = out.Err
	case o.spoiled != nil:
		o.lost = o.spoiled
	case o.rule.killed && (o.dirty || o.empty):
		o.lost = ErrTaken
	}
	if err := o.buf.close(); err != nil && out.Err == nil && out.Seq == 0 && out.Size > 0 {
		out.Err = err
	}
	return out
}

func (o *open) leftLocked(ctx context.Context) Outcome {
	out := Outcome{Size: o.buf.size}
	killed := o.rule.killed && !(o.empty && o.closed) // an empty message is whole then
	switch {
	case killed && o.buf.size == 0, !o.dirty && !o.empty:
		return out
	case !o.flushed && o.buf.size == 0:
		return out // the kernel had the file, and nobody else: open(2) was given up, as its caller was killed
	case killed:
		out.Killed = true
		out.Draft, out.Err = o.keepLocked(ctx, Killed)
		return out
	case o.spoiled != nil:
		return Outcome{} // its writer was told when it wrote
	}
	out.Err = o.refused
	if out.Err == nil {
		out.Seq, out.Err = o.commitLocked(ctx)
	}
	if out.Err != nil && out.Size > 0 {
		var err error
		if out.Draft, err = o.keepLocked(ctx, Refused); err != nil {
			out.Err = fmt.Errorf("%w; and %d bytes of it could not be kept: %w", out.Err, out.Size, err)
		}
	}
	return out
}

// commitLocked stores what was written as one message.
func (o *open) commitLocked(ctx context.Context) (store.Seq, error) {
	// A signal to the writer must not take the message away in the middle of its close.
	ctx = context.WithoutCancel(ctx)
	data, done, err := o.buf.load(ctx)
	if err != nil {
		return 0, err
	}
	seq, err := o.target.Commit(ctx, data, o.modTime)
	done()
	if err != nil {
		return 0, err
	}
	return seq, o.settleLocked()
}

// settleLocked makes the open ready for its next message.
func (o *open) settleLocked() error {
	o.base += o.buf.size
	o.settled = true
	o.dirty, o.empty, o.judged = false, false, false
	o.modTime, o.refused, o.spoiled, o.unfit = nil, nil, nil, nil
	o.rule.wrote.reset()
	return o.buf.reset()
}

// Abandon says that the writer will not get to its close: what is left is kept as a draft by Release,
// as that of a writer that was killed.
func (o *open) Abandon() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rule.killed = true
}

// Discard forgets what was written since the last commit.
func (o *open) Discard() {
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.settleLocked() // what can't be given back now is given back by Release
}

// SetModTime notes what utimens asked for; it goes with the next message.
func (o *open) SetModTime(ns int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.modTime = &ns
}

// ModTime returns what SetModTime was given for the message that is being written.
func (o *open) ModTime() (ns int64, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.modTime == nil {
		return 0, false
	}
	return *o.modTime, true
}

// keepLocked copies what was written to a new draft, durably, and returns its name.
func (o *open) keepLocked(ctx context.Context, prefix string) (name string, err error) {
	d, name, err := NewDraft(ctx, o.stream, prefix)
	if err != nil {
		return "", err
	}
	buf := make([]byte, min(chunk, o.buf.size))
	for off := int64(0); off < o.buf.size && err == nil; off += int64(len(buf)) {
		p := buf[:min(int64(len(buf)), o.buf.size-off)]
		var n int
		if n, err = o.buf.ReadAt(p, off); n == len(p) {
			_, err = d.WriteAt(p, off)
		}
	}
	if err == nil {
		err = d.Sync()
	}
	if err = errors.Join(err, d.Close()); err != nil {
		return "", errors.Join(err, o.stream.RemoveDraft(ctx, name))
	}
	return name, nil
}

// What the names of drafts begin with that hold what became no message: as its writer was killed, or as it was refused when nobody
// could be told any more. A number follows.
const (
	Killed  = ".killed."
	Refused = ".refused."
)

// NewDraft makes and opens a draft of s that is named by the prefix and the first number, from 1 on, that is free. It is empty, and
// nobody else's who calls this.
func NewDraft(ctx context.Context, s store.Drafts, prefix string) (store.Draft, string, error) {
	list, err := s.ListDrafts(ctx)
	if err != nil {
		return nil, "", err
	}
	taken := make(map[string]bool, len(list))
	for _, d := range list {
		taken[d.Name] = true
	}
	for n := 1; ; n++ {
		name := fmt.Sprint(prefix, n)
		if taken[name] {
			continue
		}
		d, err := s.CreateDraft(ctx, name)
		if !errors.Is(err, store.ErrExists) {
			return d, name, err
		}
	}
}
