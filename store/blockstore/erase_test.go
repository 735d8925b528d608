package blockstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// erasableLen is how many messages erasable has.
const erasableLen = 60

// erasable is a store of four blocks or so in which each message has a subject of its own but for every third one.
func erasable(tb testing.TB, f vfs.FS, opt blockstore.Options) (store.Store, store.Stream) {
	tb.Helper()
	s, err := openTrial(f, opt)
	must(tb, err)
	st, err := s.Create(bg, store.Config{Name: "S"})
	must(tb, err)
	for i := range erasableLen {
		_, err := st.Append(bg, erasableEntry(i+1))
		must(tb, err)
	}
	return s, st
}

func erasableEntry(seq int) store.Entry {
	e := store.Entry{Subject: fmt.Sprintf("subject.secret-%02d", seq), Header: fmt.Appendf(nil, "NATS/1.0\r\nSecret: header %02d\r\n\r\n", seq)}
	if seq%3 == 0 {
		e.Subject = "subject.shared"
	}
	e.Data = bytes.Repeat(fmt.Appendf(nil, "payload %02d ", seq), 40)
	return e
}

// TestErasedBytesAreOverwritten looks at the files: of an erased message neither payload nor header nor a subject that
// it had alone is left, in the tail and in sealed blocks, and nothing else has changed that counts.
func TestErasedBytesAreOverwritten(t *testing.T) {
	for i, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			mem := vfs.NewMem()
			opt := v.of(trialOptions(policies[i%3]))
			s, st := erasable(t, mem, opt)
			erased := []store.Seq{1, 3, 10, 59, 60}
			for _, seq := range erased {
				before := files(t, mem, "streams")
				_, err := st.Erase(bg, seq)
				must(t, err)
				wantZeroed(t, before, files(t, mem, "streams"), v)
			}
			for range 2 {
				for _, seq := range erased {
					e := erasableEntry(int(seq)) //nolint:gosec // small
					for _, b := range [][]byte{e.Data[:20], e.Header[10:], []byte(e.Subject)} {
						if seq%3 == 0 && string(b) == e.Subject {
							continue
						}
						must(t, notIn(mem, "streams", b))
					}
				}
				othersAreThere(t, st, erased)
				must(t, s.Close())
				wantNoDamage(t, mem)
				var err error
				s, err = openTrial(mem, opt)
				must(t, err)
				st, err = s.Stream(bg, "S")
				must(t, err)
			}
			must(t, s.Close())
		})
	}
}

// wantZeroed demands that one block has more zeros after an erasure than before, in as long a run as the message was.
func wantZeroed(t *testing.T, before, after map[string]string, v variant) {
	t.Helper()
	least := 400 // of the payload
	if v.compression == store.CompressionS2 {
		least = 40
	}
	changed := 0
	for name, content := range after {
		old := before[name]
		if !strings.HasSuffix(name, ".blk") || content[:min(len(old), len(content))] == old {
			continue
		}
		changed++
		zeros, run := 0, 0
		for i := range old {
			if run++; content[i] != 0 || old[i] == 0 && run == 1 {
				run = 0
			}
			zeros = max(zeros, run)
		}
		if zeros < least {
			t.Errorf("in %s the longest run of new zeros has %d bytes, want %d", name, zeros, least)
		}
	}
	if changed != 1 {
		t.Errorf("%d blocks were overwritten, want 1", changed)
	}
}

// othersAreThere demands that all of erasable's messages but the erased ones are as they were stored.
func othersAreThere(t testing.TB, st store.Stream, erased []store.Seq) {
	t.Helper()
	subjects := map[string]uint64{}
	for seq := store.Seq(1); seq <= erasableLen; seq++ {
		want := erasableEntry(int(seq)) //nolint:gosec // small
		got, err := st.Load(bg, seq, nil)
		if slices.Contains(erased, seq) {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("load of %d, which was erased: got %v, want %v", seq, err, store.ErrNotFound)
			}
			continue
		}
		if err != nil || got.Subject != want.Subject || !bytes.Equal(got.Header, want.Header) || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("message %d: got %q %.20q, %v", seq, got.Subject, got.Data, err)
		}
		subjects[want.Subject]++
	}
	got := map[string]uint64{}
	for c, err := range st.Subjects(bg, "", "") {
		must(t, err)
		got[c.Subject] = c.Messages
	}
	if !maps.Equal(got, subjects) {
		t.Errorf("subjects: got %v, want %v", got, subjects)
	}
}

// wantNoDamage demands that a check finds nothing, with the key and without it.
func wantNoDamage(t testing.TB, f vfs.FS) {
	t.Helper()
	for _, secret := range []bool{true, false} {
		r, err := checkTrial(f, secret)
		if err != nil || len(r.Damage) > 0 {
			t.Errorf("check, with key %v: %v, %+v", secret, err, r.Damage)
		}
	}
}

func checkTrial(f vfs.FS, secret bool) (blockstore.Report, error) {
	if file, err := f.Open("jsfs.key"); err == nil {
		_ = file.Close()
	} else {
		secret = false
	}
	if secret {
		return blockstore.CheckFS(context.Background(), f, trialSecret)
	}
	return blockstore.CheckFS(context.Background(), f, nil)
}

// TestReadersMeetNoErasureInPart reads what is erased meanwhile: whole bytes, or none, and never damage.
func TestReadersMeetNoErasureInPart(t *testing.T) {
	for _, v := range variants[:3] {
		s, st := erasable(t, vfs.NewMem(), v.of(trialOptions(blockstore.SyncNever)))
		done := make(chan struct{})
		failed := make(chan error, 4)
		for range 4 {
			go func() {
				for {
					for seq := store.Seq(1); seq <= erasableLen; seq++ {
						if _, err := st.Load(bg, seq, nil); err != nil && !errors.Is(err, store.ErrNotFound) {
							failed <- fmt.Errorf("message %d: %w", seq, err)
							return
						}
					}
					for _, err := range st.Subjects(bg, "subject.*", "") {
						if err != nil {
							failed <- err
							return
						}
					}
					select {
					case <-done:
						failed <- nil
						return
					default:
					}
				}
			}()
		}
		for seq := store.Seq(1); seq <= erasableLen; seq++ {
			_, err := st.Erase(bg, seq)
			must(t, err)
		}
		close(done)
		for range 4 {
			if err := <-failed; err != nil {
				t.Error(err)
			}
		}
		damage, err := st.Damage(bg)
		must(t, err)
		if len(damage) > 0 {
			t.Errorf("damage: %+v", damage)
		}
		must(t, s.Close())
	}
}

// TestErasingGoesOnWhenFilesAreClosed lets others want room for their files between the steps of an erasure.
func TestErasingGoesOnWhenFilesAreClosed(t *testing.T) {
	mem := vfs.NewMem()
	opt := trialOptions(blockstore.SyncNever)
	opt.MaxFiles = 1
	s, st := erasable(t, mem, opt)
	defer s.Close()
	busy := false
	mem.Hook = func(string) {
		if busy {
			return
		}
		busy = true
		defer func() { busy = false }()
		for _, seq := range []store.Seq{30, 20, 45, 31} { // in other blocks
			_, err := st.Load(bg, seq, nil)
			must(t, err)
		}
	}
	_, err := st.Erase(bg, 2)
	mem.Hook = nil
	must(t, err)
	if err := notIn(mem, "streams", erasableEntry(2).Data); err != nil {
		t.Error(err)
	}
	_, err = st.Append(bg, erasableEntry(erasableLen+1))
	must(t, err)
}
