package blockstore

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore/internal/sealeddraft"
	"jsfs/store/internal/vfs"
)

// sealedStream returns a stream of an encrypted store, and how to open the store again.
func sealedStream(t *testing.T, mem *vfs.Mem) store.Stream {
	t.Helper()
	st, err := Open(mem, Options{Secret: testSecret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	s, err := st.Stream(t.Context(), "S")
	if errors.Is(err, store.ErrNotFound) {
		s, err = st.Create(t.Context(), store.Config{Name: "S"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// whole reads a draft.
func whole(d store.Draft) ([]byte, error) {
	size, err := d.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if n, err := d.ReadAt(b, 0); n < len(b) {
		return b[:n], err
	}
	return b, nil
}

// TestASealedDraftIsWhatAFileWouldBe makes random changes to a sealed draft and to plain bytes, closes and reopens, and
// cuts the power: what was synced is there then, in each frame it or something newer.
func TestASealedDraftIsWhatAFileWouldBe(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // faults are no secrets
		mem := vfs.NewMem()
		d, err := sealedStream(t, mem).CreateDraft(t.Context(), ".d")
		if err != nil {
			t.Fatal(err)
		}
		var model []byte
		for step := range 120 {
			switch p := rng.IntN(20); {
			case p < 12:
				off, b := rng.IntN(len(model)+1+rng.IntN(2)*6000), make([]byte, 1+rng.IntN(1<<rng.IntN(15)))
				for i := range b {
					b[i] = byte(rng.Uint32())
				}
				if n, err := d.WriteAt(b, int64(off)); n != len(b) || err != nil {
					t.Fatal(n, err)
				}
				model = append(model, make([]byte, max(0, off+len(b)-len(model)))...)
				copy(model[off:], b)
			case p < 14:
				size := rng.IntN(len(model) + 5000)
				if err := d.Truncate(int64(size)); err != nil {
					t.Fatal(err)
				}
				model = append(model, make([]byte, max(0, size-len(model)))...)[:size]
			case p < 16:
				if err := d.Sync(); err != nil {
					t.Fatal(err)
				}
				crashed := mem.Crash(rng, rng.IntN(101))
				again, err := sealedStream(t, crashed).OpenDraft(t.Context(), ".d")
				if err != nil {
					t.Fatal(err)
				}
				if got, err := whole(again); err != nil || !bytes.Equal(got, model) {
					t.Fatalf("seed %d, step %d: power lost after a sync: got %d bytes, %v, want %d", seed, step, len(got), err, len(model))
				}
			case p < 17:
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				mem = mem.Kill()
				if d, err = sealedStream(t, mem).OpenDraft(t.Context(), ".d"); err != nil {
					t.Fatal(err)
				}
			}
			off, n := rng.IntN(len(model)+10), rng.IntN(9000)
			got := make([]byte, n)
			k, err := d.ReadAt(got, int64(off))
			want := model[min(off, len(model)):min(off+n, len(model))]
			if !bytes.Equal(got[:k], want) || (k < n) != errors.Is(err, io.EOF) {
				t.Fatalf("seed %d, step %d: %d bytes at %d: got %d, %v", seed, step, n, off, k, err)
			}
		}
	}
}

// TestWhatWasSyncedOfADraftSurvivesWritesThatDidNot: the power goes while a frame is being replaced.
func TestWhatWasSyncedOfADraftSurvivesWritesThatDidNot(t *testing.T) {
	mem, rng := vfs.NewMem(), rand.New(rand.NewPCG(1, 1)) //nolint:gosec // faults are no secrets
	d, err := sealedStream(t, mem).CreateDraft(t.Context(), ".d")
	if err != nil {
		t.Fatal(err)
	}
	synced := bytes.Repeat([]byte("synced "), 1500)
	_, err = d.WriteAt(synced, 0)
	if err = errors.Join(err, d.Sync()); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if _, err := d.WriteAt([]byte("later"), int64(len(synced)+rng.IntN(100))); err != nil {
			t.Fatal(err)
		}
		again, err := sealedStream(t, mem.Crash(rng, 50)).OpenDraft(t.Context(), ".d")
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(synced))
		if n, err := again.ReadAt(got, 0); n != len(got) || !bytes.Equal(got, synced) {
			t.Fatalf("got %d bytes, %v", n, err)
		}
	}
}

func TestNoTamperedDraftIsAccepted(t *testing.T) {
	mem := vfs.NewMem()
	s := sealedStream(t, mem)
	content := map[string][]byte{".a": bytes.Repeat([]byte("draft a"), 2000), ".b": bytes.Repeat([]byte("draft b"), 2000)}
	for name, b := range content {
		d, err := s.CreateDraft(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.WriteAt(b, 0)
		if err = errors.Join(err, d.Sync(), d.Close()); err != nil {
			t.Fatal(err)
		}
	}
	names, err := mem.List("streams/0000000000000001/drafts")
	if err != nil || len(names) != 2 {
		t.Fatalf("got %q, %v", names, err)
	}
	pages := func(name string) []byte {
		b, err := readFile(mem, "streams/0000000000000001/drafts/"+name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	a, b := pages(names[0]), pages(names[1])
	if bytes.Contains(a, []byte("draft")) || len(a) < 3*2*sealeddraft.SlotSize {
		t.Fatalf("%d bytes, or in the clear", len(a))
	}
	accepted := func(how string, file []byte) {
		t.Helper()
		f := mem.Kill()
		full := "streams/0000000000000001/drafts/" + names[0]
		if err := errors.Join(f.Remove(full), writeNewFile(f, full, file)); err != nil {
			t.Fatal(err)
		}
		d, err := sealedStream(t, f).OpenDraft(t.Context(), map[bool]string{true: ".a", false: ".b"}[nameIs(t, mem, names[0], ".a")])
		if err != nil {
			t.Fatal(err)
		}
		got, err := whole(d)
		if err == nil || !errors.As(err, new(*store.CorruptError)) {
			t.Errorf("%s: got %d bytes, %v, want damage", how, len(got), err)
		}
	}
	for i := 0; i < sealeddraft.SlotSize; i += 7 {
		bad := bytes.Clone(a)
		bad[2*sealeddraft.SlotSize+i] ^= 1
		accepted("a flipped bit", bad)
	}
	frame := func(b []byte, i int) []byte { return b[2*sealeddraft.SlotSize*i:][:2*sealeddraft.SlotSize] }
	swapped := bytes.Clone(a)
	copy(frame(swapped, 0), frame(a, 1))
	copy(frame(swapped, 1), frame(a, 0))
	accepted("two frames exchanged", swapped)
	foreign := bytes.Clone(a)
	copy(frame(foreign, 1), frame(b, 1))
	accepted("another draft's frame", foreign)
	hole := bytes.Clone(a)
	clear(frame(hole, 1))
	accepted("a frame of zeros", hole)
}

// nameIs says whether a file is the draft of that name.
func nameIs(t *testing.T, mem *vfs.Mem, file, name string) bool {
	t.Helper()
	s, ok := sealedStream(t, mem.Kill()).(*Stream)
	if !ok {
		t.Fatal("not a stream of this package")
	}
	want, _ := s.draftFiles(name)
	return file == want
}

func TestOpeningsOfASealedDraftShareIt(t *testing.T) {
	s := sealedStream(t, vfs.NewMem())
	one, err := s.CreateDraft(t.Context(), ".x")
	if err != nil {
		t.Fatal(err)
	}
	two, err := s.OpenDraft(t.Context(), ".x")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		d := []store.Draft{one, two}[i%2]
		if _, err := d.WriteAt([]byte{byte(i)}, int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.RenameDraft(t.Context(), ".x", ".y"), one.Close()); err != nil {
		t.Fatal(err)
	}
	three, err := s.OpenDraft(t.Context(), ".y")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := two.WriteAt([]byte("end"), 100); err != nil {
		t.Fatal(err)
	}
	got, err := whole(three)
	if err != nil || len(got) != 103 || got[50] != 50 || string(got[100:]) != "end" {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if err := s.RemoveDraft(t.Context(), ".y"); err != nil {
		t.Fatal(err)
	}
	if got, err := whole(two); err != nil || len(got) != 103 {
		t.Errorf("after it was removed: got %d bytes, %v", len(got), err)
	}
	if err := errors.Join(two.Close(), three.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.OpenDraft(t.Context(), ".y"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}
