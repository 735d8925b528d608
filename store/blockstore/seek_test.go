package blockstore

import (
	"math/rand/v2"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// TestSeekTimeWithDamage damages messages, some of which are samples: what is found is the first message that is
// late enough, or a damaged one right before it.
func TestSeekTimeWithDamage(t *testing.T) {
	fs := vfs.NewMem()
	st, s := openBlocks(t, fs, 32<<10)
	const n = 1500
	rng := rand.New(rand.NewPCG(7, 7))
	for seq := store.Seq(1); seq <= n; seq++ {
		m := store.Msg{Meta: store.Meta{Seq: seq, Time: 10 * int64(seq)}, Subject: "x", Data: make([]byte, rng.IntN(90))}
		if seq%100 == 0 {
			m.Data = make([]byte, 5000) // so that some stand far apart
		}
		if err := s.Restore(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	damaged := map[store.Seq]bool{}
	for seq := store.Seq(1); seq <= n; seq++ {
		if seq%64 != 17 && rng.IntN(20) > 0 {
			continue
		}
		v, i, _ := s.cur.Load().find(uint64(seq))
		off, _, err := s.extent(&v, i)
		if err != nil {
			t.Fatal(err)
		}
		f, err := fs.Open(v.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{0xff, 0xff}, off); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		damaged[seq] = true
	}
	check := func() {
		t.Helper()
		for ns := int64(-5); ns < 10*n+20; ns += 5 {
			want := store.Seq(min(max(1, (ns+9)/10), n+1))
			got, err := s.SeekTime(t.Context(), ns)
			if err != nil {
				t.Fatal(err)
			}
			first := want // what may be found instead: the damaged ones right before
			for first > 1 && damaged[first-1] {
				first--
			}
			if got < first || got > want {
				t.Fatalf("SeekTime(%d): got %d, want %d", ns, got, want)
			}
		}
	}
	check()
	check() // with all samples there
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	st, s = openBlocks(t, fs, 32<<10)
	defer st.Close()
	var left []store.Seq // a scan of the tail may have found less
	for m, err := range s.Scan(t.Context(), store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, m.Seq)
	}
	if len(left)+len(damaged) != n {
		t.Errorf("got %d messages beside %d damaged ones, want %d in all", len(left), len(damaged), n)
	}
	check()
}

// TestSeekTimeReadsNothingTwice seeks times between those of messages that were sought before: all that it takes is remembered,
// in a sealed block and in the tail, for messages close together and far apart.
func TestSeekTimeReadsNothingTwice(t *testing.T) {
	fs := vfs.NewFail(vfs.NewMem())
	st, err := Open(fs, Options{Sync: SyncNever, BlockSize: 256 << 10})
	fatal(t, err)
	defer st.Close()
	stream, err := st.Create(t.Context(), store.Config{Name: "S"})
	fatal(t, err)
	s := stream.(*Stream)
	const n = 2000
	for seq := store.Seq(1); seq <= n; seq++ {
		m := store.Msg{Meta: store.Meta{Seq: seq, Time: 1000 * int64(seq)}, Subject: "x", Data: make([]byte, 128+seq/1000*500)}
		fatal(t, s.Restore(t.Context(), m))
	}
	reads := func() int {
		t.Helper()
		fs.Set(vfs.Fault{Match: func(call, _ string) bool { return call == "read" }})
		for ns := int64(500); ns < 1000*n; ns += 1000 {
			got, err := s.SeekTime(t.Context(), ns)
			if want := store.Seq((ns + 999) / 1000); err != nil || got != want {
				t.Fatalf("SeekTime(%d): got %d, %v, want %d", ns, got, err, want)
			}
		}
		return fs.Calls()
	}
	if first := reads(); first == 0 {
		t.Error("the first time nothing was read")
	}
	cur := s.cur.Load()
	tail := cur.tail.count % timeGroup // a group that is not full is not remembered
	if again := reads(); len(cur.blocks) < 3 || again > tail+len(cur.blocks) {
		t.Errorf("the second time there were %d reads, the tail has %d messages more than groups", again, tail)
	}
}

// TestTimesOfATailThatIsSealedMeanwhile lets who seeks a time in the tail come late: the tail is sealed, and what he remembers
// is neither left in the block without being counted nor put in the place of what is counted.
func TestTimesOfATailThatIsSealedMeanwhile(t *testing.T) {
	_, s := openBlocks(t, vfs.NewMem(), 1<<20)
	for range 100 {
		if _, err := s.Append(t.Context(), store.Entry{Subject: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	v := s.cur.Load().tail
	s.timesOf(&v)
	if v.times.Load() == nil {
		t.Fatal("nothing is remembered of the tail's times")
	}
	s.wmu.Lock()
	err := s.rotateLocked()
	s.wmu.Unlock()
	if err != nil || v.times.Load() != nil {
		t.Fatalf("a sealed block has the times of when it was the tail; %v", err)
	}
	s.timesOf(&v)
	if x := v.times.Load(); x != nil {
		t.Errorf("a late reader leaves %d bytes that nobody counts", x.size())
	}
	sealed, i, _ := s.cur.Load().find(1)
	if sealed.block != v.block || i != 0 {
		t.Fatal("the message is in another block")
	}
	before := s.cache.bytes
	s.timesOf(&sealed)
	x := v.times.Load()
	if x == nil || s.cache.bytes != before+x.size() {
		t.Fatalf("of %d bytes %d are counted", x.size(), s.cache.bytes-before)
	}
	if s.timesOf(&v); v.times.Load() != x {
		t.Error("a late reader replaces what is counted")
	}
	want := before - v.index.Load().offs.size()
	if s.cache.drop([]*block{v.block}); s.cache.bytes != want {
		t.Errorf("%d bytes are counted of what is gone", s.cache.bytes-want)
	}
}
