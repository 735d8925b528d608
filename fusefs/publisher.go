package fusefs

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"jsfs/fusefs/publish"
	"jsfs/store"
)

// publisher is what the writing half needs once for a mount. Its zero value is ready.
type publisher struct {
	once sync.Once
	desk *publish.Desk // set by once
	proc publish.Proc  // set by once, unless a test set it before
	room room

	// mu guards mountpoint and device. It is a leaf.
	mu         sync.Mutex
	mountpoint string
	device     string // as mountinfo writes it; "" before it was looked up
}

// begin returns the desk.
func (p *publisher) begin() *publish.Desk {
	p.once.Do(func() {
		if p.proc == nil {
			p.proc = publish.ProcFS{Device: p.deviceNumber}
		}
		p.desk = publish.NewDesk(p.proc, nil)
	})
	return p.desk
}

// mountedAt says where the mount is, so that descriptors on it can be told from those on
// another one.
func (p *publisher) mountedAt(mountpoint string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mountpoint = mountpoint
}

// deviceNumber is the device of the mount, "" if it is not known.
func (p *publisher) deviceNumber() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.device == "" && p.mountpoint != "" {
		if b, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
			p.device = findDevice(string(b), p.mountpoint)
		}
	}
	return p.device
}

// findDevice returns the device of the topmost mount of ours at a mount point.
func findDevice(mountinfo, mountpoint string) (device string) {
	escape := strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`)
	for line := range strings.Lines(mountinfo) {
		f := strings.Split(line, " ") // what is no ASCII in a path is not escaped
		if len(f) > 4 && f[4] == escape.Replace(mountpoint) && strings.Contains(line, " fuse."+fsName+" ") {
			device = f[2]
		}
	}
	return device
}

// room knows how much space there is, not older than roomAge: asking for each write
// would cost more than the write.
type room struct {
	// mu guards all below. It is a leaf.
	mu   sync.Mutex
	at   time.Time
	free int64
}

const (
	roomAge = 100 * time.Millisecond
	// roomSpare is what a message takes besides its payload, more or less, in bytes.
	roomSpare = 256
)

// check refuses a message of that size where the store is full.
func (r *room) check(ctx context.Context, st store.Store, now time.Time, size int64) error {
	r.mu.Lock()
	free, fresh := r.free, now.Sub(r.at) < roomAge && !now.Before(r.at)
	r.mu.Unlock()
	if fresh && size+roomSpare <= free {
		return nil
	}
	u, err := st.Usage(ctx)
	if err != nil || u.Total == 0 {
		return nil //nolint:nilerr // what the store can't tell it will say when it stores
	}
	free = int64(min(u.Free, 1<<62))
	r.mu.Lock()
	r.at, r.free = now, free
	r.mu.Unlock()
	if size+roomSpare <= free {
		return nil
	}
	limits := store.AccountLimits{MaxStorage: int64(u.Limit)}
	return cmp.Or(limits.CheckStorage(int64(u.Used), size+roomSpare), store.ErrNoSpace)
}

// target is where messages on a subject of a stream go.
func (fs *FS) target(s *stream, subject string) publish.Subject {
	return publish.Subject{
		Stream: s, Name: subject,
		Room: func(ctx context.Context, size int64) error {
			if s.writing.failed.Load() {
				return store.ErrReadOnly
			}
			return fs.pub.room.check(ctx, fs.st, fs.now(), size)
		},
	}
}

// noteFailed remembers that the stream takes no more messages, so that the next writer is told
// when it writes and not only when it closes.
func (s *stream) noteFailed(err error) {
	if errors.Is(err, store.ErrReadOnly) {
		s.writing.failed.Store(true)
	}
}

// reportOutcome tells of what a release could not append.
func (c *call) reportOutcome(s *stream, out publish.Outcome) {
	s.noteFailed(out.Err)
	kept := ""
	if out.Draft != "" {
		kept = "; it is kept as the draft " + out.Draft
	}
	switch {
	case out.Err != nil:
		errno, _ := errnoOf(out.Err)
		c.report(errno, refuse(errno, "a message of %d bytes was not appended: %v%s", out.Size, out.Err, kept))
	case out.Killed && out.Draft != "":
		c.report(syscall.EINTR, refuse(syscall.EINTR, "its writer was killed, or the mount taken away, after %d bytes: nothing was appended%s", out.Size, kept))
	}
}
