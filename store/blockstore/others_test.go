package blockstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// TestFaultsThatOthersHaveHad has a test for each fault that made another store of this kind lose data, or serve wrong
// data, by the name of that fault. Faults of writing stand in others_write_test.go, those of giving space back in others_compact_test.go, those of keys and readers in others_read_test.go.
func TestFaultsThatOthersHaveHad(t *testing.T) {
	for _, c := range slices.Concat(othersDamage, othersWrite, othersCompact, othersRead) {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), c.run)
	}
}

type othersFault struct {
	name string
	run  func(t *testing.T)
}

// stock is a stream in a store in memory, with messages of 100 bytes on three subjects.
type stock struct {
	mem *vfs.Mem
	opt blockstore.Options
	s   *blockstore.Store
	st  store.Stream
}

func newStock(t *testing.T, v variant, sync blockstore.Sync, n int) *stock {
	t.Helper()
	k := &stock{mem: vfs.NewMem(), opt: v.of(trialOptions(sync))}
	k.open(t, k.mem)
	k.fill(t, n)
	return k
}

// open opens the store in f, and the stream, which it makes if it is not there.
func (k *stock) open(t *testing.T, f vfs.FS) {
	t.Helper()
	var err error
	k.s, err = openTrial(f, k.opt)
	must(t, err)
	k.st, err = k.s.Stream(bg, "S")
	if errors.Is(err, store.ErrNotFound) {
		k.st, err = k.s.Create(bg, store.Config{Name: "S"})
	}
	must(t, err)
	t.Cleanup(func() { _ = k.s.Close() })
}

func (k *stock) state(t *testing.T) store.State {
	t.Helper()
	state, err := k.st.State(bg)
	must(t, err)
	return state
}

func stockData(seq store.Seq) string { return fmt.Sprintf("%0100d", seq) }

func (k *stock) fill(t *testing.T, n int) {
	t.Helper()
	for range n {
		seq := k.state(t).Last + 1
		got, err := k.st.Append(bg, store.Entry{Subject: fmt.Sprintf("s.%d", seq%3), Data: []byte(stockData(seq))})
		if err != nil || got != seq {
			t.Fatalf("append: got %d, %v, want %d", got, err, seq)
		}
	}
}

// lost demands that each message up to n is what it was, is damaged, or is one of gone, and returns the damaged ones.
func (k *stock) lost(t *testing.T, n store.Seq, gone ...store.Seq) (lost []store.Seq) {
	t.Helper()
	for seq := store.Seq(1); seq <= n; seq++ {
		m, err := k.st.Load(bg, seq, nil)
		switch {
		case slices.Contains(gone, seq):
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("message %d, which is removed: got %v, want ErrNotFound", seq, err)
			}
		case errors.As(err, new(*store.CorruptError)):
			lost = append(lost, seq)
		case err != nil || string(m.Data) != stockData(seq) || m.Subject != fmt.Sprintf("s.%d", seq%3):
			t.Errorf("message %d: got %q on %q, %v", seq, m.Data, m.Subject, err)
		}
	}
	return lost
}

// blocksIn returns the names of the blocks of stream 1, in order.
func blocksIn(t *testing.T, f vfs.FS) []string {
	t.Helper()
	const dir = "streams/0000000000000001"
	names, err := f.List(dir)
	must(t, err)
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, ".blk") })
	for i := range names {
		names[i] = dir + "/" + names[i]
	}
	slices.Sort(names)
	return names
}

var othersDamage = []othersFault{
	{"lengths outside the checksum", func(t *testing.T) {
		for _, v := range variants {
			k := newStock(t, v, blockstore.SyncNever, 3)
			must(t, k.s.Close())
			block := blocksIn(t, k.mem)[0]
			_, places := placesIn(t, readAll(t, k.mem, block))
			for bit := range 8 * 40 { // the head, with its lengths, and the beginning of the body
				f := k.mem.Kill()
				flip(t, f, block, places[1].start+int64(bit/8), bit%8)
				k.open(t, f)
				if lost := k.lost(t, 3); !slices.Equal(lost, []store.Seq{2}) {
					t.Fatalf("%s, bit %d of message 2 flipped: %v are lost, want it alone", v.name, bit, lost)
				}
				must(t, k.s.Close())
			}
		}
	}},
	{"no way to find the next record", func(t *testing.T) {
		for _, v := range variants {
			k := newStock(t, v, blockstore.SyncNever, 20)
			must(t, k.s.Close())
			block := blocksIn(t, k.mem)[0]
			_, places := placesIn(t, readAll(t, k.mem, block))
			for i, p := range places[1 : len(places)-1] {
				f := k.mem.Kill()
				overwrite(t, f, block, p.start, bytes.Repeat([]byte{0xff}, int(p.end-p.start)))
				k.open(t, f)
				if lost := k.lost(t, 20); !slices.Equal(lost, []store.Seq{store.Seq(i + 2)}) { //nolint:gosec // small
					t.Fatalf("%s, message %d overwritten: %v are lost, want it alone", v.name, i+2, lost)
				}
				must(t, k.s.Close())
			}
		}
	}},
	{"recovery that truncates or deletes", func(t *testing.T) {
		k := newStock(t, variants[0], blockstore.SyncNever, 200)
		f := k.mem.Kill()
		blocks := blocksIn(t, f)
		flip(t, f, blocks[1], 5000, 1)
		tail := blocks[len(blocks)-1]
		put(t, f, tail, readAll(t, f, tail)+"the beginning of a record")
		before := files(t, f, "streams")
		k.open(t, f)
		for range 100 {
			_, err := k.st.Append(bg, store.Entry{Subject: "x", Data: []byte(stockData(1))})
			must(t, err)
		}
		must(t, k.s.Close())
		after := files(t, f, ".")
		for name, content := range before {
			if !strings.HasSuffix(name, ".blk") {
				continue
			}
			same := 0
			for same < min(len(content), len(after[name])) && content[same] == after[name][same] {
				same++
			}
			junk, kept := content[same:], false
			for other, c := range after {
				kept = kept || strings.HasPrefix(other, "quarantine/") && strings.Contains(c, junk)
			}
			if junk != "" && !kept {
				t.Errorf("of %s %d bytes are gone", name, len(junk))
			}
		}
	}},
	{"a lost range reported as empty", func(t *testing.T) {
		k := newStock(t, variants[0], blockstore.SyncNever, 200)
		must(t, k.s.Close())
		blocks := blocksIn(t, k.mem)
		_, places := placesIn(t, readAll(t, k.mem, blocks[1]))
		first, last := store.Seq(places[0].seq), store.Seq(places[len(places)-1].seq)
		must(t, k.mem.Remove(blocks[1]))
		k.open(t, k.mem)
		lost := k.lost(t, 200)
		if len(lost) != len(places) || lost[0] != first || lost[len(lost)-1] != last || k.state(t).Lost != uint64(len(places)) {
			t.Errorf("lost are %v, and State says %d; want %d to %d", lost, k.state(t).Lost, first, last)
		}
		for g, err := range k.st.Gaps(bg, store.Query{}) {
			if err != nil || g.Cause != store.CauseLost || g.First != first || g.Last != last {
				t.Errorf("got gap %+v, %v", g, err)
			}
		}
	}},
	{"a state file that never matches after a crash", func(t *testing.T) {
		k := newStock(t, variants[0], blockstore.SyncNever, 100)
		f := k.mem.Kill()
		for i, want := range []string{"unclean=1", "unclean=0"} {
			var log bytes.Buffer
			k.opt.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			k.open(t, f)
			if lost := k.lost(t, 100); len(lost) > 0 || !strings.Contains(log.String(), want) {
				t.Errorf("opening %d after the kill: lost %v, want %s in %s", i+1, lost, want, log.String())
			}
			k.fill(t, 1)
			must(t, k.s.Close())
		}
	}},
	{"whole-block compression", func(t *testing.T) {
		k := newStock(t, variants[1], blockstore.SyncNever, 40)
		must(t, k.s.Close())
		block := blocksIn(t, k.mem)[0]
		whole := readAll(t, k.mem, block)
		_, places := placesIn(t, whole)
		end := places[len(places)-1].end
		if per := (end - record.DataStart) / int64(len(places)); per > 90 {
			t.Fatalf("a message takes %d bytes: they are not compressed", per)
		}
		for off := int64(record.DataStart); off < end; off += 3 {
			f := k.mem.Kill()
			flip(t, f, block, off, int(off%8))
			k.open(t, f)
			if lost := k.lost(t, 40); len(lost) > 1 {
				t.Fatalf("a bit of byte %d flipped: %v are lost", off, lost)
			}
			must(t, k.s.Close())
		}
	}},
	{"sequences handed out twice after the last block was lost", func(t *testing.T) {
		for _, v := range variants {
			k := newStock(t, v, blockstore.SyncAlways, 200)
			must(t, k.s.Close())
			blocks := blocksIn(t, k.mem)
			for from := len(blocks) - 1; from >= 0; from-- {
				f := k.mem.Kill()
				for _, gone := range blocks[from:] {
					must(t, f.Remove(gone))
				}
				k.open(t, f)
				if seq, err := k.st.Append(bg, store.Entry{Subject: "x"}); err != nil || seq <= 200 {
					t.Errorf("%s, %d blocks gone: the next message got %d, %v", v.name, len(blocks)-from, seq, err)
				}
				must(t, k.s.Close())
			}
		}
	}},
	{"a magic number that collides with a record length", func(t *testing.T) {
		const had = 200
		k := newStock(t, variants[0], blockstore.SyncNever, had)
		must(t, k.s.Close())
		whole := readAll(t, k.mem, blocksIn(t, k.mem)[0])
		_, places := placesIn(t, whole)
		starts := []int64{0, record.DataStart, places[0].end, places[len(places)-1].end} // of a block, of records, of a footer
		k.opt.BlockSize = 4 << 20                                                        // all of them are in one block, which has no footer
		k.open(t, k.mem)
		var stored []string
		for size := range 700 { // lengths of all kinds, and contents that look like blocks, records and footers
			data := whole[starts[size%len(starts)]:]
			stored = append(stored, data[:min(len(data), size)])
			_, err := k.st.Append(bg, store.Entry{Subject: "x", Data: []byte(stored[size])})
			must(t, err)
		}
		f := k.mem.Kill()
		put(t, f, "streams/0000000000000001/state", "") // so that everything is scanned
		k.open(t, f)
		if state := k.state(t); state.Live.Messages != had+700 || state.Lost > 0 {
			t.Errorf("got %+v", state)
		}
		for i, want := range stored {
			m, err := k.st.Load(bg, store.Seq(i+had+1), nil) //nolint:gosec // small
			if err != nil || string(m.Data) != want {
				t.Errorf("message %d: got %.40q, %v", i+had+1, m.Data, err)
			}
		}
	}},
	{"time search wrong among deleted runs", func(t *testing.T) {
		k := newStock(t, variants[0], blockstore.SyncNever, 0)
		rng, live := seeded(15), map[store.Seq]int64{}
		for seq := store.Seq(1); seq <= 400; seq++ {
			at := int64(seq) * 10 //nolint:gosec // small
			must(t, k.st.Restore(bg, store.Msg{Meta: store.Meta{Seq: seq, Time: at}, Subject: "x", Data: []byte(stockData(seq))}))
			live[seq] = at
		}
		for range 25 {
			first := store.Seq(1 + rng.IntN(400))                                           //nolint:gosec // small
			run := store.Range{First: first, Last: min(400, first+store.Seq(rng.IntN(30)))} //nolint:gosec // small
			_, err := k.st.RemoveAll(bg, []store.Range{run})
			must(t, err)
			for seq := run.First; seq <= run.Last; seq++ {
				delete(live, seq)
			}
			for at := int64(-5); at < 4020; at += 5 {
				want := store.Seq(401)
				for seq, time := range live {
					if time >= at {
						want = min(want, seq)
					}
				}
				if got, err := k.st.SeekTime(bg, at); err != nil || got != want {
					t.Fatalf("time %d: got %d, %v, want %d", at, got, err, want)
				}
			}
		}
	}},
	{"reads that panic beyond the end", func(t *testing.T) {
		k := newStock(t, variants[0], blockstore.SyncNever, 10)
		for _, seq := range []store.Seq{0, 11, 12, 1 << 32, math.MaxUint64 - 1, math.MaxUint64} {
			want := store.ErrBeyond
			if seq == 0 {
				want = store.ErrNotFound
			}
			_, lerr := k.st.Load(bg, seq, nil)
			_, serr := k.st.Stat(bg, seq)
			_, rerr := k.st.Remove(bg, seq)
			if !errors.Is(lerr, want) || !errors.Is(serr, want) || !errors.Is(rerr, want) {
				t.Errorf("message %d: got %v, %v and %v, want %v", seq, lerr, serr, rerr, want)
			}
			if _, err := k.st.Next(bg, store.Query{From: seq}, nil); seq > 0 && !errors.Is(err, store.ErrBeyond) {
				t.Errorf("next from %d: got %v", seq, err)
			}
			_, err := k.st.Prev(bg, store.Query{To: seq}, nil)
			_, cerr := k.st.Count(bg, store.Query{From: seq, To: math.MaxUint64})
			must(t, errors.Join(err, cerr))
		}
		for _, at := range []int64{math.MinInt64, 0, math.MaxInt64} {
			_, err := k.st.SeekTime(bg, at)
			must(t, err)
		}
		d, err := k.st.ScratchDraft(bg)
		must(t, err)
		if n, err := d.ReadAt(make([]byte, 10), 1<<40); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("a draft beyond its end: got %d, %v", n, err)
		}
		must(t, d.Close())
	}},
}
