package blockstore_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// TestTrialTornTail cuts the newest block of a store that was killed at every byte, and zeroes or
// overwrites the rest (P4): the records before the cut are whole, and the next message
// gets a number of its own.
func TestTrialTornTail(t *testing.T) {
	t.Parallel()
	tails := 0
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) { tails += tornTail(t, v) })
	}
	t.Logf("%d tails", tails)
}

// tornTail returns how many tails it tried.
func tornTail(t *testing.T, v variant) (tails int) {
	mem, opt := vfs.NewMem(), v.of(trialOptions(blockstore.SyncNever))
	opt.BlockSize = 64 << 10
	s, err := openTrial(mem, opt)
	must(t, err)
	st, err := s.Create(bg, store.Config{Name: "S"})
	must(t, err)
	rng := seeded(4)
	var stored []store.Entry
	for i := range 30 {
		stored = append(stored, entry(rng, i, 100+rng.IntN(60)))
		_, err := st.Append(bg, stored[i])
		must(t, err)
	}
	killed := mem.Kill()
	must(t, s.Close())
	tail := ""
	for name := range files(t, killed, "streams") {
		if strings.HasSuffix(name, ".blk") {
			tail = max(tail, name)
		}
	}
	whole := readAll(t, killed, tail)
	ends := endsOf(t, whole, len(stored))
	damage := []struct {
		name string
		make func(cut int) string
	}{
		{"cut", func(cut int) string { return whole[:cut] }},
		{"zeros", func(cut int) string { return whole[:cut] + strings.Repeat("\x00", len(whole)-cut) }},
		{"noise", func(cut int) string { return whole[:cut] + string(noise(rng, len(whole)-cut)) }},
		{"stale", func(cut int) string { return whole[:cut] + whole[4352:4352+len(whole)-cut] }},
	}
	for _, d := range damage {
		for cut := ends[len(ends)-9]; cut < len(whole); cut += stride(5) {
			f := killed.Kill()
			put(t, f, tail, d.make(cut))
			for _, image := range []*vfs.Mem{f, f.Crash(rng, 100)} {
				if err := afterTornTail(image, stored, ends, cut); err != nil {
					t.Fatalf("%s at %d of %d: %v", d.name, cut, len(whole), err)
				}
				tails++
			}
		}
	}
	return tails
}

// endsOf returns where the records of n messages in a block end, as far as they are in it.
func endsOf(t *testing.T, block string, n int) []int {
	t.Helper()
	ends := make([]int, n)
	_, places := placesIn(t, block)
	for _, p := range places {
		ends[p.seq-1] = int(p.end)
	}
	if ends[n-10] == 0 {
		t.Fatal("the newest block has less than ten messages")
	}
	return ends
}

// afterTornTail demands all messages that end before the cut, and no other bytes than were stored.
func afterTornTail(f vfs.FS, stored []store.Entry, ends []int, cut int) error {
	s, err := openTrial(f, trialOptions(blockstore.SyncAlways))
	if err != nil {
		return err
	}
	defer s.Close()
	st, err := s.Stream(bg, "S")
	if err != nil {
		return err
	}
	for i, e := range stored {
		m, err := st.Load(bg, store.Seq(i+1), nil) //nolint:gosec // small
		switch {
		case err == nil && string(m.Data) != string(e.Data):
			return fmt.Errorf("message %d has wrong bytes", i+1)
		case err != nil && ends[i] <= cut:
			return fmt.Errorf("message %d ends at %d: %w", i+1, ends[i], err)
		}
	}
	seq, err := st.Append(bg, store.Entry{Subject: "after"})
	if err != nil || int(seq) <= lastWhole(ends, cut) { //nolint:gosec // small
		return fmt.Errorf("append: got %d, %w", seq, err)
	}
	return nil
}

func lastWhole(ends []int, cut int) int {
	n := 0
	for i, end := range ends {
		if end <= cut {
			n = i + 1
		}
	}
	return n
}

// TestTrialIndexFiles takes away, or replaces, every file that is no block (P8): the
// content is the same as before.
func TestTrialIndexFiles(t *testing.T) {
	t.Parallel()
	tried := 0
	var sp, other *specimen
	var later map[string]string
	rng := seeded(20)
	for i := range rounds(240, 2400) {
		if i%40 == 0 {
			sp, other = newSpecimen(t, i/40), newSpecimen(t, i/40+len(variants))
			later = sp.later(t)
		}
		f := sp.fs.Kill()
		name := sp.others[rng.IntN(len(sp.others))]
		for name == "jsfs.store" || name == "jsfs.key" || strings.Contains(name, "/drafts/") {
			name = sp.others[rng.IntN(len(sp.others))] // the one tells what the place is, the others are users' files
		}
		how := ""
		switch rng.IntN(7) {
		case 0:
			how = "removed"
			must(t, f.Remove(name))
		case 1:
			how = "emptied"
			put(t, f, name, "")
		case 2:
			how = "cut"
			put(t, f, name, readAll(t, f, name)[:rng.Int64N(sp.size[name])])
		case 3:
			how = "replaced by noise"
			put(t, f, name, string(noise(rng, int(sp.size[name]))))
		case 4:
			how = "replaced by another store's"
			put(t, f, name, readAll(t, other.fs, name))
		case 5:
			how = "replaced by an older one"
			content, ok := sp.earlier[name]
			if !ok {
				continue // there was none
			}
			put(t, f, name, content)
		case 6:
			how = "replaced by a later one"
			put(t, f, name, later[name])
		}
		tried++
		at := fmt.Sprintf("round %d: %s %s", i, name, how)
		if strings.HasSuffix(name, "/config") {
			sp.wantMessagesUnderAnyName(t, at, f)
			continue
		}
		found, err := sp.read(f)
		if err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		if len(found.lost)+len(found.revived)+len(found.vanished) > 0 {
			t.Fatalf("%s: %d messages are lost, %d revived, %d vanished", at, len(found.lost), len(found.revived), len(found.vanished))
		}
		sp.appendsTo(t, at, f)
	}
	t.Logf("%d files", tried)
}

// appendsTo fails the test unless each stream of the store in f takes a message.
func (sp *specimen) appendsTo(tb testing.TB, at string, f *vfs.Mem) {
	tb.Helper()
	s, err := openTrial(f, sp.opt)
	if err != nil {
		tb.Fatalf("%s: %v", at, err)
	}
	for name := range sp.last {
		st, err := s.Stream(bg, name)
		if err == nil {
			_, err = st.Append(bg, store.Entry{Subject: "x", Data: []byte("one more")})
		}
		if err != nil {
			tb.Fatalf("%s: stream %s takes no message any more: %v", at, name, err)
		}
	}
	if err := s.Close(); err != nil {
		tb.Fatalf("%s: %v", at, err)
	}
}

// later returns the files of the store as they are when more was stored, removed and drafted.
func (sp *specimen) later(tb testing.TB) map[string]string {
	tb.Helper()
	f := sp.fs.Kill()
	s, err := openTrial(f, sp.opt)
	must(tb, err)
	for name, last := range sp.last {
		st, err := s.Stream(bg, name)
		must(tb, err)
		for i := range 60 {
			_, err := st.Append(bg, store.Entry{Subject: "later", Data: fmt.Appendf(nil, "%0200d", i)})
			must(tb, err)
		}
		_, err = st.Remove(bg, last+3)
		must(tb, err)
	}
	must(tb, s.Close())
	return files(tb, f, ".")
}

// wantMessagesUnderAnyName demands that a stream whose configuration is gone keeps its messages.
func (sp *specimen) wantMessagesUnderAnyName(t *testing.T, at string, f vfs.FS) {
	t.Helper()
	s, err := openTrial(f, trialOptions(blockstore.SyncAlways))
	if err != nil {
		t.Fatalf("%s: open: %v", at, err)
	}
	defer s.Close()
	names, err := s.Streams(bg)
	must(t, err)
	got, want := 0, 0
	for _, name := range names {
		st, err := s.Stream(bg, name)
		must(t, err)
		for _, err := range st.Scan(bg, store.Query{}) {
			must(t, err)
			got++
		}
	}
	for _, k := range sp.msgs {
		if k.live {
			want++
		}
	}
	if got != want {
		t.Fatalf("%s: got %d messages in %q, want %d", at, got, names, want)
	}
}

// TestTrialOneOwner opens one store many times at once (P14): one wins, the others are
// told who has it, and change nothing.
func TestTrialOneOwner(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "store")
	for round := range rounds(100, 1000) {
		const racers = 4
		stores, errs := make([]store.Store, racers), make([]error, racers)
		var wg sync.WaitGroup
		for i := range racers {
			wg.Go(func() { stores[i], errs[i] = blockstore.OpenDir(dir, trialOptions(blockstore.SyncNever)) })
		}
		wg.Wait()
		var owner store.Store
		for i, err := range errs {
			switch {
			case err == nil && owner == nil:
				owner = stores[i]
			case err == nil:
				t.Fatalf("round %d: two own the store", round)
			case !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), "process"):
				t.Fatalf("round %d: got %v, want %v that names the owner", round, err, store.ErrLocked)
			}
		}
		if owner == nil {
			t.Fatalf("round %d: nobody owns the store: %v", round, errors.Join(errs...))
		}
		useAsOwner(t, owner, round)
		must(t, owner.Close())
	}
}

// useAsOwner appends a message and expects the ones of the rounds before.
func useAsOwner(t *testing.T, s store.Store, round int) {
	t.Helper()
	st, err := s.Stream(bg, "S")
	if round == 0 {
		st, err = s.Create(bg, store.Config{Name: "S"})
	}
	must(t, err)
	seq, err := st.Append(bg, store.Entry{Subject: "x"})
	if err != nil || seq != store.Seq(round+1) { //nolint:gosec // small
		t.Fatalf("round %d: got sequence %d, %v", round, seq, err)
	}
}
