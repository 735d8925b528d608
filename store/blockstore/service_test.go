package blockstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

func TestStartRefusesABadConfigurationAndMakesNothing(t *testing.T) {
	for what, opt := range map[string]blockstore.Options{
		"block size": {BlockSize: 100}, "sync interval": {Interval: time.Hour}, "sync policy": {Sync: 7}, "cipher": {Cipher: 1}, "cache": {CacheBytes: -1},
	} {
		mem := vfs.NewMem()
		s, err := blockstore.Open(mem, opt)
		if err == nil {
			_ = s.Close()
		}
		names, lerr := mem.List(".")
		if !errors.Is(err, store.ErrInvalid) || !strings.HasPrefix(err.Error(), what) || len(names) > 0 || lerr != nil {
			t.Errorf("%s: got %v, and files %v", what, err, names)
		}
	}
}

func TestStartMakesNestedDirectories(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "c")
	for range 2 { // the second time they are there
		s, err := blockstore.OpenDir(dir, blockstore.Options{})
		must(t, err)
		must(t, s.Close())
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v, want a directory with mode 0700", info, err)
	}
}

func TestStartAndStopTwiceAreHarmless(t *testing.T) {
	mem := vfs.NewMem()
	opt := trialOptions(blockstore.SyncNever)
	s, err := blockstore.Open(mem, opt)
	must(t, err)
	st, err := s.Create(bg, store.Config{Name: "S"})
	must(t, err)
	_, err = st.Append(bg, store.Entry{Subject: "x"})
	must(t, err)
	changes := 0
	mem.Hook = func(string) { changes++ }
	if _, err := blockstore.Open(mem, opt); !errors.Is(err, store.ErrLocked) || changes > 0 {
		t.Errorf("a second start: got %v, and %d changes; want ErrLocked and none", err, changes)
	}
	mem.Hook = nil
	if _, err := st.Append(bg, store.Entry{Subject: "x"}); err != nil {
		t.Errorf("after a second start: %v", err)
	}
	must(t, s.Close())
	must(t, s.Close())
	_, err = s.Streams(bg)
	_, aerr := st.Append(bg, store.Entry{Subject: "x"})
	if !errors.Is(err, store.ErrClosed) || !errors.Is(aerr, store.ErrClosed) {
		t.Errorf("after the stop: got %v and %v, want ErrClosed", err, aerr)
	}
}

func TestStopMakesEverythingDurable(t *testing.T) {
	for _, policy := range policies {
		mem := vfs.NewMem()
		s, err := blockstore.Open(mem, trialOptions(policy))
		must(t, err)
		for _, name := range []string{"S", "T"} {
			st, err := s.Create(bg, store.Config{Name: name})
			must(t, err)
			for i := range 100 {
				_, err := st.Append(bg, entry(seeded(i), i, 100))
				must(t, err)
			}
			_, err = st.Remove(bg, 50)
			must(t, err)
		}
		must(t, s.Close())
		s, err = blockstore.Open(mem.Crash(seeded(1), 0), trialOptions(policy))
		must(t, err)
		for _, name := range []string{"S", "T"} {
			st, err := s.Stream(bg, name)
			must(t, err)
			if state, err := st.State(bg); err != nil || state.Live.Messages != 99 || state.Last != 100 || state.Lost != 0 {
				t.Errorf("%v, stream %s: got %+v, %v", policy, name, state, err)
			}
			if _, err := st.Load(bg, 50, nil); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%v, stream %s: the removed message: %v", policy, name, err)
			}
		}
		must(t, s.Close())
	}
}

// meeting is a file system in which the first who opens a block waits until a block of another stream is opened.
type meeting struct {
	vfs.FS
	mu   sync.Mutex
	dirs map[string]bool // of streams whose blocks were opened
	met  chan struct{}   // closed when there are two
	late bool
}

func (m *meeting) Open(name string) (vfs.File, error) {
	if strings.HasSuffix(name, ".blk") {
		m.mu.Lock()
		m.dirs[filepath.Dir(name)] = true
		if len(m.dirs) == 2 {
			close(m.met)
		}
		m.mu.Unlock()
		select {
		case <-m.met:
		case <-time.After(20 * time.Second):
			m.mu.Lock()
			m.late = true
			m.mu.Unlock()
		}
	}
	return m.FS.Open(name)
}

func TestStreamsAreRecoveredSideBySide(t *testing.T) {
	mem := vfs.NewMem()
	s, err := blockstore.Open(mem, trialOptions(blockstore.SyncNever))
	must(t, err)
	for i := range 2 {
		st, err := s.Create(bg, store.Config{Name: fmt.Sprintf("S%d", i)})
		must(t, err)
		_, err = st.Append(bg, store.Entry{Subject: "x"})
		must(t, err)
	}
	killed := mem.Kill()
	must(t, s.Close())
	m := &meeting{FS: killed, dirs: map[string]bool{}, met: make(chan struct{})}
	s, err = blockstore.Open(m, trialOptions(blockstore.SyncNever))
	must(t, err)
	must(t, s.Close())
	if m.late || len(m.dirs) != 2 {
		t.Errorf("a stream was recovered when the other one was done; blocks of %v were opened", m.dirs)
	}
}

func TestOneDamagedStreamKeepsNothingElseFromOpening(t *testing.T) {
	const dir = "streams/0000000000000002"
	for what, damage := range map[string]func(f *vfs.Mem){
		"all its files are gone": func(f *vfs.Mem) {
			for name := range files(t, f, dir) {
				must(t, f.Remove(name))
			}
		},
		"all its files are noise": func(f *vfs.Mem) {
			for name, content := range files(t, f, dir) {
				put(t, f, name, string(noise(seeded(1), len(content))))
			}
		},
		"all its files are empty": func(f *vfs.Mem) {
			for name := range files(t, f, dir) {
				put(t, f, name, "")
			}
		},
		"it is a file": func(f *vfs.Mem) {
			must(t, f.Rename(dir, "elsewhere"))
			put(t, f, dir, "a file")
		},
	} {
		for seed, v := range variants {
			mem := vfs.NewMem()
			s, err := openTrial(mem, v.of(trialOptions(blockstore.SyncNever)))
			must(t, err)
			for i := range 3 {
				st, err := s.Create(bg, store.Config{Name: fmt.Sprintf("S%d", i+1)})
				must(t, err)
				for i := range 60 {
					_, err := st.Append(bg, entry(seeded(seed), i, 200))
					must(t, err)
				}
			}
			must(t, s.Close())
			damage(mem)
			for _, readOnly := range []bool{true, false} {
				opt := trialOptions(blockstore.SyncNever)
				opt.ReadOnly = readOnly
				s, err := openTrial(mem, opt)
				if err != nil {
					t.Fatalf("%s, %s: %v", v.name, what, err)
				}
				for _, name := range []string{"S1", "S3"} {
					st, err := s.Stream(bg, name)
					must(t, err)
					if state, err := st.State(bg); err != nil || state.Live.Messages != 60 {
						t.Errorf("%s, %s: stream %s: got %+v, %v", v.name, what, name, state, err)
					}
				}
				must(t, s.Close())
			}
		}
	}
}
