package fusefs

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// The opcodes that the tests send.
const (
	opGetattr = 3
	opStatfs  = 17
	opInit    = 26
	opAccess  = 34
	opNone    = 63
)

// scripted is a file system whose statfs does what a test says.
type scripted struct {
	fuse.RawFileSystem
	statfs  func() fuse.Status
	access  func(cancel <-chan struct{}) fuse.Status
	forgets atomic.Int64
}

func (s *scripted) StatFs(<-chan struct{}, *fuse.InHeader, *fuse.StatfsOut) fuse.Status {
	return s.statfs()
}

func (s *scripted) Access(cancel <-chan struct{}, _ *fuse.AccessIn) fuse.Status {
	return s.access(cancel)
}

func (s *scripted) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	out.Ino = in.NodeId
	return fuse.OK
}

func (s *scripted) Forget(uint64, uint64) { s.forgets.Add(1) }

// wire is the kernel's end of a connection: a socket that keeps requests apart.
type wire struct {
	t  *testing.T
	fd int
	tr *transport
}

// connectTo serves fs over a socket until the test ends.
func connectTo(t *testing.T, fs fuse.RawFileSystem) *wire {
	t.Helper()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, fd: pair[0]}
	tr, err := newTransport(pair[1], fs, &fuse.MountOptions{MaxWrite: maxWrite}, false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	w.tr = tr
	w.send(opInit, 1, 0, initBody())
	if err := tr.begin(func(Transport, uint32) {}); err != nil {
		t.Fatal(err)
	}
	if unique, code := w.receive(); unique != 1 || code != 0 {
		t.Fatalf("answer to INIT: got %d for %d, want 0 for 1", code, unique)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		tr.serve()
	}()
	t.Cleanup(func() {
		_ = syscall.Shutdown(w.fd, syscall.SHUT_RDWR)
		<-done
		_ = syscall.Close(pair[0])
		_ = syscall.Close(pair[1])
	})
	return w
}

func initBody() []byte {
	b := binary.NativeEndian.AppendUint32(nil, 7) // major
	b = binary.NativeEndian.AppendUint32(b, 36)
	return append(b, make([]byte, 56)...)
}

// send writes a request to a node.
func (w *wire) send(op uint32, unique, node uint64, body []byte) {
	w.t.Helper()
	b := binary.NativeEndian.AppendUint32(nil, uint32(40+len(body)))
	b = binary.NativeEndian.AppendUint32(b, op)
	b = binary.NativeEndian.AppendUint64(b, unique)
	b = binary.NativeEndian.AppendUint64(b, node)
	b = append(append(b, make([]byte, 16)...), body...)
	if _, err := syscall.Write(w.fd, b); err != nil {
		w.t.Fatal(err)
	}
}

// receive reads an answer: which request it is for, and its error.
func (w *wire) receive() (unique uint64, code int32) {
	w.t.Helper()
	b := make([]byte, 1<<16)
	n, err := syscall.Read(w.fd, b)
	if err != nil || n < 16 {
		w.t.Fatalf("read an answer: %d bytes, %v", n, err)
	}
	return binary.NativeEndian.Uint64(b[8:]), int32(binary.NativeEndian.Uint32(b[4:]))
}

func TestRequestsAreAnswered(t *testing.T) {
	fs := &scripted{RawFileSystem: fuse.NewDefaultRawFileSystem(), statfs: func() fuse.Status { return fuse.EACCES }}
	w := connectTo(t, fs)
	for i := uint64(10); i < 60; i++ {
		w.send(opGetattr, i, 5, make([]byte, 16))
		if unique, code := w.receive(); unique != i || code != 0 {
			t.Fatalf("getattr: got %d for %d, want 0 for %d", code, unique, i)
		}
		w.send(opForget, 1000+i, 5, make([]byte, 8)) // has no answer
		w.send(opStatfs, 100+i, 1, nil)
		if unique, code := w.receive(); unique != 100+i || code != -int32(syscall.EACCES) {
			t.Fatalf("statfs: got %d for %d, want EACCES for %d", code, unique, 100+i)
		}
	}
	w.send(opNone, 7, 1, nil)
	if unique, code := w.receive(); unique != 7 || code != -int32(syscall.ENOSYS) {
		t.Errorf("an unknown operation: got %d for %d, want ENOSYS for 7", code, unique)
	}
	if got := fs.forgets.Load(); got != 50 {
		t.Errorf("forgets: got %d, want 50", got)
	}
}

// However many requests wait for something, others are answered meanwhile: each time
// a reader is stuck, another one takes over.
func TestASlowRequestHoldsUpNoOther(t *testing.T) {
	release := make(chan struct{})
	fs := &scripted{RawFileSystem: fuse.NewDefaultRawFileSystem(), statfs: func() fuse.Status { <-release; return fuse.OK }}
	w := connectTo(t, fs)
	for round := uint64(1); round <= 5; round++ {
		w.send(opStatfs, 100+round, 1, nil)
		w.send(opGetattr, 200+round, 5, make([]byte, 16))
		if unique, code := w.receive(); unique != 200+round || code != 0 {
			t.Fatalf("getattr behind a statfs that waits: got %d for %d, want 0 for %d", code, unique, 200+round)
		}
	}
	close(release)
	seen := map[uint64]bool{}
	for range 5 {
		unique, code := w.receive()
		seen[unique] = code == 0
	}
	for round := uint64(1); round <= 5; round++ {
		if !seen[100+round] {
			t.Errorf("statfs %d was not answered", 100+round)
		}
	}
	// After a pause, in which nobody watches, it holds as well.
	time.Sleep(3 * restAfter * maxBusy)
	release = make(chan struct{})
	w.send(opStatfs, 301, 1, nil)
	w.send(opGetattr, 302, 5, make([]byte, 16))
	if unique, _ := w.receive(); unique != 302 {
		t.Errorf("after a pause: got the answer to %d, want that to 302", unique)
	}
	close(release)
	if unique, _ := w.receive(); unique != 301 {
		t.Errorf("got the answer to %d, want that to 301", unique)
	}
}

// What was slow lately does not keep the reader at all, so that many can wait for one disk sync.
func TestSlowOperationsRunBesideEachOther(t *testing.T) {
	const n = 16
	var together atomic.Int64
	arrived := make(chan struct{})
	var slow atomic.Bool
	slow.Store(true)
	fs := &scripted{RawFileSystem: fuse.NewDefaultRawFileSystem(), statfs: func() fuse.Status {
		if slow.Load() {
			time.Sleep(2 * time.Millisecond)
			return fuse.OK
		}
		if together.Add(1) == n {
			close(arrived)
		}
		<-arrived
		return fuse.OK
	}}
	w := connectTo(t, fs)
	for i := range uint64(8) {
		w.send(opStatfs, i+1, 1, nil)
		w.receive()
	}
	slow.Store(false)
	begun := time.Now()
	for i := range uint64(n) {
		w.send(opStatfs, i+100, 1, nil)
	}
	for range n {
		w.receive()
	}
	t.Logf("%d requests were together after %v", n, time.Since(begun))
}

// untilCancelled is an access(2) that waits until it is interrupted.
func untilCancelled(began chan<- struct{}) *scripted {
	return &scripted{RawFileSystem: fuse.NewDefaultRawFileSystem(), access: func(cancel <-chan struct{}) fuse.Status {
		began <- struct{}{}
		<-cancel
		return fuse.EINTR
	}}
}

// A server ends though somebody waits for what never comes: when the connection ends he is interrupted.
func TestWhoWaitsDoesNotOutliveTheConnection(t *testing.T) {
	began := make(chan struct{})
	w := connectTo(t, untilCancelled(began)) // its cleanup waits for the server's end
	for i := range uint64(3) {
		w.send(opAccess, 10+i, 1, make([]byte, 8))
		<-began
	}
}

// Over io_uring an INTERRUPT may come before the request that it is for, and the kernel does not say it again.
func TestAnInterruptMayComeBeforeItsRequest(t *testing.T) {
	began := make(chan struct{})
	w := connectTo(t, untilCancelled(began))
	x := w.tr.take()
	(*fuse.InterruptIn)(unsafe.Pointer(&x.in[0])).Unique = 10
	w.tr.interruptLater(x)
	w.send(opAccess, 10, 1, make([]byte, 8))
	<-began
	if unique, code := w.receive(); unique != 10 || code != -int32(syscall.EINTR) {
		t.Errorf("got %d for %d, want EINTR for 10", code, unique)
	}
}

func TestNotificationsOnTheWire(t *testing.T) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = syscall.Close(pair[0]), syscall.Close(pair[1]) }()
	c := connection(pair[0])
	u32, u64 := binary.NativeEndian.AppendUint32, binary.NativeEndian.AppendUint64
	head := func(length, code uint32) []byte { return u64(u32(u32(nil, length), code), 0) }
	minusOne := int64(-1)
	for _, tt := range []struct {
		name string
		tell func() fuse.Status
		want []byte
	}{
		{"an inode", func() fuse.Status { return c.InodeNotify(5, -1, 0) }, u64(u64(u64(head(40, 2), 5), uint64(minusOne)), 0)},
		{"a name", func() fuse.Status { return c.EntryNotify(1, "ab") }, append(u32(u32(u64(head(35, 3), 1), 2), 0), "ab\x00"...)},
		{"a removed name", func() fuse.Status { return c.DeleteNotify(1, 9, "ab") }, append(u32(u32(u64(u64(head(43, 6), 1), 9), 2), 0), "ab\x00"...)},
	} {
		if st := tt.tell(); !st.Ok() {
			t.Errorf("%s: %v", tt.name, st)
		}
		got := make([]byte, 200)
		n, err := syscall.Read(pair[1], got)
		if err != nil || !bytes.Equal(got[:n], tt.want) {
			t.Errorf("%s: got % x, %v, want % x", tt.name, got[:n], err, tt.want)
		}
	}
}
