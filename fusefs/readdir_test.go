package fusefs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

func seqNames(from, to int) []string {
	var names []string
	for i := from; i <= to; i++ {
		names = append(names, fmt.Sprintf("%012d", i))
	}
	return names
}

func (m *mounted) draft(s *stream, name string) {
	m.t.Helper()
	d, err := s.CreateDraft(m.t.Context(), name)
	if err != nil {
		m.t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		m.t.Fatal(err)
	}
}

func TestListing(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", make([]string, 300)...)
	m.draft(s, ".tmp")
	m.draft(s, "x~")
	m.stream("T")
	want := seqNames(1, 300)
	drafts := []string{".tmp", "x~"}
	for _, size := range []int{256, 4096, 1 << 20} {
		for _, plus := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bytes, plus %v", size, plus), func(t *testing.T) {
				got := m.list(s.node, size, plus, nil)
				if !slices.Equal(got[:300], want) {
					t.Errorf("messages: got %q, want 1 to 300 in order", got[:300])
				}
				slices.Sort(got[300:])
				if !slices.Equal(got[300:], drafts) {
					t.Errorf("drafts behind them: got %q, want %q", got[300:], drafts)
				}
				if got, want := m.list(mapping.Root, size, plus, nil), []string{"S", "T"}; !slices.Equal(got, want) {
					t.Errorf("root: got %q, want %q", got, want)
				}
				if got, want := m.list(m.walk("S/.jsfs").NodeId, size, plus, nil), []string{"config", "consumers", "ctl", "deleted", "first", "info", "last", "last-by-subject", "log", "log.jsonl", "msg", "post", "range", "since", "subjects"}; !slices.Equal(got, want) {
					t.Errorf("control directory: got %q, want %q", got, want)
				}
				if got, want := m.list(m.walk("T/.jsfs").NodeId, size, plus, nil), []string{"config", "consumers", "ctl", "deleted", "info", "last-by-subject", "log", "log.jsonl", "msg", "post", "range", "since", "subjects"}; !slices.Equal(got, want) {
					t.Errorf("control directory of an empty stream: got %q, want %q", got, want)
				}
			})
		}
	}
}

func TestListingPlusSaysWhatLookupSays(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "one", "two\n")
	for _, dir := range []uint64{s.node, mapping.Root, m.walk("S/.jsfs").NodeId} {
		out := fuse.NewDirEntryList(make([]byte, 1<<16), 0)
		if st := m.ReadDirPlus(nil, &fuse.ReadIn{InHeader: header(dir), Size: 1 << 16}, out); !st.Ok() {
			t.Fatal(st)
		}
		entries, outs, err := fuse.ParseDirLookupEntries(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range entries {
			if e.Name == "." || e.Name == ".." {
				if outs[i].NodeId != 0 {
					t.Errorf("%s: got node %d, want none: the kernel knows it", e.Name, outs[i].NodeId)
				}
				continue
			}
			want, st := m.lookupAt(dir, e.Name)
			if !st.Ok() || outs[i] != want {
				t.Errorf("%s: got %+v, want %+v (%v)", e.Name, outs[i], want, st)
			}
			if e.Ino != want.Ino || e.Mode != want.Mode&0o170000 {
				t.Errorf("%s: got inode %d, type %o, want %d, %o", e.Name, e.Ino, e.Mode, want.Ino, want.Mode&0o170000)
			}
		}
	}
}

// While a directory is read messages come and go. Those that were there all the time
// must be met exactly once, in order, whatever becomes of the others.
func TestListingStaysRightWhileMessagesComeAndGo(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", make([]string, 500)...)
	rng := rand.New(rand.NewPCG(3, 4))
	removed := map[string]bool{}
	got := m.list(s.node, 512, false, func([]string) {
		for range 5 {
			seq := store.Seq(rng.IntN(500) + 1)
			if _, err := s.Remove(t.Context(), seq); err != nil {
				t.Fatal(err)
			}
			removed[mapping.FormatSeq(seq, mapping.DefaultWidth)] = true
		}
		m.append(s, "new")
		if len(removed) > 400 {
			t.Fatal("the listing does not end while messages are appended")
		}
	})
	if !slices.IsSorted(got) {
		t.Error("got messages out of order")
	}
	if len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Error("got a message twice")
	}
	for _, name := range seqNames(1, 500) {
		if _, ok := slices.BinarySearch(got, name); !ok && !removed[name] {
			t.Errorf("%s was there all the time and is not listed", name)
		}
	}
}

func TestControlDirectoriesCanBeListed(t *testing.T) {
	m := newMounted(t, Options{ListControl: true, SeqWidth: 1})
	s := m.stream("S", "one", "two")
	m.draft(s, ".tmp")
	for _, plus := range []bool{false, true} {
		for _, size := range []int{256, 4096} {
			if got, want := m.list(s.node, size, plus, nil), []string{"1", "2", ".jsfs", ".tmp"}; !slices.Equal(got, want) {
				t.Errorf("plus %v, %d bytes: got %q, want %q", plus, size, got, want)
			}
			for _, path := range []string{"S/.jsfs", "S/.jsfs/subjects/a.b"} {
				if got := m.list(m.walk(path).NodeId, size, plus, nil); slices.Contains(got, mapping.DirName) {
					t.Errorf("%s lists %q", path, got)
				}
			}
		}
	}
}

// rm -r lists and removes in turns.
func TestDraftsAreListedWhileTheyAreRemoved(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S")
	for i := range 200 {
		m.draft(s, fmt.Sprintf(".d%d", i))
	}
	gone := 0
	got := m.list(s.node, 512, false, func(names []string) {
		for ; gone < len(names); gone++ {
			if err := s.RemoveDraft(t.Context(), names[gone]); err != nil {
				t.Fatal(err)
			}
		}
	})
	if len(got) != 200 {
		t.Errorf("drafts listed: got %d, want 200", len(got))
	}
}

func TestListingResumesAnywhere(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "1", "2", "3", "4", "5")
	for _, tt := range []struct {
		off  uint64
		want []string
	}{
		{0, seqNames(1, 5)}, {1, seqNames(1, 5)}, {2, seqNames(1, 5)}, {3, seqNames(2, 5)},
		{6, seqNames(5, 5)}, {7, nil}, {1 << 50, nil}, {1<<62 - 1, nil}, {1 << 62, nil}, {1<<63 - 1, nil},
	} {
		out := fuse.NewDirEntryList(make([]byte, 4096), tt.off)
		if st := m.ReadDir(nil, &fuse.ReadIn{InHeader: header(s.node), Offset: tt.off, Size: 4096}, out); !st.Ok() {
			t.Fatalf("at %d: %v", tt.off, st)
		}
		entries, err := fuse.ParseDirEntries(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range entries {
			if e.Name != "." && e.Name != ".." {
				got = append(got, e.Name)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("at %d: got %q, want %q", tt.off, got, tt.want)
		}
	}
}

// A directory that was opened anew and is read from the middle on, as an NFS server does and a kernel that keeps the
// beginning, ends where one ends that is read from its beginning.
func TestListingBeginsAnywhere(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "1", "2", "3", "4", "5")
	for _, path := range []string{"S", "S/.jsfs/deleted", "S/.jsfs/subjects", "S/.jsfs/subjects/>", "S/.jsfs/range/1-4"} {
		if path == "S/.jsfs/deleted" {
			for _, seq := range []store.Seq{1, 3} {
				if _, err := s.Remove(t.Context(), seq); err != nil {
					t.Fatal(err)
				}
			}
		}
		node := m.walk(path).NodeId
		all := m.listFrom(node, 0)
		if len(all) < 3 {
			t.Fatalf("%s: got %v, want more than itself and its parent", path, all)
		}
		for i, e := range all {
			if got, want := m.listFrom(node, e.Off), all[i+1:]; !slices.Equal(got, want) {
				t.Errorf("%s from the offset of %q on: got %v, want %v", path, e.Name, got, want)
			}
		}
	}
}

// listFrom opens a directory and lists it from an offset on.
func (m *mounted) listFrom(node, off uint64) (all []fuse.DirEntry) {
	m.t.Helper()
	var opened fuse.OpenOut
	if st := m.OpenDir(nil, &fuse.OpenIn{InHeader: header(node)}, &opened); !st.Ok() {
		m.t.Fatalf("opendir: %v", st)
	}
	defer m.ReleaseDir(&fuse.ReleaseIn{InHeader: header(node), Fh: opened.Fh})
	out := fuse.NewDirEntryList(make([]byte, 4096), off)
	if st := m.ReadDir(nil, &fuse.ReadIn{InHeader: header(node), Fh: opened.Fh, Offset: off, Size: 4096}, out); !st.Ok() {
		m.t.Fatalf("readdir at %d: %v", off, st)
	}
	all, err := fuse.ParseDirEntries(out.Bytes())
	if err != nil {
		m.t.Fatal(err)
	}
	return all
}

// What was listed and looked up leaves nothing behind.
func TestListingKeepsNoState(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", make([]string, 2000)...)
	m.list(s.node, 1<<16, true, nil)
	for i := 1; i <= 2000; i++ {
		out := m.walk(fmt.Sprintf("S/%d", i))
		if open, st := m.openAt(out.NodeId, 0); !st.Ok() || open.Fh != 0 {
			t.Fatalf("open: got handle %d, %v, want none", open.Fh, st)
		}
	}
	if objects, handles := m.objects.count(), len(m.handles.all()); objects != 0 || handles != 0 {
		t.Errorf("got %d objects and %d handles, want none", objects, handles)
	}
}

func BenchmarkReadDir(b *testing.B) {
	m := newMounted(b, Options{})
	s := m.stream("S", make([]string, 100_000)...)
	for _, plus := range []bool{false, true} {
		b.Run(fmt.Sprintf("plus=%v", plus), func(b *testing.B) {
			buf := make([]byte, 32<<10)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				for off := uint64(0); ; {
					out := fuse.NewDirEntryList(buf, off)
					in := &fuse.ReadIn{InHeader: header(s.node), Offset: off, Size: 32 << 10}
					if plus {
						m.ReadDirPlus(nil, in, out)
					} else {
						m.ReadDir(nil, in, out)
					}
					if out.Offset == off {
						break
					}
					off = out.Offset
				}
				n += 100_000
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/entry")
		})
	}
}

// A listing ends with an error before a number that no file can have, and never as if there were no more.
func TestListingOfANumberThatIsTooHigh(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "one")
	if err := s.Stream.Restore(t.Context(), store.Msg{Meta: store.Meta{Seq: mapping.MaxN + 1}, Subject: "x"}); err != nil {
		t.Fatal(err)
	}
	dir := fuse.OpenIn{InHeader: header(s.node)}
	var open fuse.OpenOut
	if st := m.OpenDir(nil, &dir, &open); st != fuse.OK {
		t.Fatal(st)
	}
	for _, c := range []struct {
		off  uint64
		want fuse.Status
	}{{0, fuse.OK}, {cookieFirst + 1, fuse.Status(syscall.EOVERFLOW)}} {
		in := fuse.ReadIn{InHeader: header(s.node), Fh: open.Fh, Offset: c.off, Size: 4096}
		if st := m.ReadDir(nil, &in, fuse.NewDirEntryList(make([]byte, 4096), c.off)); st != c.want {
			t.Errorf("from %d on: %v, want %v", c.off, st, c.want)
		}
	}
}
