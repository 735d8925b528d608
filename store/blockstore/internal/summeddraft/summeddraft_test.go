package summeddraft

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// disk is a draft, its file, and what is on disk of its sums.
type disk struct {
	mem  *vfs.Mem
	kept []byte
}

func (k *disk) open(t *testing.T) *Draft {
	t.Helper()
	f, err := k.mem.Open("f")
	if err != nil {
		t.Fatal(err)
	}
	return Find("f", func() ([]byte, error) { return k.kept, nil }).Draft(f)
}

// keep puts the sums of d on disk.
func (k *disk) keep(t *testing.T, d *Draft) {
	t.Helper()
	b, put, err := d.Keep(d.f)
	if err == nil {
		err = put(func() error { k.kept = b; return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
}

func newDisk(t *testing.T) (*disk, *Draft) {
	t.Helper()
	k := &disk{mem: vfs.NewMem()}
	f, err := k.mem.Create("f")
	if err != nil {
		t.Fatal(err)
	}
	return k, New("f").Draft(f)
}

// read reads a draft, and demands that what stands before damage is what was written.
func read(t *testing.T, d *Draft, want []byte) error {
	t.Helper()
	size, err := d.Size()
	if err != nil || size != int64(len(want)) {
		t.Fatalf("size is %d, %v, want %d", size, err, len(want))
	}
	got := make([]byte, size+10)
	n, err := d.ReadAt(got, 0)
	if !bytes.Equal(got[:n], want[:n]) {
		t.Fatalf("wrong bytes among the first %d of %d", n, size)
	}
	if n == len(want) && errors.Is(err, io.EOF) {
		err = nil
	}
	return err
}

// TestADraftIsWhatAFileWouldBe makes random changes to a draft and to plain bytes. Sometimes its sums are put on disk, and taken from
// there by the next change; sometimes they are lost with the process, or that takes them from the disk.
func TestADraftIsWhatAFileWouldBe(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // faults are no secrets
		k, d := newDisk(t)
		var model []byte
		change := func(do func() error) {
			err := do()
			if errors.Is(err, ErrKept) {
				k.kept = nil
				d.Taken()
				err = do()
			}
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		for range 150 {
			switch p := rng.IntN(20); {
			case p < 12:
				off, b := rng.IntN(len(model)+1+rng.IntN(2)*10_000), make([]byte, 1+rng.IntN(1<<rng.IntN(15)))
				if rng.IntN(2) == 0 {
					off -= off % PieceSize
				}
				for i := range b {
					b[i] = byte(rng.Uint32())
				}
				change(func() error { _, err := d.WriteAt(b, int64(off)); return err })
				model = append(model, make([]byte, max(0, off+len(b)-len(model)))...)
				copy(model[off:], b)
			case p < 15:
				size := rng.IntN(len(model) + 5000)
				if rng.IntN(2) == 0 {
					size -= size % PieceSize
				}
				change(func() error { return d.Truncate(int64(size)) })
				model = append(model, make([]byte, max(0, size-len(model)))...)[:size]
			case p < 17:
				k.keep(t, d)
			case p < 18:
				d = k.open(t)
			}
			if err := read(t, d, model); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			off, n := rng.IntN(len(model)+10), rng.IntN(9000)
			got := make([]byte, n)
			m, err := d.ReadAt(got, int64(off))
			want := model[min(off, len(model)):min(off+n, len(model))]
			if !bytes.Equal(got[:m], want) || (m < n) != errors.Is(err, io.EOF) {
				t.Fatalf("seed %d: %d bytes at %d: got %d, %v", seed, n, off, m, err)
			}
		}
	}
}

// TestEachFlippedByteIsTold flips each byte of a draft's file, in turn, while the sums are in memory and when they are taken from disk,
// and cuts the file.
func TestEachFlippedByteIsTold(t *testing.T) {
	k, d := newDisk(t)
	want := bytes.Repeat([]byte("a draft. "), 1500)
	if _, err := d.WriteAt(want, 0); err != nil {
		t.Fatal(err)
	}
	k.keep(t, d)
	mtime, err := d.f.ModTime()
	if err != nil {
		t.Fatal(err)
	}
	var corrupt *store.CorruptError
	damaged := func(what string, at int, bad []byte) {
		t.Helper()
		for _, d := range []*Draft{d.Draft(fixed(t, bad, mtime)), Find("f", func() ([]byte, error) { return k.kept, nil }).Draft(fixed(t, bad, mtime))} {
			err := read(t, d, want)
			if !errors.As(err, &corrupt) || corrupt.Offset != int64(at/PieceSize*PieceSize) {
				t.Fatalf("%s %d: got %v", what, at, err)
			}
			n, err := d.ReadAt(make([]byte, 10), int64(at))
			if n != 0 || !errors.As(err, &corrupt) {
				t.Fatalf("%s %d: read there: %d, %v", what, at, n, err)
			}
		}
	}
	for i := range want {
		bad := bytes.Clone(want)
		bad[i] ^= 1 << (i % 8)
		damaged("byte", i, bad)
	}
	for n := 0; n < len(want); n += 97 {
		damaged("cut to", n, want[:n])
	}
	d2 := Find("f", func() ([]byte, error) { return k.kept, nil }).Draft(fixed(t, want[1:], mtime+1))
	if err := read(t, d2, want[1:]); err != nil {
		t.Errorf("a file that was changed since without sums: %v", err)
	}
}

// fixed returns a file with these bytes and that time.
func fixed(t *testing.T, b []byte, mtime int64) vfs.File {
	t.Helper()
	f, err := vfs.NewMem().Create("f")
	if err == nil && len(b) > 0 {
		_, err = f.WriteAt(b, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return timed{f, mtime}
}

type timed struct {
	vfs.File
	mtime int64
}

func (f timed) ModTime() (int64, error) { return f.mtime, nil }

// TestDamageIsNotWrittenOver: what would make a good sum of a damaged piece is refused; a write of the whole piece mends it.
func TestDamageIsNotWrittenOver(t *testing.T) {
	k, d := newDisk(t)
	want := bytes.Repeat([]byte{7}, 3*PieceSize-100)
	if _, err := d.WriteAt(want, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := d.f.WriteAt([]byte{8}, PieceSize+5); err != nil { // behind its back
		t.Fatal(err)
	}
	var corrupt *store.CorruptError
	if _, err := d.WriteAt([]byte("x"), PieceSize); !errors.As(err, &corrupt) {
		t.Errorf("a write of a part: %v", err)
	}
	if err := d.Truncate(PieceSize + 50); !errors.As(err, &corrupt) {
		t.Errorf("a truncation inside: %v", err)
	}
	if err := read(t, d, want); !errors.As(err, &corrupt) {
		t.Errorf("a read after those: %v", err)
	}
	k.keep(t, d)
	if err := read(t, k.open(t), want); !errors.As(err, &corrupt) {
		t.Errorf("a read after the sums were put on disk: %v", err)
	}
	d.Taken()
	if _, err := d.WriteAt(want[:PieceSize], PieceSize); err != nil {
		t.Fatal(err)
	}
	if err := read(t, d, want); err != nil {
		t.Errorf("after a write of the whole piece: %v", err)
	}
}

// TestAFailedWriteLeavesWhatThereIs: of the pieces that it was for nobody knows what they have, and they are read.
func TestAFailedWriteLeavesWhatThereIs(t *testing.T) {
	mem := vfs.NewMem()
	f := vfs.NewFail(mem)
	file, err := f.Create("f")
	if err != nil {
		t.Fatal(err)
	}
	d := New("f").Draft(file)
	want := bytes.Repeat([]byte{7}, 5*PieceSize-100)
	if _, err := d.WriteAt(want, 0); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{
		"write":        func() error { _, err := d.WriteAt([]byte("xyz"), PieceSize+5); return err },
		"write behind": func() error { _, err := d.WriteAt([]byte("xyz"), 9*PieceSize); return err },
		"truncate":     func() error { return d.Truncate(PieceSize + 5) },
		"grow":         func() error { return d.Truncate(8*PieceSize + 5) },
	} {
		f.Set(vfs.Fault{At: 1, Err: syscall.EIO, Match: func(call, _ string) bool { return call == "write" || call == "truncate" }})
		if err := do(); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: got %v", name, err)
		}
		f.Set(vfs.Fault{})
		got := make([]byte, len(want))
		if n, err := d.ReadAt(got, 0); n != len(got) || !bytes.Equal(got, want) {
			t.Errorf("%s: read %d, %v", name, n, err)
		}
	}
	// A piece that none of these was for still has its sum.
	if _, err := d.f.WriteAt([]byte{8}, 3*PieceSize+5); err != nil {
		t.Fatal(err)
	}
	if n, err := d.ReadAt(make([]byte, len(want)), 0); n != 3*PieceSize || !errors.As(err, new(*store.CorruptError)) {
		t.Errorf("damage behind them: read %d, %v", n, err)
	}
}

// TestSumsOfADraftThatIsChangedMeanwhileAreNotPut: what is written while sums are put on disk is not damage afterwards.
func TestSumsOfADraftThatIsChangedMeanwhileAreNotPut(t *testing.T) {
	_, d := newDisk(t)
	if _, err := d.WriteAt([]byte("one"), 0); err != nil {
		t.Fatal(err)
	}
	_, put, err := d.Keep(d.f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.WriteAt([]byte("two"), 0); err != nil {
		t.Fatal(err)
	}
	if err := put(func() error { t.Error("they are put"); return nil }); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v", err)
	}
}

// TestACopyIsDamagedWhereItsOriginIs copies drafts that were flipped or cut, with the sums in memory, and on disk. Of zeros that were cut off
// the copy has no zeros, though their sums would be right.
func TestACopyIsDamagedWhereItsOriginIs(t *testing.T) {
	text := bytes.Repeat([]byte("a draft. "), 20_000)
	t.Run("text", func(t *testing.T) { testDamagedCopies(t, text) })
	t.Run("zeros", func(t *testing.T) { testDamagedCopies(t, append(bytes.Clone(text[:60_000]), make([]byte, 120_000)...)) })
}

func testDamagedCopies(t *testing.T, want []byte) {
	t.Helper()
	k, d := newDisk(t)
	if _, err := d.WriteAt(want, 0); err != nil {
		t.Fatal(err)
	}
	k.keep(t, d)
	mtime, err := d.f.ModTime()
	if err != nil {
		t.Fatal(err)
	}
	flipped := func(at int) []byte {
		b := bytes.Clone(want)
		b[at] ^= 1
		return b
	}
	for what, bad := range map[string][]byte{
		"whole": want, "the first byte": flipped(0), "one in the middle": flipped(100_000), "the last one": flipped(len(want) - 1),
		"cut": want[:70_000], "cut between pieces": want[:16*PieceSize], "empty": nil,
	} {
		from := Find("f", func() ([]byte, error) { return k.kept, nil }).Draft(fixed(t, bad, mtime))
		to, copied := newDisk(t)
		damaged, err := from.CopyTo(copied)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			at := 0
			for i := 0; i < len(want); i += PieceSize {
				got := make([]byte, min(PieceSize, len(want)-i))
				n, err := copied.ReadAt(got, int64(i))
				isBad := at < len(damaged) && damaged[at] == int64(i)
				if isBad {
					at++
				}
				if has := i+len(got) <= len(bad) && bytes.Equal(bad[i:i+len(got)], want[i:i+len(got)]); has == isBad || has != (err == nil) || !bytes.Equal(got[:n], want[i:i+n]) {
					t.Fatalf("%s: piece at %d: %d bytes, %v; damaged are %v", what, i, n, err, damaged)
				}
			}
			if size, err := copied.Size(); err != nil || size != int64(len(want)) || at != len(damaged) {
				t.Errorf("%s: %d bytes, %v", what, size, err)
			}
			to.keep(t, copied)
			copied = to.open(t)
		}
	}
}
