package fusefs

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Whoever closes, syncs or writes a file after its mount was taken away is told that it became no message.
func TestWhoClosesAFileOfATakenMountIsTold(t *testing.T) {
	for name, appended := range map[string][]string{"a.b": nil, ".log": {"1 s half"}} {
		m := newWritingMount(t)
		node, fh, st := m.open(name, syscall.O_CREAT|syscall.O_WRONLY|syscall.O_APPEND, 0o644)
		wantStatus(t, name+": open", st, 0)
		wantStatus(t, name+": write", m.write(node, fh, "half", 0), 0)
		m.abandonAll()
		kept := syscall.EIO // it is a draft
		if name == ".log" {
			kept = 0 // a line without its end is a message, as at a close
		}
		wantStatus(t, name+": write behind", m.write(node, fh, "more", 4), syscall.EIO)
		wantStatus(t, name+": fsync", m.Fsync(nil, &fuse.FsyncIn{InHeader: m.header(node), Fh: fh}), kept)
		wantStatus(t, name+": close", m.Flush(nil, &fuse.FlushIn{InHeader: m.header(node), Fh: fh}), kept)
		m.Release(nil, &fuse.ReleaseIn{InHeader: m.header(node), Fh: fh})
		m.wantPayloads(appended...)
		if got := m.handles.all(); len(got) != 0 {
			t.Errorf("%s: handles %v are left", name, got)
		}
	}
}

// A command that has no end yet is done, or refused, at the close that comes.
func TestACommandOfATakenMountIsDoneAtItsClose(t *testing.T) {
	m := newWritingMount(t, "one")
	m.dir = m.walk("S/.jsfs").NodeId
	node, fh, st := m.open("ctl", syscall.O_WRONLY, 0)
	wantStatus(t, "open", st, 0)
	wantStatus(t, "write", m.write(node, fh, "purge", 0), 0)
	m.abandonAll()
	wantStatus(t, "close", m.close(node, fh), 0)
	m.wantPayloads()
}

// Where the connection breaks nobody closes anything: what there is of a command may be the beginning of another one.
func TestHalfACommandOfABrokenMountIsNotDone(t *testing.T) {
	m := newWritingMount(t, "one")
	m.dir = m.walk("S/.jsfs").NodeId
	node, fh, st := m.open("ctl", syscall.O_WRONLY, 0)
	wantStatus(t, "open", st, 0)
	wantStatus(t, "close of another descriptor", m.Flush(nil, &fuse.FlushIn{InHeader: m.header(node), Fh: fh}), 0)
	wantStatus(t, "write", m.write(node, fh, "purge seq=2", 0), 0)
	m.releaseAll()
	m.wantPayloads("1 a.b one")
	if got := m.reasons(); !slices.ContainsFunc(got, func(r string) bool { return strings.Contains(r, `"purge seq=2" is not done`) }) {
		t.Errorf("the reasons are %q", got)
	}
}

// An empty message is due when its file is closed: before that it is none, and its writer is told; behind that it is one.
func TestAnEmptyMessageOfATakenMountIsOneIfItWasClosed(t *testing.T) {
	m := newWritingMount(t)
	closedNode, closed, st := m.open("a.closed", shellCreate, 0o644)
	wantStatus(t, "open", st, 0)
	wantStatus(t, "close", m.Flush(nil, &fuse.FlushIn{InHeader: m.header(closedNode), Fh: closed}), 0)
	node, fh, st := m.open("a.open", shellCreate, 0o644)
	wantStatus(t, "open", st, 0)
	m.abandonAll()
	m.wantPayloads("1 a.closed ")
	wantStatus(t, "close behind", m.close(node, fh), syscall.EIO)
	m.wantPayloads("1 a.closed ")
}

// A draft that is open is let go of, and nobody is told that what he wrote is durable.
func TestADraftOfATakenMountIsNotSynced(t *testing.T) {
	m := newWritingMount(t)
	node, fh, st := m.open(".d", syscall.O_CREAT|syscall.O_RDWR, 0o644)
	wantStatus(t, "open", st, 0)
	wantStatus(t, "write", m.write(node, fh, "draft", 0), 0)
	m.abandonAll()
	wantStatus(t, "write behind", m.write(node, fh, "more", 5), syscall.EBADF)
	wantStatus(t, "fsync", m.Fsync(nil, &fuse.FsyncIn{InHeader: m.header(node), Fh: fh}), syscall.EIO)
	wantStatus(t, "close", m.close(node, fh), 0)
}
