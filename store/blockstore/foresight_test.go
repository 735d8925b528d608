package blockstore

import (
	"bytes"
	"math"
	"runtime"
	"sync"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// pagedDisk is a disk that is slow for what is not in its cache of pages.
type pagedDisk struct {
	vfs.FS
	mu    sync.Mutex
	pages map[string]map[int64]bool // of files by name; nil takes no notes
	waits int                       // reads that had to wait
	asked int                       // calls of WillNeed
	bytes int                       // that were read
}

type pagedFile struct {
	vfs.File
	d    *pagedDisk
	name string
}

func (d *pagedDisk) Open(name string) (vfs.File, error) {
	f, err := d.FS.Open(name)
	return &pagedFile{f, d, name}, err
}

// drop empties the cache, and forgets what was counted.
func (d *pagedDisk) drop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pages, d.waits, d.asked, d.bytes = map[string]map[int64]bool{}, 0, 0, 0
}

// fetch has pages in the cache, and says whether they were.
func (f *pagedFile) fetch(off, n int64) bool {
	if f.d.pages == nil {
		return true
	}
	have := f.d.pages[f.name]
	if have == nil {
		have = map[int64]bool{}
		f.d.pages[f.name] = have
	}
	all := true
	for p := off / 4096; p <= (off+n-1)/4096; p++ {
		all, have[p] = all && have[p], true
	}
	return all
}

func (f *pagedFile) ReadAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	cached := f.fetch(off, int64(len(p)))
	f.d.bytes += len(p)
	if !cached {
		f.d.waits++
	}
	f.d.mu.Unlock()
	if !cached {
		time.Sleep(8 * coldRead)
	}
	return f.File.ReadAt(p, off)
}

func (f *pagedFile) WillNeed(off, n int64) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.asked++
	f.fetch(off, n)
}

// farApart makes a stream of large messages, each tenth on subject rare, on a slow disk, and opens it.
func farApart(t *testing.T, messages, size int) (*pagedDisk, *Stream) {
	t.Helper()
	d := &pagedDisk{FS: vfs.NewMem()}
	st, s := openBlocks(t, d, 8<<20)
	for i := range messages {
		subject := "x"
		if i%10 == 0 {
			subject = "rare"
		}
		if _, err := s.Append(t.Context(), store.Entry{Subject: subject, Data: bytes.Repeat([]byte{byte(i)}, size)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	st, s = openBlocks(t, d, 8<<20)
	t.Cleanup(func() { _ = st.Close() })
	d.drop()
	return d, s
}

// TestHeadsThatAreFarApartAreFetchedTogether walks over messages that are not in memory, and demands that few of the reads wait for the disk.
func TestHeadsThatAreFarApartAreFetchedTogether(t *testing.T) {
	for _, c := range []struct {
		name           string
		messages, size int
		q              store.Query
		found          int
	}{
		{"large messages", 500, 64 << 10, store.Query{}, 500},
		{"a subject's, large", 1000, 20 << 10, store.Query{Subject: "rare"}, 100},
		{"a subject's, small", 20_000, 1000, store.Query{Subject: "rare"}, 2000},
		{"a range", 500, 64 << 10, store.Query{From: 100, To: 200}, 101},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, s := farApart(t, c.messages, c.size)
			found := 0
			for _, err := range s.Scan(t.Context(), c.q) {
				if err != nil {
					t.Fatal(err)
				}
				found++
			}
			if found != c.found {
				t.Errorf("found %d messages, want %d", found, c.found)
			}
			if limit := c.found/8 + 20; d.waits > limit {
				t.Errorf("%d reads waited for the disk, want at most %d", d.waits, limit)
			}
			if d.asked > c.found {
				t.Errorf("asked for %d heads of %d", d.asked, c.found)
			}
		})
	}
}

// TestLargeMessagesAreReadOnce asks for the size of each message and then for all of it, in order, as programs do. What is next is to be on
// its way then.
func TestLargeMessagesAreReadOnce(t *testing.T) {
	const messages, size = 300, 64 << 10
	d, s := farApart(t, messages, size)
	buf := make([]byte, size+4096)
	for i := range store.Seq(messages) {
		if _, err := s.Stat(t.Context(), i+1); err != nil {
			t.Fatal(err)
		}
		m, err := s.Load(t.Context(), i+1, buf)
		if err != nil || !bytes.Equal(m.Data, bytes.Repeat([]byte{byte(i)}, size)) {
			t.Fatalf("message %d: got %d bytes, %v", i+1, len(m.Data), err)
		}
	}
	if limit := messages * (size + 1024); d.bytes > limit {
		t.Errorf("read %d bytes, want at most %d", d.bytes, limit)
	}
	if limit := messages / 8; d.waits > limit {
		t.Errorf("%d reads waited for the disk, want at most %d", d.waits, limit)
	}
}

// TestWhoHasReadKeepsNoSpace reads messages in order from blocks that are written anew then, while somebody is in the stream: the space of the old ones is
// given back when nobody reads them any more.
func TestWhoHasReadKeepsNoSpace(t *testing.T) {
	for name, read := range map[string]func(t *testing.T, s *Stream){
		"large messages": func(t *testing.T, s *Stream) {
			for seq := store.Seq(1); seq <= 20; seq++ {
				_, err := s.Load(t.Context(), seq, nil)
				fatal(t, err)
			}
			if s.ahead.fetched.Load() == nil {
				t.Fatal("nothing was fetched")
			}
		},
		"a scan": func(t *testing.T, s *Stream) {
			for _, err := range s.Scan(t.Context(), store.Query{}) {
				fatal(t, err)
			}
		},
		"a scan that was left": func(t *testing.T, s *Stream) {
			for m, err := range s.Scan(t.Context(), store.Query{}) {
				if fatal(t, err); m.Seq == 200 {
					break
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, s := farApart(t, 300, 64<<10)
			fatal(t, s.gate.enter())
			defer s.gate.leave()
			read(t, s)
			for seq := store.Seq(1); seq <= 240; seq += 2 {
				_, err := s.Remove(t.Context(), seq)
				fatal(t, err)
			}
			gained, err := s.st.reclaim(t.Context(), effort{asOf: math.MaxInt64, thorough: true})
			fatal(t, err)
			if gained == 0 {
				t.Fatal("no space was given back")
			}
			runtime.GC() // as who makes room does
			for end := time.Now().Add(10 * time.Second); s.st.held.Load() > 0; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d files hold space", s.st.held.Load())
				}
			}
		})
	}
}
