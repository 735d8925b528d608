package fusefs

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// counted is a handle that is released once.
type counted struct {
	readHandle
	released atomic.Int64
}

func (*counted) read(*call, []byte, int64) (int, error) { return 0, nil }

func (h *counted) release(*call) { h.released.Add(1) }

func TestReadersShareAHandleUntilNobodyHasBorrowedItForAWhile(t *testing.T) {
	m := newMounted(t, Options{ReadOnly: true, Unchanging: true})
	now := time.Unix(1000, 0)
	m.FS.now = func() time.Time { return now }
	c := m.ownCall("test")
	var opened []*counted
	var mu sync.Mutex
	open := func() (handle, error) {
		mu.Lock()
		defer mu.Unlock()
		opened = append(opened, &counted{})
		return opened[len(opened)-1], nil
	}
	_, first, _ := m.borrowed.borrow(c, 5, open)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, back, _ := m.borrowed.borrow(c, 5, open)
			back()
		})
	}
	wg.Wait()
	now = now.Add(10 * loanIdle)
	m.borrowed.clean(m.FS, false)
	if len(opened) != 1 || opened[0].released.Load() != 0 {
		t.Fatalf("opened %d times, released %d times; want 1 and 0: it is in use", len(opened), opened[0].released.Load())
	}
	first()
	m.borrowed.clean(m.FS, false)
	if opened[0].released.Load() != 1 {
		t.Errorf("released %d times, want once when it was idle", opened[0].released.Load())
	}
	_, back, _ := m.borrowed.borrow(c, 5, open)
	back()
	now = now.Add(loanIdle / 2)
	m.borrowed.clean(m.FS, false)
	if len(opened) != 2 || opened[1].released.Load() != 0 {
		t.Errorf("opened %d times, want 2, and the second one kept", len(opened))
	}
	m.borrowed.clean(m.FS, true)
	if opened[1].released.Load() != 1 || len(m.borrowed.m) != 0 {
		t.Error("at the end of the mount something is held")
	}
}

func TestWhatCannotBeOpenedIsTriedAgain(t *testing.T) {
	m := newMounted(t, Options{ReadOnly: true, Unchanging: true})
	c := m.ownCall("test")
	for range 2 {
		if _, _, err := m.borrowed.borrow(c, 5, func() (handle, error) { return nil, errStale }); err != errStale {
			t.Errorf("got %v, want the error", err)
		}
	}
	if _, back, err := m.borrowed.borrow(c, 5, func() (handle, error) { return &counted{}, nil }); err != nil {
		t.Error(err)
	} else {
		back()
	}
}

// The size of a content that was made, and its bytes, are asked for one after the other.
func TestAMadeContentStaysForItsReader(t *testing.T) {
	content := "a 1\n"
	m := newMounted(t, Options{ReadOnly: true, Unchanging: true, Metrics: func() ([]byte, error) { return []byte(content), nil }})
	now := time.Unix(1000, 0)
	m.FS.now = func() time.Time { return now }
	out := m.walk(".jsfs/metrics")
	if _, st := m.openAt(out.NodeId, 0); st != fuse.ENOSYS {
		t.Errorf("open: got %v, want ENOSYS", st)
	}
	content = "a 1\nb 1\n"
	for _, want := range []string{"a 1\n", "a 1\nb 1\n"} {
		got, st := m.readAt(out.NodeId, 0, 0, 100)
		if got != want || !st.Ok() {
			t.Errorf("got %q, %v, want %q", got, st, want)
		}
		if again := m.walk(".jsfs/metrics"); again.Size != uint64(len(want)) || again.Mtime != uint64(now.Unix()) {
			t.Errorf("got a size of %d at %d, want %d at %d", again.Size, again.Mtime, len(want), now.Unix())
		}
		now = now.Add(2 * loanMade)
		m.walk(".jsfs/metrics")
	}
}

// halting is a handle that gives what stands before a place that it can't read, and then the error.
type halting struct {
	readHandle
	text   string
	breaks int64
}

func (h *halting) read(_ *call, p []byte, off int64) (int, error) {
	if off == h.breaks {
		return 0, errStale
	}
	end := int64(len(h.text))
	if off < h.breaks {
		end = h.breaks
	}
	return copy(p, h.text[min(off, end):end]), nil
}

// The kernel takes a READ that gives less than it asked for, of a file that it has not opened, for the file's end.
func TestNoReadOfAnUnopenedFileEndsBeforeADamagedPlace(t *testing.T) {
	m := newMounted(t, Options{ReadOnly: true, Unchanging: true})
	m.stream("S", "payload")
	node := m.walk("S/.log").NodeId
	_, back, err := m.borrowed.borrow(m.ownCall("test"), node, func() (handle, error) {
		return &halting{text: "0123456789", breaks: 6}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer back()
	for _, c := range []struct {
		off  int64
		size int
		want string
	}{{0, 4, "0123"}, {4, 4, ""}, {7, 2, "78"}, {7, 100, "789"}, {10, 5, ""}} {
		got, st := m.readAt(node, 0, c.off, c.size)
		if got != c.want || st.Ok() == (c.off == 4) {
			t.Errorf("read %d bytes at %d: got %q, %v, want %q", c.size, c.off, got, st, c.want)
		}
	}
}
