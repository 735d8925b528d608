package blockstore

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// draftStream opens the store in fsys, which gives no space back unasked, and stream S of it, which it makes if it is not there.
func draftStream(t *testing.T, fsys vfs.FS, opt Options) (*Store, *Stream) {
	t.Helper()
	opt.asked = true
	st, err := Open(fsys, opt)
	if err != nil {
		t.Fatal(err)
	}
	s, err := st.Stream(t.Context(), "S")
	if errors.Is(err, store.ErrNotFound) {
		s, err = st.Create(t.Context(), store.Config{Name: "S"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return st, s.(*Stream)
}

// putDraft makes a draft.
func putDraft(t *testing.T, s store.Stream, name string, content []byte) {
	t.Helper()
	d, err := s.CreateDraft(t.Context(), name)
	if err == nil {
		_, err = d.WriteAt(content, 0)
		err = errors.Join(err, d.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// getDraft reads a draft.
func getDraft(t *testing.T, s store.Stream, name string) ([]byte, error) {
	t.Helper()
	d, err := s.OpenDraft(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return whole(d)
}

// TestTrialEachFlippedByteOfADraftIsTold flips each byte of each file of a draft that rests, over a restart: what is read is what was
// written, or damage. The damage does not spread, is found by a check, and is not mended by what writes beside it.
func TestTrialEachFlippedByteOfADraftIsTold(t *testing.T) {
	t.Parallel()
	const dir = "streams/0000000000000001/drafts/"
	mem := vfs.NewMem()
	st, s := draftStream(t, mem, Options{})
	want := bytes.Repeat([]byte("a draft. "), 1100)
	putDraft(t, s, ".d", want)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := mem.List(dir[:len(dir)-1])
	if err != nil || len(files) != 2 || files[0][0] != draftSums {
		t.Fatalf("files are %q, %v", files, err)
	}
	told := 0
	for _, file := range files {
		content, err := readFile(mem, dir+file)
		if err != nil {
			t.Fatal(err)
		}
		for i := range content {
			at := fmt.Sprintf("byte %d of %s", i, file)
			f := mem.Kill()
			flipByte(t, f, dir+file, i)
			st, s := draftStream(t, f, Options{ReadOnly: true})
			got, err := getDraft(t, s, ".d")
			var corrupt *store.CorruptError
			switch {
			case file[0] == draftSums && (err != nil || !bytes.Equal(got, want)):
				t.Fatalf("%s: read %d bytes, %v", at, len(got), err)
			case file[0] == draftPlain && (!errors.As(err, &corrupt) || corrupt.Offset != int64(i&^4095) || !bytes.Equal(got, want[:i&^4095])):
				t.Fatalf("%s: read %d bytes, %v", at, len(got), err)
			case file[0] == draftPlain:
				told++
			}
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			if i%500 == 0 {
				report, err := CheckFS(t.Context(), f, nil)
				if err != nil || file[0] == draftPlain && len(report.Damage) == 0 {
					t.Errorf("%s: a check says %+v, %v", at, report.Damage, err)
				}
				stillTold(t, at, f, want, file[0] == draftPlain)
			}
		}
	}
	if told != len(want) {
		t.Errorf("%d flips of %d were told", told, len(want))
	}
}

// flipByte changes a byte of a file, and not its time.
func flipByte(t *testing.T, f *vfs.Mem, name string, at int) {
	t.Helper()
	file, err := f.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var b [1]byte
	_, err = file.ReadAt(b[:], int64(at))
	if err == nil {
		b[0] ^= 1 << (at % 8)
		err = f.Damage(name, b[:], int64(at))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// stillTold renames the draft, writes behind its end, and opens the store again: what was damaged is so still.
func stillTold(t *testing.T, at string, f *vfs.Mem, want []byte, damaged bool) {
	t.Helper()
	st, s := draftStream(t, f, Options{})
	if err := s.RenameDraft(t.Context(), ".d", ".e"); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	d, err := s.OpenDraft(t.Context(), ".e")
	if err == nil {
		_, err = d.WriteAt(make([]byte, 4096), 12288)
		if errors.As(err, new(*store.CorruptError)) && damaged { // it was in the last piece
			err = nil
		}
		err = errors.Join(err, d.Close())
	}
	if err = errors.Join(err, st.Close()); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	st, s = draftStream(t, f, Options{})
	got, err := getDraft(t, s, ".e")
	if damaged != errors.As(err, new(*store.CorruptError)) || !bytes.Equal(got[:min(len(got), len(want))], want[:min(len(got), len(want))]) {
		t.Errorf("%s: after a rename and a write: read %d bytes, %v", at, len(got), err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

// oneTime gives all files the same time: sums are not told from others by that.
type oneTime struct{ vfs.FS }

type oneTimeFile struct{ vfs.File }

func (oneTimeFile) ModTime() (int64, error) { return 1, nil }

func (f oneTime) Create(name string) (vfs.File, error) {
	file, err := f.FS.Create(name)
	return oneTimeFile{file}, err
}

func (f oneTime) Open(name string) (vfs.File, error) {
	file, err := f.FS.Open(name)
	return oneTimeFile{file}, err
}

// TestTrialNoCrashMakesDamageOfADraft writes, renames, removes and publishes drafts, with their sums on disk or not, and cuts the power
// before each change: whatever is left of a draft is not taken for damaged.
func TestTrialNoCrashMakesDamageOfADraft(t *testing.T) {
	t.Parallel()
	stops, seeds := 0, uint64(12)
	if os.Getenv("JSFS_TRIALS") == "release" {
		seeds = 600
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // faults are no secrets
		opt := Options{Sync: Sync(seed % 3)}
		mem := vfs.NewMem()
		var mu sync.Mutex // guards what the hook uses, as a sync in the background changes files, too
		var op atomic.Value
		cut := rand.New(rand.NewPCG(seed, 8)) //nolint:gosec // faults are no secrets
		mem.Hook = func(change string) {
			if op.Load() == nil || !strings.Contains(change, "/drafts") {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			stops++
			noDamage(t, oneTime{mem.Crash(cut, cut.IntN(3)*50)}, fmt.Sprintf("seed %d: %s: power lost before %s", seed, op.Load(), change))
		}
		st, s := draftStream(t, oneTime{mem}, opt)
		op.Store("open")
		for range 150 {
			name, other := fmt.Sprintf(".d%d", rng.IntN(3)), fmt.Sprintf(".d%d", rng.IntN(3))
			switch p := rng.IntN(20); {
			case p < 8:
				op.Store("write")
				changeDraft(t, rng, s, name)
			case p < 10:
				op.Store("rename")
				ignoreMissing(t, s.RenameDraft(t.Context(), name, other))
			case p < 11:
				op.Store("remove")
				ignoreMissing(t, s.RemoveDraft(t.Context(), name))
			case p < 13:
				op.Store("publish")
				_, err := s.PublishDraft(t.Context(), name, store.Entry{Subject: "x", Data: []byte("y")})
				ignoreMissing(t, err)
			case p < 19:
				op.Store("keep")
				if err := s.keepSums(0, time.Time{}); err != nil {
					t.Fatal(err)
				}
			default:
				op.Store("reopen")
				if err := st.Close(); err != nil {
					t.Fatal(err)
				}
				st, s = draftStream(t, oneTime{mem}, opt)
			}
			if t.Failed() {
				return
			}
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d losses of power", stops)
}

// A draft that was removed can come back by a loss of power until its directory is synced: not beside the sums of another one that has its name.
func TestSumsAreNotBesideADraftThatHadTheName(t *testing.T) {
	mem := vfs.NewMem()
	st, s := draftStream(t, oneTime{mem}, Options{Sync: SyncNever})
	putDraft(t, s, ".e", nil)
	err := s.keepSums(0, time.Time{}) // from here on all names are synced
	putDraft(t, s, ".d", []byte("the old one"))
	if err = errors.Join(err, mem.SyncDir(s.draftDir())); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveDraft(t.Context(), ".d"); err != nil {
		t.Fatal(err)
	}
	putDraft(t, s, ".d", []byte("the new one"))
	renames := 0
	mem.Hook = func(change string) {
		if !strings.HasPrefix(change, "rename ") || !strings.Contains(change, "/"+sumsFile("d.d")) {
			return
		}
		renames++
		after := mem.Crash(rand.New(rand.NewPCG(1, 1)), 0) //nolint:gosec // faults are no secrets
		if got, err := readFile(after, s.draftDir()+"/d.d"); err == nil && string(got) != "the new one" {
			t.Errorf("power lost before %s: the old draft is there again, with %q", change, got)
		}
	}
	if err := s.keepSums(0, time.Time{}); err != nil {
		t.Fatal(err)
	}
	mem.Hook = nil
	if renames != 1 {
		t.Errorf("%d files of sums got their names, want 1", renames)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

func ignoreMissing(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
}

// changeDraft writes or cuts a draft, which it makes if it is not there, and perhaps syncs it.
func changeDraft(t *testing.T, rng *rand.Rand, s *Stream, name string) {
	t.Helper()
	d, err := s.OpenDraft(t.Context(), name)
	if errors.Is(err, store.ErrNotFound) {
		d, err = s.CreateDraft(t.Context(), name)
	}
	if err != nil {
		t.Fatal(err)
	}
	if rng.IntN(4) == 0 {
		err = d.Truncate(int64(rng.IntN(9000)))
	} else {
		b := make([]byte, 1+rng.IntN(9000))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		_, err = d.WriteAt(b, int64(rng.IntN(9000)))
	}
	if err == nil && rng.IntN(2) == 0 {
		err = d.Sync()
	}
	if err = errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
}

// noDamage demands that all drafts can be read.
func noDamage(t *testing.T, fsys vfs.FS, at string) {
	t.Helper()
	st, s := draftStream(t, fsys, Options{ReadOnly: true})
	defer st.Close()
	list, err := s.ListDrafts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		if _, err := getDraft(t, s, d.Name); err != nil {
			t.Errorf("%s: draft %s: %v", at, d.Name, err)
		}
	}
}

// TestADraftWithoutSumsGetsThem: one of before there were any, or that a crash left without, is read, and has them from the next stop on.
func TestADraftWithoutSumsGetsThem(t *testing.T) {
	const dir = "streams/0000000000000001/drafts/"
	mem := vfs.NewMem()
	st, _ := draftStream(t, mem, Options{})
	if err := errors.Join(st.Close(), writeNewFile(mem, dir+"d.old", []byte("old"))); err != nil {
		t.Fatal(err)
	}
	st, s := draftStream(t, mem, Options{})
	if got, err := getDraft(t, s, ".old"); err != nil || string(got) != "old" {
		t.Errorf("read %q, %v", got, err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	flipByte(t, mem, dir+"d.old", 1)
	st, s = draftStream(t, mem, Options{})
	if got, err := getDraft(t, s, ".old"); !errors.As(err, new(*store.CorruptError)) {
		t.Errorf("a flipped byte: read %q, %v", got, err)
	}
	// One that another version, which knows of no sums, has written since.
	if err := errors.Join(st.Close(), mem.Remove(dir+"d.old"), writeNewFile(mem, dir+"d.old", []byte("OLD"))); err != nil {
		t.Fatal(err)
	}
	st, s = draftStream(t, mem, Options{})
	if got, err := getDraft(t, s, ".old"); err != nil || string(got) != "OLD" {
		t.Errorf("read %q, %v", got, err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	flipByte(t, mem, dir+"d.old", 1)
	st, s = draftStream(t, mem, Options{})
	defer st.Close()
	if got, err := getDraft(t, s, ".old"); !errors.As(err, new(*store.CorruptError)) {
		t.Errorf("a flipped byte of the one that was read without: read %q, %v", got, err)
	}
}

// TestDraftsThatRestHaveSums: the timer's work, and that a draft which was changed since is not taken for damaged after a kill.
func TestDraftsThatRestHaveSums(t *testing.T) {
	mem := vfs.NewMem()
	st, s := draftStream(t, mem, Options{})
	defer st.Close()
	putDraft(t, s, ".d", []byte("one"))
	if err := s.keepSums(draftRest, time.Time{}); err != nil || len(s.sumFiles) > 0 {
		t.Errorf("one that was changed just now: %v, %v", s.sumFiles, err)
	}
	if err := s.keepSums(0, time.Time{}); err != nil || len(s.sumFiles) != 1 || len(s.plainDrafts) > 0 {
		t.Errorf("got %v, %v in memory, %v", s.sumFiles, s.plainDrafts, err)
	}
	d, err := s.OpenDraft(t.Context(), ".d")
	if err == nil {
		_, err = d.WriteAt([]byte("two"), 0)
	}
	if err != nil || len(s.sumFiles) > 0 {
		t.Errorf("after a write: %v, %v", s.sumFiles, err)
	}
	noDamage(t, mem.Kill(), "killed")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
