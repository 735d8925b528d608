package fusefs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/store"
)

// Server is a store that is mounted.
type Server struct {
	fs         *FS
	mountpoint string
	ended      chan struct{} // closed when the mount has ended and all is released
}

// Mount mounts st and serves it until it is unmounted, by Unmount or by anyone else. The
// store stays the caller's, who must not close it before Wait has returned.
func Mount(mountpoint string, st store.Store, opt Options) (*Server, error) {
	opt = opt.withDefaults()
	if err := opt.validate(); err != nil {
		return nil, err
	}
	mountpoint, err := filepath.Abs(mountpoint)
	if err != nil {
		return nil, err
	}
	fs := newFS(st, opt)
	fs.pub.mountedAt(mountpoint)
	if err := fs.reportDamage(context.Background()); err != nil {
		return nil, fmt.Errorf("look for damage: %w", err)
	}
	if err := fs.recoverGathered(context.Background()); err != nil {
		return nil, fmt.Errorf("look for what was being restored: %w", err)
	}
	overRing, err := opt.overRing()
	if err != nil {
		return nil, err
	}
	fd, err := connect(opt, mountpoint)
	if err != nil {
		return nil, err
	}
	fs.prefetch.kernel = connection(fd)
	fs.prune.kernel = connection(fd)
	sub := st.Watch() // before anything is told to the kernel
	tr, err := newTransport(fd, fs, opt.serverOptions(), overRing, opt.Logger)
	if err == nil {
		err = tr.begin(fs.agree)
	}
	if err != nil {
		sub.Close()
		_ = disconnect(mountpoint, true) // it is of no use; err says why
		_ = syscall.Close(fd)
		return nil, fmt.Errorf("begin to serve: %w", err)
	}
	s := &Server{fs: fs, mountpoint: mountpoint, ended: make(chan struct{})}
	go func() {
		<-tr.ended
		fs.endFollowing()
	}()
	go s.serve(tr, sub)
	return s, nil
}

// agree notes how requests come and which minor version of the protocol the kernel has, before any but the first request has come.
func (fs *FS) agree(t Transport, minor uint32) {
	fs.protocol = minor
	fs.opt.Transport = t
	fs.prefetch.inLine = t == TransportUring
}

// ReadNamesBy has names read by r, where that saves the kernel from asking for each by itself. It can be called once, as
// long as the mount lasts.
func (s *Server) ReadNamesBy(r NameReader) { s.fs.names.reader.Store(&r) }

// Transport says how requests come from the kernel: TransportDev or TransportUring.
func (s *Server) Transport() Transport { return s.fs.opt.Transport }

// serve serves the mount until it has ended, and then lets go of everything.
func (s *Server) serve(tr *transport, sub store.Subscription) {
	defer close(s.ended)
	notified := make(chan struct{})
	go func() {
		defer close(notified)
		(&notifier{fs: s.fs, kernel: s.fs.prefetch.kernel}).run(sub)
	}()
	tr.serve()
	s.fs.prefetch.wait()
	s.fs.names.end()
	s.fs.prune.wait()
	s.fs.releaseAll()
	s.fs.endGathering()
	s.fs.finishCopies()
	s.fs.borrowed.clean(s.fs, true)
	sub.Close()
	<-notified
	_ = syscall.Close(tr.fd) // nobody uses it any more, and the mount is gone
}

// Wait returns when the mount has ended, and what was written through it is in the store.
func (s *Server) Wait() { <-s.ended }

// How often and how fast an unmount is tried again while the kernel still releases
// files that were closed a moment ago.
const (
	unmountTries = 6
	unmountPause = 10 * time.Millisecond
)

// Unmount ends the mount: nothing is opened for writing any more, who waits for a message gets the end
// of the file, what was written through .log is appended, and the mount is taken away. An error that wraps
// syscall.EBUSY means that files are open in it or somebody works there: it goes on,
// for reading, and Unmount can be called again.
func (s *Server) Unmount() error {
	s.fs.stopping.Store(true)
	s.fs.endFollowing()
	s.fs.drain()
	pause := unmountPause
	for try := 1; ; try++ {
		err := disconnect(s.mountpoint, false)
		if err == nil || s.hasEnded() {
			break
		}
		if !errors.Is(err, syscall.EBUSY) || try == unmountTries {
			return fmt.Errorf("unmount %s: %w", s.mountpoint, err)
		}
		time.Sleep(pause)
		pause *= 2
	}
	<-s.ended
	return nil
}

// lastReleases is how long Detach waits for the end of a mount that was taken away already: what was closed a moment ago is being stored.
const lastReleases = time.Second

// Detach takes the mount out of the tree whoever uses it. It ends when the last of
// them closes its files, or with the process. What was written and not closed is kept in drafts, also where the mount can't be taken
// away, or was by somebody else, which is an error.
func (s *Server) Detach() error {
	s.fs.stopping.Store(true)
	s.fs.endFollowing()
	s.fs.drain()
	err := disconnect(s.mountpoint, true)
	if err != nil && s.endsWithin(lastReleases) {
		return nil
	}
	s.fs.abandonAll()
	return err
}

// endsWithin waits for the end of the mount, and says whether it has come.
func (s *Server) endsWithin(patience time.Duration) bool {
	select {
	case <-s.ended:
		return true
	case <-time.After(patience):
		return s.hasEnded()
	}
}

func (s *Server) hasEnded() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// drainer is a handle that holds written bytes back until its file is closed, and
// can be told to wait no longer.
type drainer interface {
	drain(c *call)
}

// drain asks open handles to store what they hold back, and puts in force what copies do.
func (fs *FS) drain() {
	for _, fh := range fs.handles.all() {
		if d, ok := fs.handles.get(fh).(drainer); ok {
			d.drain(fs.ownCall("unmount"))
		}
	}
	fs.settleAll()
	fs.finishCopies()
}

// releaseAll releases the handles that are still open when the mount has ended: the
// kernel drops RELEASEs that wait when a mount is taken away.
func (fs *FS) releaseAll() {
	fs.end() // before the releases: what is left of a command is then known not to be one that was closed
	for _, fh := range fs.handles.all() {
		fs.Release(nil, &fuse.ReleaseIn{Fh: fh})
	}
}

// abandoner is a handle that holds written bytes back, and can be told that its writer will not get to its close. After its release
// its other methods still tell what came of them.
type abandoner interface {
	handle
	abandon()
}

// taken is the handle of a file whose mount was taken away: it was released, and whoever closes the file now hears what came of it.
type taken struct{ abandoner }

func (taken) read(*call, []byte, int64) (int, error) { return 0, errStale }
func (taken) release(*call)                          {}

// abandonAll keeps what open handles hold back in drafts: their writers will not get to close them. A close that comes nevertheless, as
// the kernel lets go of a mount that is in use later, must not be told that all is well.
func (fs *FS) abandonAll() {
	for _, fh := range fs.handles.all() {
		h := fs.handles.get(fh)
		switch h := h.(type) {
		case *ctlWriter, *configWriter: // what they were told they do at their close, or refuse
		case abandoner:
			if fs.handles.swap(fh, taken{h}) != nil {
				h.abandon()
				h.release(fs.ownCall("unmount"))
			}
		default:
			if h = fs.handles.remove(fh); h != nil {
				h.release(fs.ownCall("unmount"))
			}
		}
	}
}

// ownCall returns a call that nobody made and nobody cancels.
func (fs *FS) ownCall(op string) *call {
	return fs.call(op, &fuse.InHeader{NodeId: fuse.FUSE_ROOT_ID}, nil, "")
}
