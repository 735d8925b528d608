package fusefs

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// FS answers the kernel's requests. What it does not define, the embedded file system
// refuses with ENOSYS: the kernel then does without, or asks no more.
type FS struct {
	fuse.RawFileSystem

	// Dependencies and constants, set before the first request.
	st      store.Store
	opt     Options
	now     func() time.Time
	started time.Time
	// protocol is the minor version that the kernel has.
	protocol uint32

	streams streams
	objects *objects
	views   views
	handles handles
	errors  *errorLog
	big     payloads
	shown   openFiles
	heads   heads
	reopens reopens
	pub     publisher

	prefetch prefetcher
	names    namesAhead
	borrowed borrowed
	prune    pruner

	// changed is when a stream was created or removed last, in nanoseconds since the
	// Unix epoch.
	changed atomic.Int64
	// stopping is set when the mount is about to end: nothing is opened for writing
	// any more.
	stopping atomic.Bool
	// ending is done when who waits for a message is to wait no more; end does that.
	ending context.Context
	end    context.CancelFunc
}

// newFS returns a file system for st; opt is complete.
func newFS(st store.Store, opt Options) *FS {
	fs := &FS{
		RawFileSystem: fuse.NewDefaultRawFileSystem(),
		st:            st,
		opt:           opt,
		now:           time.Now,
		streams:       streams{st: st, byNum: map[uint64]*stream{}},
		objects:       newObjects(),
		views:         views{byID: map[uint64]*viewEntry{}, byKey: map[viewKey]*viewEntry{}},
		handles:       handles{m: map[uint64]handle{}},
		errors:        &errorLog{log: opt.Logger},
		names:         namesAhead{log: opt.Logger},
	}
	fs.streams.gathering = fs.gathering
	fs.ending, fs.end = context.WithCancel(context.Background())
	fs.started = fs.now()
	fs.changed.Store(fs.started.UnixNano())
	return fs
}

// String is the type of the file system.
func (fs *FS) String() string { return "jsfs" }

// Init is called before the first request.
func (fs *FS) Init(*fuse.Server) {}

// SetDebug does nothing: Options.Debug does.
func (fs *FS) SetDebug(bool) {}

// reportDamage enters into .jsfs/errors what the store knows to be damaged.
func (fs *FS) reportDamage(ctx context.Context) error {
	names, err := fs.st.Streams(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		s, err := fs.streams.named(ctx, name)
		if err != nil {
			fs.errors.add(fs.now(), "open", name, syscall.EIO, err.Error())
			continue
		}
		damage, err := s.Damage(ctx)
		if err != nil {
			fs.errors.add(fs.now(), "open", name, syscall.EIO, err.Error())
		}
		for _, d := range damage {
			fs.errors.add(fs.now(), "open", name, syscall.EIO, describeDamage(d))
		}
	}
	return nil
}

func describeDamage(d store.Damage) string {
	where := ""
	if d.File != "" {
		where = fmt.Sprintf(" in %s at offset %d, %d bytes", d.File, d.Offset, d.Length)
	}
	lost := ""
	switch {
	case d.First != 0 && d.First == d.Last:
		lost = fmt.Sprintf("; message %d is lost", d.First)
	case d.First != 0:
		lost = fmt.Sprintf("; messages %d to %d are lost", d.First, d.Last)
	}
	return "damage" + where + ": " + d.Cause + lost
}

// place is what a node number says besides the stream.
type place struct {
	kind mapping.Kind // 0 for the root
	n    uint64
	// view is nil for what has a number of its own; else the kind is KindStream for a message
	// directory, KindControl for what is made from one.
	view *view
}

// shortLink is a bit in the n of the links .first and .last: they stand one directory
// above .jsfs/first and .jsfs/last, so that they point to something else.
const shortLink = 1 << 8

// control returns which control file the place is.
func (p place) control() mapping.Control { return mapping.Control(p.n &^ shortLink) }

// split finds out what a node number stands for. The stream is nil for the root and
// its control files; it has what was restored to it if nobody restores any more. The error is errStale for what was removed.
func (fs *FS) split(id uint64) (*stream, place, error) {
	if id == mapping.Root {
		return nil, place{}, nil
	}
	kind, incarnation, n := mapping.SplitNode(id)
	p := place{kind: kind, n: n}
	if kind == mapping.KindControl && p.control().IsRoot() {
		return nil, p, nil
	}
	if kind == mapping.KindView {
		v := fs.views.get(id)
		if v == nil || fs.streams.byNode(v.stream.num) != v.stream {
			return nil, p, errStale
		}
		v.stream.restores.SettleIfOver()
		return v.stream, v.place(), nil
	}
	if s := fs.streams.byNode(incarnation); s != nil {
		s.restores.SettleIfOver()
		return s, p, nil
	}
	return nil, p, errStale
}

// splitWritable is split for who wants to change something there: else the error says why that can't be.
func (fs *FS) splitWritable(id uint64) (*stream, place, error) {
	s, p, err := fs.split(id)
	if err == nil {
		err = fs.writable(s)
	}
	return s, p, err
}

// writable returns why nothing can be changed, nil if it can. s is nil for the root.
func (fs *FS) writable(s *stream) error {
	switch {
	case fs.opt.ReadOnly:
		return refuse(syscall.EROFS, "the mount is read-only")
	case fs.stopping.Load():
		return refuse(syscall.EROFS, "the mount is about to end")
	case s != nil && s.broken.Load():
		return refuse(syscall.EROFS, "a bug in jsfs was met in stream %s (see the log): it is only read until the next mount", s.name)
	}
	return nil
}
