package fusefs

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// recorder notes what the kernel is told. Node numbers are shown as names.
type recorder struct {
	names  map[uint64]string
	told   []string
	epochs bool // whether it is a kernel that has epochs
}

func (r *recorder) EpochNotify() fuse.Status {
	if !r.epochs {
		return fuse.EINVAL
	}
	r.told = append(r.told, "epoch")
	return fuse.OK
}

func (r *recorder) name(id uint64) string {
	if n, ok := r.names[id]; ok {
		return n
	}
	return fmt.Sprint(id)
}

func (r *recorder) InodeNotify(node uint64, off, length int64) fuse.Status {
	r.told = append(r.told, fmt.Sprintf("inode %s %d %d", r.name(node), off, length))
	return fuse.OK
}

func (r *recorder) EntryNotify(parent uint64, name string) fuse.Status {
	r.told = append(r.told, fmt.Sprintf("entry %s/%s", r.name(parent), name))
	return fuse.ENOENT
}

func (r *recorder) DeleteNotify(parent, child uint64, name string) fuse.Status {
	r.told = append(r.told, fmt.Sprintf("delete %s/%s %s", r.name(parent), name, r.name(child)))
	return fuse.ENOENT
}

func (r *recorder) PruneNotify(nodes []uint64) fuse.Status {
	r.told = append(r.told, fmt.Sprintf("prune %d", len(nodes)))
	return fuse.OK
}

func (r *recorder) StoreNotify(node uint64, data []byte) fuse.Status {
	r.told = append(r.told, fmt.Sprintf("store %s %q", r.name(node), data))
	return fuse.OK
}

func TestNotifications(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, m *mounted, s *stream)
		want []string
	}{
		{"an append makes the directory's time old, once however many there are",
			func(_ *testing.T, m *mounted, s *stream) { m.append(s, "a", "b", "c") },
			[]string{"inode S -1 0"}},
		{"a removal from elsewhere drops the listed name, and the inode",
			func(t *testing.T, _ *mounted, s *stream) { remove(t, s, 2) },
			[]string{"delete S/000000000002 S/2", "inode S/2 0 0", "inode S -1 0"}},
		{"a removal through the listed name is known to the kernel",
			func(t *testing.T, m *mounted, s *stream) { m.rm(t, s, "000000000002") },
			nil},
		{"a removal through another spelling drops the listed name",
			func(t *testing.T, m *mounted, s *stream) { m.rm(t, s, "2") },
			[]string{"delete S/000000000002 S/2", "inode S/2 0 0", "inode S -1 0"}},
		{"a message that comes back has attributes again",
			func(t *testing.T, m *mounted, s *stream) {
				m.rm(t, s, "000000000002")
				if err := s.Undelete(t.Context(), 2); err != nil {
					t.Fatal(err)
				}
			},
			[]string{"inode S/2 -1 0", "inode S -1 0"}},
		{"after a removal that was refused the next one is told",
			func(t *testing.T, m *mounted, s *stream) {
				dir := header(s.node)
				m.Unlink(nil, &dir, "000000000009")
				m.append(s, "4", "5", "6", "7", "8", "9")
				remove(t, s, 9)
			},
			[]string{"delete S/000000000009 S/9", "inode S/9 0 0", "inode S -1 0"}},
		{"a new stream makes the root's time old",
			func(_ *testing.T, m *mounted, _ *stream) { m.stream("T") },
			[]string{"inode root -1 0"}},
		{"a removed stream loses its name",
			func(t *testing.T, m *mounted, s *stream) {
				for seq := range store.Seq(3) {
					remove(t, s, seq+1)
				}
				if err := m.st.Remove(t.Context(), "S"); err != nil {
					t.Fatal(err)
				}
				m.streams.drop(s.Incarnation()) // so that its messages are not told of, too
			},
			[]string{"entry root/S", "inode root -1 0"}},
		{"a removal of a stream by rmdir is known to the kernel, which may have the name for another one by now",
			func(t *testing.T, m *mounted, s *stream) {
				for seq := range store.Seq(3) {
					remove(t, s, seq+1)
				}
				root := header(mapping.Root)
				if st := m.Rmdir(nil, &root, "S"); !st.Ok() {
					t.Fatal(st)
				}
				m.stream("S")
			},
			[]string{"inode root -1 0"}},
		{"after a removal by rmdir that was refused the next one is told",
			func(t *testing.T, m *mounted, s *stream) {
				root := header(mapping.Root)
				if st := m.Rmdir(nil, &root, "S"); st != fuse.Status(syscall.ENOTEMPTY) {
					t.Fatalf("rmdir gives %v", st)
				}
				for seq := range store.Seq(3) {
					remove(t, s, seq+1)
				}
				if err := m.st.Remove(t.Context(), "S"); err != nil {
					t.Fatal(err)
				}
				m.streams.drop(s.Incarnation())
			},
			[]string{"entry root/S", "inode root -1 0"}},
		{"an erasure is told of what its stream was before it was truncated, too",
			func(_ *testing.T, m *mounted, s *stream) {
				if _, err := m.st.Truncate(t.Context(), "S", 2); err != nil {
					t.Fatal(err)
				}
				m.streams.drop(s.Incarnation())
				m.ctl("S", "erase 1\n")
			},
			[]string{"entry root/S", "delete T/000000000001 T/1", "inode T/1 0 0", "inode S/1 0 0", "inode root -1 0", "inode T -1 0"}},
		{"so is that of a message that had been removed",
			func(_ *testing.T, m *mounted, s *stream) {
				if _, err := m.st.Truncate(t.Context(), "S", 2); err != nil {
					t.Fatal(err)
				}
				m.streams.drop(s.Incarnation())
				m.ctl("S", "purge seq=2\n", "erase 1\n")
			},
			[]string{"entry root/S", "delete T/000000000001 T/1", "inode T/1 0 0", "inode T/1 0 0", "inode S/1 0 0", "inode root -1 0", "inode T -1 0"}},
		{"what nobody looked up is not told",
			func(t *testing.T, m *mounted, s *stream) {
				m.streams.drop(s.Incarnation())
				remove(t, s, 1)
			}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMounted(t, Options{})
			s := m.stream("S", "1", "2", "3")
			sub := m.st.Watch()
			tt.do(t, m, s)
			rec := newRecorder(s)
			for _, now := range m.streams.all() {
				if now != s && now.name == "S" {
					rec.names[now.node] = "T"
					id, _ := now.message(1)
					rec.names[id] = "T/1"
				}
			}
			n := &notifier{fs: m.FS, kernel: rec}
			events, lost := sub.Take(nil)
			if lost {
				t.Fatal("events were lost")
			}
			n.tell(events)
			if !slices.Equal(rec.told, tt.want) {
				t.Errorf("got %q, want %q", rec.told, tt.want)
			}
			if n := len(s.unlinked.m) + len(m.streams.rmdirs.m); n != 0 {
				t.Errorf("got %d removals remembered, want none", n)
			}
		})
	}
}

func newRecorder(s *stream) *recorder {
	rec := &recorder{names: map[uint64]string{mapping.Root: "root", s.node: s.name}}
	for seq := range store.Seq(20) {
		id, _ := s.message(seq)
		rec.names[id] = fmt.Sprintf("%s/%d", s.name, seq)
	}
	return rec
}

func remove(t *testing.T, s *stream, seq store.Seq) {
	t.Helper()
	if _, err := s.Remove(t.Context(), seq); err != nil {
		t.Fatal(err)
	}
}

func (m *mounted) rm(t *testing.T, s *stream, name string) {
	t.Helper()
	dir := header(s.node)
	if st := m.Unlink(nil, &dir, name); !st.Ok() {
		t.Fatal(st)
	}
}

// The time of a directory is that of the removal when who removed is answered, whenever its event comes: tar says that a directory changed while
// it was read if its time does.
func TestWhatWasRemovedChangesTheTimeOnce(t *testing.T) {
	for _, how := range []struct {
		name   string
		remove func(m *mounted, s *stream)
	}{
		{"by its listed name", func(m *mounted, s *stream) { m.rm(t, s, "000000000002") }},
		{"by another spelling", func(m *mounted, s *stream) { m.rm(t, s, "2") }},
		{"by a command", func(m *mounted, s *stream) { m.ctl("S", "purge seq=3\n") }},
	} {
		t.Run(how.name, func(t *testing.T) {
			m := newMounted(t, Options{})
			s := m.stream("S", "1", "2", "3", "4")
			m.walk("S")
			sub := m.st.Watch()
			defer sub.Close()
			how.remove(m, s)
			was := m.walk("S").Attr
			m.now = func() time.Time { return time.Now().Add(time.Minute) }
			events, _ := sub.Take(nil)
			if len(events) == 0 {
				t.Fatal("nothing was removed")
			}
			n := &notifier{fs: m.FS, kernel: newRecorder(s)}
			n.tell(events)
			if is := m.walk("S").Attr; is != was {
				t.Errorf("the directory's attributes were %+v, and are %+v when its event has come", was, is)
			}
			remove(t, s, 4) // by others
			events, _ = sub.Take(nil)
			n.tell(events)
			if is := m.walk("S").Attr; is.Mtime <= was.Mtime {
				t.Errorf("when others removed one the time is %d, want a later one than %d", is.Mtime, was.Mtime)
			}
		})
	}
}

func TestAfterALossEverythingIsLookedAtAgain(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "1", "2", "3", "4", "5", "6")
	m.walk("S")
	gone := m.stream("GONE")
	for _, seq := range []store.Seq{1, 2, 4, 6} {
		remove(t, s, seq)
	}
	if err := m.st.Remove(t.Context(), "GONE"); err != nil {
		t.Fatal(err)
	}
	rec := newRecorder(s)
	rec.names[gone.node] = "GONE"
	m.streams.rmdirs.add(gone.Incarnation())
	(&notifier{fs: m.FS, kernel: rec}).afterLoss(t.Context())
	if m.streams.rmdirs.take(gone.Incarnation()) {
		t.Error("a removal is remembered whose event was lost")
	}
	for _, want := range []string{
		"inode root -1 0", "entry root/S", "inode S -1 0", "entry root/GONE",
		"delete S/000000000001 S/1", "inode S/1 0 0",
		"delete S/000000000002 S/2", "inode S/2 0 0",
		"delete S/000000000004 S/4", "inode S/4 0 0",
		"delete S/000000000006 S/6", "inode S/6 0 0",
	} {
		if !slices.Contains(rec.told, want) {
			t.Errorf("got %q, want %q in it", rec.told, want)
		}
	}
	for _, live := range []string{"delete S/000000000003 S/3", "delete S/000000000005 S/5"} {
		if slices.Contains(rec.told, live) {
			t.Errorf("got %q, which is live", live)
		}
	}
	if m.streams.byNode(gone.num) != nil {
		t.Error("a stream that was removed is still known")
	}

	rec.told, rec.epochs = nil, true
	(&notifier{fs: m.FS, kernel: rec}).afterLoss(t.Context())
	if want := []string{"epoch", "inode root -1 0", "inode S -1 0"}; !slices.Equal(rec.told, want) {
		t.Errorf("with epochs: got %q, want %q", rec.told, want)
	}
}

func TestTheNotifierEndsWithItsSubscription(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "1")
	rec := newRecorder(s)
	sub := m.st.Watch()
	done := make(chan struct{})
	go func() {
		defer close(done)
		(&notifier{fs: m.FS, kernel: rec}).run(sub)
	}()
	remove(t, s, 1)
	for s.changed.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	sub.Close()
	<-done
	if len(rec.told) == 0 {
		t.Error("got nothing told, want the removal")
	}
}
