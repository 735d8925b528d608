package fusefs

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/store"
	"jsfs/store/memstore"
)

func TestMessagesAreOpenedForReadingOnly(t *testing.T) {
	m := newMounted(t, Options{})
	m.stream("S", "x")
	node := m.walk("S/1").NodeId
	for _, flags := range []uint32{
		syscall.O_WRONLY, syscall.O_RDWR, syscall.O_WRONLY | syscall.O_APPEND, syscall.O_RDONLY | syscall.O_TRUNC,
	} {
		if _, st := m.openAt(node, flags); st != fuse.EPERM {
			t.Errorf("open with flags %#x: got %v, want EPERM", flags, st)
		}
	}
	if got := m.reasons(); len(got) != 4 || !strings.Contains(got[0], " open S/000000000001 EPERM messages never change") {
		t.Errorf("errors: got %q, want a line for each that says why", got)
	}
	out, st := m.openAt(node, syscall.O_RDONLY)
	if want := uint32(fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_NOFLUSH); !st.Ok() || out.OpenFlags != want {
		t.Errorf("open for reading: got flags %#x, %v, want %#x", out.OpenFlags, st, want)
	}
	in := &fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{InHeader: header(node), Valid: fuse.FATTR_SIZE}}
	if st := m.SetAttr(nil, in, &fuse.AttrOut{}); st != fuse.EPERM {
		t.Errorf("truncate: got %v, want EPERM", st)
	}
	if got := m.cat("S/1"); got != "x" {
		t.Errorf("got %q, want what was there", got)
	}
}

func FuzzRead(f *testing.F) {
	m := newMounted(f, Options{})
	small, large := make([]byte, 5000), make([]byte, maxStateless+70_001)
	for i := range large {
		large[i] = byte(i ^ i>>8 ^ i>>16)
	}
	copy(small, large)
	m.stream("S", string(small), string(large), "")
	want := [][]byte{small, large, nil}
	type file struct{ node, fh uint64 }
	var files []file
	for _, path := range []string{"S/1", "S/2", "S/3"} {
		node := m.walk(path).NodeId
		out, st := m.openAt(node, syscall.O_RDONLY)
		if !st.Ok() {
			f.Fatal(st)
		}
		files = append(files, file{node, out.Fh})
	}
	f.Add(byte(0), int64(0), uint32(4096))
	f.Add(byte(0), int64(4999), uint32(10))
	f.Add(byte(1), int64(maxStateless), uint32(1<<17))
	f.Add(byte(1), int64(1)<<62, uint32(1))
	f.Add(byte(2), int64(0), uint32(4096))
	f.Fuzz(func(t *testing.T, which byte, off int64, size uint32) {
		if off < 0 {
			return
		}
		size %= maxWrite + 1
		i := int(which) % len(files)
		m.t = t
		got, st := m.readAt(files[i].node, files[i].fh, off, int(size))
		if !st.Ok() {
			t.Fatal(st)
		}
		lo := min(off, int64(len(want[i])))
		if w := want[i][lo:min(lo+int64(size), int64(len(want[i])))]; got != string(w) {
			t.Errorf("read of %d at %d: got %d bytes, want %d, the same ones", size, off, len(got), len(w))
		}
	})
}

// counting counts the loads of an engine, and can make them fail.
type counting struct {
	store.Store
	loads atomic.Int64
	fail  atomic.Pointer[error]
}

type countingStream struct {
	store.Stream
	of *counting
}

func (s *counting) Create(ctx context.Context, cfg store.Config) (store.Stream, error) {
	st, err := s.Store.Create(ctx, cfg)
	return &countingStream{st, s}, err
}

func (s *countingStream) Load(ctx context.Context, seq store.Seq, buf []byte) (store.Msg, error) {
	s.of.loads.Add(1)
	if err := s.of.fail.Load(); err != nil {
		return store.Msg{}, *err
	}
	return s.Stream.Load(ctx, seq, buf)
}

// openMsg opens a message for reading.
func (m *mounted) openMsg(s *stream, seq store.Seq) (node, fh uint64) {
	m.t.Helper()
	node, _ = s.message(seq)
	out, st := m.openAt(node, syscall.O_RDONLY)
	if !st.Ok() {
		m.t.Fatal(st)
	}
	return node, out.Fh
}

func (m *mounted) closeFile(node, fh uint64) {
	m.Release(nil, &fuse.ReleaseIn{InHeader: header(node), Fh: fh})
}

func TestALargeMessageIsLoadedOnce(t *testing.T) {
	st := &counting{Store: memstore.New(memstore.Options{})}
	m := mountedOn(t, st, Options{})
	payload := strings.Repeat("0123456789abcdef", 1<<17) // 2 MiB
	s := m.stream("S", payload)
	node, fh := m.openMsg(s, 1)
	node2, fh2 := m.openMsg(s, 1)
	var got bytes.Buffer
	for off := 0; off < len(payload); off += 128 << 10 {
		a, st := m.readAt(node, fh, int64(off), 128<<10)
		b, st2 := m.readAt(node2, fh2, int64(off), 128<<10)
		if !st.Ok() || !st2.Ok() || a != b {
			t.Fatalf("at %d: %v, %v", off, st, st2)
		}
		got.WriteString(a)
	}
	if got.String() != payload {
		t.Error("got other bytes than were stored")
	}
	if n := st.loads.Load(); n != 1 {
		t.Errorf("loads: got %d, want 1 for all reads of both readers", n)
	}
	m.closeFile(node, fh)
	m.closeFile(node2, fh2)
	if m.big.bytes != 0 || len(m.big.m) != 0 || len(m.big.refs) != 0 {
		t.Errorf("after the last close: got %d bytes, %d payloads, %d handles, want none", m.big.bytes, len(m.big.m), len(m.big.refs))
	}
}

func TestALoadThatFailedIsTriedAgain(t *testing.T) {
	st := &counting{Store: memstore.New(memstore.Options{})}
	m := mountedOn(t, st, Options{})
	s := m.stream("S", strings.Repeat("x", maxStateless+1), "small")
	boom := error(&store.CorruptError{File: "1.blk", Offset: 7, Err: errors.New("checksum mismatch")})
	st.fail.Store(&boom)
	for _, seq := range []store.Seq{1, 2} {
		node, fh := m.openMsg(s, seq)
		if _, st := m.readAt(node, fh, 0, 10); st != fuse.EIO {
			t.Errorf("read of damaged message %d: got %v, want EIO", seq, st)
		}
		st.fail.Store(nil)
		if got, st := m.readAt(node, fh, 0, 3); !st.Ok() || len(got) != 3 {
			t.Errorf("read of message %d after that: got %q, %v", seq, got, st)
		}
		st.fail.Store(&boom)
		m.closeFile(node, fh)
	}
	if got := m.reasons(); len(got) != 2 || !strings.Contains(got[0], "read S/000000000001 EIO damaged: 1.blk at offset 7: checksum mismatch") {
		t.Errorf("errors: got %q, want a line for each that says where", got)
	}
}

// Who has a message open reads it to its end, like any file that is removed meanwhile. What was erased is gone for
// everybody.
func TestReadOfARemovedMessage(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S", "x", strings.Repeat("x", maxStateless+1))
	for _, seq := range []store.Seq{1, 2} {
		node, fh := m.openMsg(s, seq)
		if _, err := s.Remove(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
		if got, st := m.readAt(node, fh, 0, 10); !st.Ok() || !strings.HasPrefix(strings.Repeat("x", 10), got) || len(got) == 0 {
			t.Errorf("message %d: got %q, %v", seq, got, st)
		}
		m.closeFile(node, fh)
		if _, st := m.openAt(node, syscall.O_RDONLY); st != fuse.Status(syscall.ESTALE) {
			t.Errorf("opening message %d: got %v, want ESTALE", seq, st)
		}
	}
	other := m.stream("T", "y")
	node, fh := m.openMsg(other, 1)
	if _, err := other.Erase(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, st := m.readAt(node, fh, 0, 10); st != fuse.Status(syscall.ESTALE) {
		t.Errorf("what was erased: got %v, want ESTALE", st)
	}
	m.closeFile(node, fh)
	if got := m.reasons(); len(got) != 0 {
		t.Errorf("errors: got %q, want none", got)
	}
}

func TestControlFilesAreRead(t *testing.T) {
	m := newMounted(t, Options{Version: "1.2.3"})
	m.stream("S", "one\n", "two")
	if got := m.cat(".jsfs/version"); got != "1.2.3\n" {
		t.Errorf("version: got %q", got)
	}
	if got := m.cat(".jsfs/README"); got != readme {
		t.Errorf("README: got %q, want the text", got)
	}
	if got := m.cat("S/.info"); !strings.Contains(got, `"messages": 2`) || got != m.cat("S/.jsfs/info") {
		t.Errorf("info: got %q, want 2 messages", got)
	}
	for _, path := range []string{".jsfs/version", ".jsfs/README", ".jsfs/errors", "S/.info"} {
		if _, st := m.openAt(m.walk(path).NodeId, syscall.O_WRONLY); st != fuse.EPERM {
			t.Errorf("%s for writing: got %v, want EPERM", path, st)
		}
	}
	if got := strings.Count(m.cat(".jsfs/errors"), "\n"); got != 4 {
		t.Errorf("errors: got %d lines, want 4", got)
	}
}

func TestErrorsCanBeFollowed(t *testing.T) {
	m := newMounted(t, Options{})
	m.stream("S", "x")
	node := m.walk(".jsfs/errors").NodeId
	open, _ := m.openAt(node, syscall.O_RDONLY)
	if got, st := m.readAt(node, open.Fh, 0, 1000); !st.Ok() || got != "" {
		t.Fatalf("got %q, %v, want nothing yet", got, st)
	}
	m.openAt(m.walk("S/1").NodeId, syscall.O_WRONLY)
	got, st := m.readAt(node, open.Fh, 0, 1000)
	if !st.Ok() || !strings.HasSuffix(got, "\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("got %q, %v, want the new line", got, st)
	}
	var attr fuse.AttrOut
	in := &fuse.GetAttrIn{InHeader: header(node), Flags_: fuse.FUSE_GETATTR_FH, Fh_: open.Fh}
	if st := m.GetAttr(nil, in, &attr); !st.Ok() || attr.Size != uint64(len(got)) {
		t.Errorf("size: got %d, %v, want %d", attr.Size, st, len(got))
	}
}

func BenchmarkReadSmall(b *testing.B) {
	m := newMounted(b, Options{})
	s := m.stream("S", strings.Repeat("x", 200))
	node, _ := s.message(1)
	buf := make([]byte, 4096)
	in := &fuse.ReadIn{InHeader: header(node), Size: 4096}
	b.ReportAllocs()
	for b.Loop() {
		if _, st := m.Read(nil, in, buf); !st.Ok() {
			b.Fatal(st)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	m := newMounted(b, Options{})
	s := m.stream("S", "x")
	h := header(s.node)
	var out fuse.EntryOut
	b.ReportAllocs()
	for b.Loop() {
		if st := m.Lookup(nil, &h, "000000000001", &out); !st.Ok() {
			b.Fatal(st)
		}
	}
}
