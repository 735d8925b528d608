package blockstore_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

var othersWrite = []othersFault{
	{"appending to a compressed block after an empty last block", func(t *testing.T) {
		for _, v := range variants {
			k := newStock(t, v, blockstore.SyncAlways, 10)
			var empty []*vfs.Mem
			k.mem.Hook = func(string) {
				image := k.mem.Crash(seeded(1), 100)
				names := blocksIn(t, image)
				if len(readAll(t, image, names[len(names)-1])) == record.DataStart {
					empty = append(empty, image)
				}
			}
			k.fill(t, 200)
			k.mem.Hook = nil
			must(t, k.s.Close())
			if len(empty) == 0 {
				t.Fatalf("%s: no stop had an empty last block", v.name)
			}
			for _, image := range empty {
				k.open(t, image)
				had := k.state(t).Live.Messages
				seq, err := k.st.Append(bg, store.Entry{Subject: "x", Data: []byte("after")})
				must(t, err)
				must(t, k.s.Close())
				k.open(t, image)
				m, err := k.st.Load(bg, seq, nil)
				if lost := k.lost(t, store.Seq(had)); len(lost) > 0 || err != nil || string(m.Data) != "after" { //nolint:gosec // not negative
					t.Errorf("%s: of %d messages %v are lost; the next one: %q, %v", v.name, had, lost, m.Data, err)
				}
				must(t, k.s.Close())
			}
		}
	}},
	{"limit deletions not logged", func(t *testing.T) {
		k := newStock(t, variants[0], blockstore.SyncAlways, 0)
		must(t, k.s.Update(bg, store.Config{Name: "S", MaxMsgs: 10}))
		k.fill(t, 30)
		must(t, k.s.Update(bg, store.Config{Name: "S"})) // else the limit would take them away again when the store is opened
		must(t, k.st.Sync(bg))
		for _, image := range []*vfs.Mem{k.mem.Crash(seeded(1), 0), k.mem.Kill()} {
			k.open(t, image)
			if state := k.state(t); state.First != 21 || state.Live.Messages != 10 {
				t.Errorf("got %+v, want messages 21 to 30", state)
			}
			if _, err := k.st.Load(bg, 20, nil); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("message 20 is back: %v", err)
			}
			must(t, k.s.Close())
		}
	}},
	{"compact racing store", func(t *testing.T) {
		k := newStock(t, variants[3], blockstore.SyncNever, 1)
		var wg sync.WaitGroup
		done := make(chan struct{})
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				state, err := k.st.State(bg)
				if err == nil && state.Last > 20 { // below 0 there would be everything that is there then
					_, err = k.st.Compact(bg, state.Last-20)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		k.fill(t, 3000)
		close(done)
		wg.Wait()
		for range 2 {
			state := k.state(t)
			if state.Last != 3001 || state.Live.Messages < 20 || int64(state.Last-state.First+1) != state.Live.Messages { //nolint:gosec // small
				t.Errorf("got %+v", state)
			}
			for seq := state.First; seq <= state.Last; seq++ {
				if m, err := k.st.Load(bg, seq, nil); err != nil || string(m.Data) != stockData(seq) {
					t.Errorf("message %d: got %q, %v", seq, m.Data, err)
				}
			}
			must(t, k.s.Close())
			k.open(t, k.mem)
		}
	}},
	{"skipped messages setting the last time", func(t *testing.T) {
		k := newStock(t, variants[0], blockstore.SyncNever, 5)
		before := k.state(t).LastTime
		_, err := k.st.Skip(bg, 10)
		must(t, err)
		must(t, k.st.SkipTo(bg, 40, 0))
		for range 2 {
			if state := k.state(t); state.LastTime != before || state.Last != 40 {
				t.Errorf("got last %d at %d, want 40 at %d", state.Last, state.LastTime, before)
			}
			must(t, k.s.Close())
			k.open(t, k.mem)
		}
	}},
	{"read errors treated as write errors", func(t *testing.T) {
		k := newStock(t, variants[0], blockstore.SyncNever, 100)
		must(t, k.s.Close())
		f := vfs.NewFail(k.mem)
		k.opt.CacheBytes, k.opt.MaxFiles = 1, 1
		k.open(t, f)
		first := blocksIn(t, k.mem)[0]
		f.Set(vfs.Fault{At: 1, ForGood: true, Match: func(call, name string) bool { return (call == "read" || call == "open") && name == first }})
		if m, err := k.st.Load(bg, 1, nil); err == nil {
			t.Errorf("message 1 is read from a disk that fails: %q", m.Data)
		}
		k.fill(t, 10)
		_, err := k.st.Remove(bg, 90)
		must(t, err)
		must(t, k.st.Sync(bg))
		f.Set(vfs.Fault{})
		if lost := k.lost(t, 110, 90); len(lost) > 0 {
			t.Errorf("when the disk can be read again, %v are lost", lost)
		}
	}},
	{"key file not synced, or truncated", func(t *testing.T) {
		opt := variants[2].of(trialOptions(blockstore.SyncAlways))
		mem := vfs.NewMem()
		try := func(what string, image *vfs.Mem) {
			t.Helper()
			s, err := blockstore.Open(image, opt)
			if err != nil {
				t.Errorf("%s: %v", what, err)
				return
			}
			must(t, s.Close())
		}
		mem.Hook = func(change string) {
			for _, keep := range []int{0, 50, 100} {
				try("power lost before "+change, mem.Crash(seeded(keep), keep))
			}
		}
		s, err := blockstore.Open(mem, opt)
		must(t, err)
		mem.Hook = nil
		st, err := s.Create(bg, store.Config{Name: "S"})
		must(t, err)
		_, err = st.Append(bg, store.Entry{Subject: "x", Data: []byte("kept")})
		must(t, err)
		for _, keep := range []int{0, 50, 100} {
			image := mem.Crash(seeded(keep), keep)
			again, err := blockstore.Open(image, opt)
			must(t, err)
			st, err := again.Stream(bg, "S")
			must(t, err)
			if m, err := st.Load(bg, 1, nil); err != nil || string(m.Data) != "kept" {
				t.Errorf("after a loss of power: got %q, %v", m.Data, err)
			}
			must(t, again.Close())
		}
		must(t, s.Close())
		cutKeyFile(t, mem, opt)
	}},
	{"a 70,000-byte subject stored with a 16-bit length", func(t *testing.T) {
		for _, v := range variants {
			k := newStock(t, v, blockstore.SyncNever, 1)
			for _, n := range []int{70_000, 65_537, 65_536, store.MaxSubject + 1} {
				if _, err := k.st.Append(bg, store.Entry{Subject: strings.Repeat("s", n)}); !errors.Is(err, store.ErrNameTooLong) {
					t.Errorf("%s, a subject of %d bytes: got %v, want %v", v.name, n, err, store.ErrNameTooLong)
				}
			}
			header := "NATS/1.0\r\nA: " + strings.Repeat("h", store.MaxHeader-len("NATS/1.0\r\nA: \r\n\r\n")) + "\r\n\r\n"
			e := store.Entry{Subject: strings.Repeat("s", store.MaxSubject), Header: []byte(header), Data: []byte("data")}
			seq, err := k.st.Append(bg, e)
			must(t, err)
			must(t, k.s.Close())
			k.open(t, k.mem)
			m, err := k.st.Load(bg, seq, nil)
			if err != nil || m.Subject != e.Subject || string(m.Header) != header || string(m.Data) != "data" {
				t.Errorf("%s: got %d, %d and %d bytes, %v", v.name, len(m.Subject), len(m.Header), len(m.Data), err)
			}
			must(t, k.s.Close())
		}
	}},
}

// cutKeyFile cuts the envelope of a store's key everywhere: the store opens as long as one copy is whole, and is refused
// without a change if none is.
func cutKeyFile(t *testing.T, mem *vfs.Mem, opt blockstore.Options) {
	t.Helper()
	whole := readAll(t, mem, "jsfs.key")
	one := strings.TrimRight(whole[:record.HeaderCopy], "\x00")
	for n := 0; n < len(whole); n += 7 {
		image := mem.Kill()
		put(t, image, "jsfs.key", whole[:n])
		changes := 0
		image.Hook = func(string) { changes++ }
		s, err := blockstore.Open(image, opt)
		switch {
		case err == nil:
			must(t, s.Close())
		case n >= len(one)+8:
			t.Errorf("cut to %d bytes: %v", n, err)
		case !errors.Is(err, store.ErrKey) || changes > 0:
			t.Errorf("cut to %d bytes: got %v and %d changes, want ErrKey and none", n, err, changes)
		}
	}
}
