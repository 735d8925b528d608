package uring

import (
	"encoding/binary"
	"errors"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestCPUsAreCounted(t *testing.T) {
	for list, want := range map[string]int{"0": 1, "0-1": 2, "0-127": 128, "0-3,8": 5, "0,2-3": 3} {
		if got, err := countCPUs(list); got != want || err != nil {
			t.Errorf("%q: got %d, %v, want %d", list, got, err, want)
		}
	}
	for _, list := range []string{"", "x", "3-1", "0-", "-1", "0,,1", "99999999"} {
		if got, err := countCPUs(list); err == nil {
			t.Errorf("%q: got %d, want an error", list, got)
		}
	}
	if got, err := possibleCPUs(); got < 1 || err != nil {
		t.Errorf("here: got %d, %v", got, err)
	}
}

// What the kernel writes where is laid down in its headers.
func TestStructuresAreThoseOfTheKernel(t *testing.T) {
	var h header
	for _, tt := range []struct {
		name      string
		got, want uintptr
	}{
		{"struct io_uring_params", unsafe.Sizeof(params{}), 120},
		{"struct fuse_uring_req_header", unsafe.Sizeof(h), headerSize},
		{"its commit_id", unsafe.Offsetof(h.commitID), 264},
		{"its payload_sz", unsafe.Offsetof(h.payload), 272},
		{"struct fuse_uring_cmd_req", unsafe.Sizeof(request{}), 24},
		{"struct io_uring_cqe", unsafe.Sizeof(cqe{}), 16},
		{"addr of struct io_uring_sqe", unsafe.Offsetof(sqe{}.addr), 16},
		{"user_data of struct io_uring_sqe", unsafe.Offsetof(sqe{}.userData), 32},
		{"struct iovec", unsafe.Sizeof(iovec{}), 2 * unsafe.Sizeof(uintptr(0))},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, tt.got, tt.want)
		}
	}
}

// fill puts a request into an entry as the kernel does.
func fill(e *entry, total, payload int) {
	binary.NativeEndian.PutUint32(e.header.inOut[:], uint32(total))
	binary.NativeEndian.PutUint64(e.header.inOut[8:], 77)
	e.header.payload, e.header.commitID = uint32(payload), 78
}

func TestRequestsAreTakenApart(t *testing.T) {
	e, err := newEntry(8192)
	if err != nil {
		t.Fatal(err)
	}
	defer e.free()
	for _, tt := range []struct {
		name                   string
		total, payload, op, in int // op < 0: an error
	}{
		{"a header alone", inHeaderSize, 0, 0, 0},
		{"an operation's header", inHeaderSize + 24, 0, 24, 0},
		{"the largest one", inHeaderSize + 128, 0, 128, 0},
		{"a name alone", inHeaderSize + 5, 5, 0, 5},
		{"both", inHeaderSize + 40 + 8192, 8192, 40, 8192},
		{"less than its payload", inHeaderSize + 3, 4, -1, 0},
		{"less than a header", inHeaderSize - 1, 0, -1, 0},
		{"a larger header than there is room", inHeaderSize + 129, 0, -1, 0},
		{"a larger payload than there is room", inHeaderSize + 8193, 8193, -1, 0},
	} {
		fill(e, tt.total, tt.payload)
		err := e.take()
		if (err != nil) != (tt.op < 0) {
			t.Errorf("%s: got %v", tt.name, err)
		}
		if err == nil && (len(e.in[0]) != inHeaderSize || len(e.in[1]) != tt.op || len(e.in[2]) != tt.in || e.commitID != 78) {
			t.Errorf("%s: got parts of %d, %d and %d bytes, number %d", tt.name, len(e.in[0]), len(e.in[1]), len(e.in[2]), e.commitID)
		}
	}
}

func TestAnswers(t *testing.T) {
	e, err := newEntry(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer e.free()
	fill(e, inHeaderSize, 0)
	e.answer(outHeaderSize + 100)
	if e.header.payload != 100 {
		t.Errorf("payload: got %d, want 100", e.header.payload)
	}
	e.fail(e.unique(), unix.EIO)
	h := e.header.inOut[:]
	if n, code, unique := binary.NativeEndian.Uint32(h), int32(binary.NativeEndian.Uint32(h[4:])), binary.NativeEndian.Uint64(h[8:]); n != outHeaderSize || code != -int32(unix.EIO) || unique != 77 || e.header.payload != 0 {
		t.Errorf("an error: got %d bytes, error %d, request %d, payload %d", n, code, unique, e.header.payload)
	}
	for i := range e.payload {
		e.payload[i] = 1
	}
	e.in[2] = e.payload
	e.trim(keptPayload + 1)
	if keep := keptPayload + pageSize; e.payload[keep-1] != 1 || e.payload[keep] != 0 {
		t.Error("trimmed elsewhere than behind the answer")
	}
	e.in[2] = nil
	e.trim(0)
	if e.payload[keptPayload-1] != 1 || e.payload[keptPayload] != 0 {
		t.Error("trimmed elsewhere than behind what is kept, after a large answer")
	}
}

// A stopped program keeps its signals waiting.
func TestSignalsThatWaitAreSeen(t *testing.T) {
	cmd := exec.Command("sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	pid := uint32(cmd.Process.Pid)
	if signalled(pid) {
		t.Error("without a signal: got true")
	}
	_ = cmd.Process.Signal(syscall.SIGSTOP)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	for end := time.Now().Add(time.Minute); !signalled(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("with a signal: got false")
		}
	}
	if signalled(0) || signalled(1<<30) {
		t.Error("nobody has a signal waiting: got true")
	}
}

// interrupts notes which requests were interrupted.
type interrupts struct {
	mu   sync.Mutex
	seen map[uint64]int
	came chan struct{}
}

func (i *interrupts) note(unique uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.seen[unique]++
	select {
	case i.came <- struct{}{}:
	default:
	}
}

// When the connection has ended, who still works is interrupted, again and again.
func TestWhoWaitsAtTheEndIsInterrupted(t *testing.T) {
	in := interrupts{seen: map[uint64]int{}, came: make(chan struct{}, 1)}
	w := newWatch(in.note)
	var busy, idle task
	w.add(&busy)
	w.add(&idle)
	go w.run()
	w.begin(&busy, 5, 0)
	w.close()
	for range 3 {
		<-in.came
	}
	busy.end()
	w.finish()
	if in.seen[5] < 3 || len(in.seen) != 1 {
		t.Errorf("got %v, want 5 a few times", in.seen)
	}
}

func TestWhoHasASignalWaitingIsInterrupted(t *testing.T) {
	cmd := exec.Command("sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	in := interrupts{seen: map[uint64]int{}, came: make(chan struct{}, 1)}
	w := newWatch(in.note)
	var a, b task
	w.add(&a)
	w.add(&b)
	w.begin(&a, 5, uint32(cmd.Process.Pid))
	w.begin(&b, 6, 0)
	for range 3 {
		if !w.look(false) || len(in.seen) != 0 {
			t.Errorf("without a signal: got %v", in.seen)
		}
	}
	_ = cmd.Process.Signal(syscall.SIGSTOP)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	for end := time.Now().Add(time.Minute); in.seen[5] == 0; w.look(false) {
		if time.Now().After(end) {
			t.Fatal("with a signal: it was not interrupted")
		}
	}
	if in.seen[6] != 0 {
		t.Error("who has none was interrupted")
	}
	w.begin(&a, 7, uint32(cmd.Process.Pid))
	w.look(false)
	if in.seen[7] != 0 {
		t.Error("a request was interrupted at the first look")
	}
}

func TestNoConnectionNoService(t *testing.T) {
	fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	c, err := Prepare(Options{FD: fd, MaxPayload: 1 << 20, Handle: func(_, _ [][]byte) int { return 0 }, Interrupt: func(uint64) {}})
	if err != nil {
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
			t.Log("io_uring is forbidden here:", err)
			return
		}
		t.Fatal(err)
	}
	c.Cancel() // and it returns
}
