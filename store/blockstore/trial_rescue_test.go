package blockstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
	"jsfs/store/keys"
	"jsfs/store/transfer"
)

// TestTrialRescue copies damaged stores out (P20): everything that can be read is there, what is lost is named,
// the original is unchanged, and nothing is wrong with the new store.
func TestTrialRescue(t *testing.T) {
	t.Parallel()
	rng := seeded(20)
	page := func(t *testing.T, sp *specimen, f vfs.FS, content func(n int64) []byte) string {
		name := sp.blocks[rng.IntN(len(sp.blocks))]
		off := rng.Int64N((sp.size[name]+4095)/4096) * 4096
		n := min(4096, sp.size[name]-off)
		overwrite(t, f, name, off, content(n))
		return fmt.Sprintf("%s at %d", name, off)
	}
	kinds := []struct {
		name   string
		rounds int
		damage func(t *testing.T, sp *specimen, f vfs.FS) string
	}{
		{"a flipped bit", rounds(2000, 20_000), func(t *testing.T, sp *specimen, f vfs.FS) string {
			name, off := sp.aim(rng)
			flip(t, f, name, off, rng.IntN(8))
			return fmt.Sprintf("%s at %d", name, off)
		}},
		{"a page of zeros", rounds(400, 4000), func(t *testing.T, sp *specimen, f vfs.FS) string {
			return page(t, sp, f, func(n int64) []byte { return make([]byte, n) })
		}},
		{"a page of noise", rounds(400, 4000), func(t *testing.T, sp *specimen, f vfs.FS) string {
			return page(t, sp, f, func(n int64) []byte { return noise(rng, int(n)) })
		}},
		{"a block that is cut", rounds(200, 1000), func(t *testing.T, sp *specimen, f vfs.FS) string {
			name := sp.blocks[rng.IntN(len(sp.blocks))]
			put(t, f, name, readAll(t, f, name)[:rng.Int64N(sp.size[name])])
			return name
		}},
		{"a block that is missing", rounds(200, 1000), func(t *testing.T, sp *specimen, f vfs.FS) string {
			name := sp.blocks[rng.IntN(len(sp.blocks))]
			must(t, f.Remove(name))
			return name
		}},
		{"another file that is missing", rounds(100, 500), func(t *testing.T, sp *specimen, f vfs.FS) string {
			name := sp.others[rng.IntN(len(sp.others))]
			must(t, f.Remove(name))
			return name
		}},
		{"another file of zeros", rounds(100, 500), func(t *testing.T, sp *specimen, f vfs.FS) string {
			name := sp.others[rng.IntN(len(sp.others))]
			put(t, f, name, string(make([]byte, sp.size[name])))
			return name
		}},
	}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			var sps []*specimen
			for seed := range variants {
				sps = append(sps, newSpecimen(t, seed))
			}
			for i := range kind.rounds {
				sp := sps[i%len(sps)]
				f := sp.fs.Kill()
				what := kind.damage(t, sp, f)
				err := unchanged(f, func() error { return sp.rescue(f) })
				if what == "jsfs.key" { // it had both copies of the envelope
					if !errors.Is(err, store.ErrKey) {
						t.Fatalf("round %d: without an envelope of the key: got %v, want ErrKey", i, err)
					}
					continue
				}
				if err != nil {
					t.Fatalf("round %d, %s: %s: %v", i, variantOf(i).name, what, err)
				}
			}
		})
	}
}

// otherSecret is what rescued stores are encrypted with. It is never wiped.
var otherSecret = func() *keys.Secret {
	s, err := keys.OfKey([]byte("another key of 32 bytes, not it."))
	if err != nil {
		panic(err)
	}
	return s
}()

// rescue copies a damaged store into a new one, with a key of its own if the first has one, and compares that with what can be read of the first.
func (sp *specimen) rescue(f *vfs.Mem) error {
	from, err := blockstore.SalvageFS(f, sp.opt.Secret)
	if err != nil {
		return err
	}
	defer from.Close()
	mem, opt := vfs.NewMem(), sp.opt
	if opt.Secret != nil {
		opt.Secret, opt.Cipher = otherSecret, 0
	}
	to, err := blockstore.Open(mem, opt)
	if err != nil {
		return err
	}
	r, err := transfer.Rescue(bg, from, to, func(string) transfer.Options { return transfer.Options{Verify: true} })
	if err != nil {
		return fmt.Errorf("rescue: %w", err)
	}
	if len(r.Unreadable) > 0 {
		return fmt.Errorf("%+v can't be read", r.Unreadable)
	}
	if err := sp.rescued(from, to, r); err != nil {
		return err
	}
	if err := to.Close(); err != nil {
		return err
	}
	report, err := blockstore.CheckFS(bg, mem, opt.Secret)
	if err == nil && len(report.Damage) > 0 {
		err = fmt.Errorf("the new store is damaged: %+v", report.Damage)
	}
	return err
}

// rescued compares the new store with the damaged one. A stream whose configuration is gone has another
// name, the number of its incarnation in it.
func (sp *specimen) rescued(from, to store.Store, r transfer.Rescued) error {
	if len(r.Streams) != len(sp.last) {
		return fmt.Errorf("%d streams are rescued, want %d", len(r.Streams), len(sp.last))
	}
	for _, res := range r.Streams {
		name := res.Stream
		if was, ok := map[string]string{"damaged-1": "S", "damaged-2": "T"}[name]; ok {
			name = was
		}
		old, err := from.Stream(bg, res.Stream)
		if err != nil {
			return err
		}
		st, err := to.Stream(bg, res.Stream)
		if err != nil {
			return err
		}
		if err := sp.rescuedStream(name, old, st, res); err != nil {
			return fmt.Errorf("stream %s: %w", res.Stream, err)
		}
	}
	return nil
}

func (sp *specimen) rescuedStream(name string, old, st store.Stream, res transfer.RescuedStream) error {
	n := int64(0)
	for _, k := range sp.msgs {
		if k.stream != name {
			continue
		}
		was, wasErr := old.Load(bg, k.seq, nil)
		m, err := st.Load(bg, k.seq, nil)
		lost := slices.ContainsFunc(res.Lost, func(l transfer.Lost) bool { return l.First <= k.seq && k.seq <= l.Last })
		switch {
		case (wasErr == nil) != (err == nil):
			return fmt.Errorf("message %d: the original gives %w, the copy %w", k.seq, wasErr, err)
		case err == nil && (m.Subject != k.e.Subject || !bytes.Equal(m.Header, k.e.Header) || !bytes.Equal(m.Data, k.e.Data) || m.Time != was.Time):
			return fmt.Errorf("message %d is another one", k.seq)
		case err == nil:
			n++
		case k.live && !k.touched && !lost:
			return fmt.Errorf("message %d is lost and not named: %+v", k.seq, res.Lost)
		}
	}
	state, err := st.State(bg)
	if err != nil || state.Live.Messages != n || res.Messages != n {
		return fmt.Errorf("got %d messages, the report says %d, want %d: %w", state.Live.Messages, res.Messages, n, err)
	}
	drafts, err := st.ListDrafts(bg)
	was, wasErr := old.ListDrafts(bg)
	if len(drafts) != len(was) || err != nil || wasErr != nil {
		return fmt.Errorf("got drafts %v, want %v (%w, %w)", drafts, was, err, wasErr)
	}
	return nil
}

func TestAnEncryptedStoreIsRescuedWithItsKeyOnly(t *testing.T) {
	secret, err := keys.OfKey(bytes.Repeat([]byte{7}, 32))
	must(t, err)
	mem, opt := vfs.NewMem(), trialOptions(blockstore.SyncNever)
	opt.Secret = secret
	s, err := blockstore.Open(mem, opt)
	must(t, err)
	st, err := s.Create(bg, store.Config{Name: "S"})
	must(t, err)
	for i := range 200 {
		_, err := st.Append(bg, entry(seeded(i), i, 100))
		must(t, err)
	}
	must(t, s.Close())
	flip(t, mem, "streams/0000000000000001/00000001.blk", 5000, 3)
	if _, err := blockstore.SalvageFS(mem, nil); !errors.Is(err, store.ErrKey) {
		t.Errorf("without a key: got %v, want ErrKey", err)
	}
	from, err := blockstore.SalvageFS(mem, secret)
	must(t, err)
	defer from.Close()
	to, err := blockstore.Open(vfs.NewMem(), trialOptions(blockstore.SyncNever))
	must(t, err)
	defer to.Close()
	r, err := transfer.Rescue(bg, from, to, func(string) transfer.Options { return transfer.Options{Verify: true} })
	must(t, err)
	if len(r.Streams) != 1 || r.Streams[0].Messages != 199 || r.LostMessages() != 1 {
		t.Errorf("got %+v, want 199 messages and one lost", r.Streams)
	}
}

// TestADraftIsRescuedAroundItsDamage flips a byte in each frame of an encrypted draft, and in all of them.
func TestADraftIsRescuedAroundItsDamage(t *testing.T) {
	mem, opt := vfs.NewMem(), variantOf(2).of(trialOptions(blockstore.SyncNever))
	s, err := blockstore.Open(mem, opt)
	must(t, err)
	st, err := s.Create(bg, store.Config{Name: "S"})
	must(t, err)
	content := entry(seeded(1), 1, 150_000).Data
	d, err := st.CreateDraft(bg, ".large")
	must(t, err)
	_, err = d.WriteAt(content, 0)
	must(t, errors.Join(err, d.Close(), s.Close()))
	var file string
	for name := range files(t, mem, "streams") {
		if strings.Contains(name, "/drafts/") {
			file = name
		}
	}
	frames := len(readAll(t, mem, file)) / 4096
	if frames < 36 {
		t.Fatalf("the draft has %d frames only", frames)
	}
	for hit := 0; hit <= frames; hit += 5 {
		f := mem.Kill()
		for i := range frames {
			if hit == frames || i/2 == hit/2 { // both slots of a frame, one of which is not used
				flip(t, f, file, int64(i*4096+100), 3)
			}
		}
		from, err := blockstore.SalvageFS(f, trialSecret)
		must(t, err)
		to, err := blockstore.Open(vfs.NewMem(), opt)
		must(t, err)
		r, err := transfer.Rescue(bg, from, to, func(string) transfer.Options { return transfer.Options{} })
		must(t, err)
		st, err := to.Stream(bg, "S")
		must(t, err)
		d, err := st.OpenDraft(bg, ".large")
		must(t, err)
		got, zeros := make([]byte, len(content)), 0
		_, err = d.ReadAt(got, 0)
		must(t, err)
		for i, b := range got {
			if b != content[i] {
				zeros++
			}
			if b != content[i] && b != 0 {
				t.Fatalf("frame %d damaged: byte %d is %d, want %d or a zero", hit, i, b, content[i])
			}
		}
		holes := r.Streams[0].Holes
		if len(holes) != 1 || int64(zeros) > holes[0].Bytes || hit < frames && holes[0].Bytes > 4096+512 || zeros == 0 || r.DamagedDrafts() != 1 {
			t.Errorf("frame %d damaged: %d bytes are lost, and the report says %+v", hit, zeros, holes)
		}
		must(t, errors.Join(d.Close(), from.Close(), to.Close()))
	}
}
