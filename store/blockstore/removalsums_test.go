package blockstore_test

import (
	"fmt"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// TestTotalsAfterRemovals removes messages of sizes that all differ, in each way that there is, and demands that the totals of the
// stream and of each of its blocks are those of the messages that are left: at once, after a stop and after a kill, which has
// the tail read anew, and where they are brought back.
func TestTotalsAfterRemovals(t *testing.T) {
	opt := blockstore.Asked(blockstore.Options{Sync: blockstore.SyncNever, BlockSize: 8 << 10})
	several := func(st store.Stream, seqs ...store.Seq) error {
		for _, seq := range seqs {
			if _, err := st.Remove(bg, seq); err != nil {
				return err
			}
		}
		return nil
	}
	purge := func(p store.Purge) func(store.Stream) error {
		return func(st store.Stream) error { _, err := st.Purge(bg, p); return err }
	}
	for name, remove := range map[string]func(store.Stream) error{
		"one":                 func(st store.Stream) error { return several(st, 7) },
		"one of each block":   func(st store.Stream) error { return several(st, 3, 50, 90, 119) },
		"many one by one":     func(st store.Stream) error { return several(st, 2, 3, 5, 8, 9, 10, 11, 13, 21, 34, 55) },
		"a subject":           purge(store.Purge{Subject: "s.1"}),
		"a pattern":           purge(store.Purge{Subject: "s.*"}),
		"the beginning":       purge(store.Purge{Below: 60}),
		"a subject's first":   purge(store.Purge{Subject: "s.2", Below: 70}),
		"all but some":        purge(store.Purge{Keep: 5}),
		"all":                 purge(store.Purge{}),
		"some, then a purge":  func(st store.Stream) error { return firstOf(several(st, 4, 5, 6), purge(store.Purge{Below: 40})(st)) },
		"all of a block's":    func(st store.Stream) error { return several(st, seqsTo(45)...) },
		"one, and back again": func(st store.Stream) error { return firstOf(several(st, 7, 9), st.Undelete(bg, 7)) },
		"a purge, partly back": func(st store.Stream) error {
			return firstOf(purge(store.Purge{Subject: "s.1"})(st), st.Undelete(bg, 2), st.Undelete(bg, 8))
		},
	} {
		for _, followed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", name, followed), func(t *testing.T) {
				mem := vfs.NewMem()
				s, err := openTrial(mem, opt)
				must(t, err)
				st, err := s.Create(bg, store.Config{Name: "S"})
				must(t, err)
				if followed {
					sub := st.Watch()
					defer sub.Close()
				}
				for i := range 120 {
					e := store.Entry{Subject: fmt.Sprintf("s.%d", i%3), Data: []byte(strings.Repeat("\"", 100+3*i))} // each byte is two as JSON
					if i%4 == 0 {
						e.Subject, e.Data = "t", append(e.Data, '\n')
					}
					_, err := st.Append(bg, e)
					must(t, err)
				}
				must(t, remove(st))
				want := totalsOfBlocks(t, st)
				killed := mem.Kill()
				must(t, s.Close())
				for how, f := range map[string]vfs.FS{"closed": mem, "killed": killed} {
					s, err := openTrial(f, opt)
					must(t, err)
					st, err := s.Stream(bg, "S")
					must(t, err)
					if got := totalsOfBlocks(t, st); got != want {
						t.Errorf("%s: %s, before it was opened again %s", how, got, want)
					}
					must(t, s.Close())
				}
			})
		}
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func seqsTo(n store.Seq) (out []store.Seq) {
	for seq := store.Seq(1); seq <= n; seq++ {
		out = append(out, seq)
	}
	return out
}

// totalsOfBlocks demands that the totals of a stream and of its extents are those of their messages, and returns those of the
// stream.
func totalsOfBlocks(t *testing.T, st store.Stream) string {
	t.Helper()
	extents, _, err := st.Extents(bg)
	must(t, err)
	if len(extents) < 3 {
		t.Errorf("%d blocks are too few", len(extents))
	}
	for i, x := range extents {
		var sum store.Totals
		for m, err := range st.Scan(bg, store.Query{From: x.First, To: x.Last}) {
			must(t, err)
			sum = sum.Add(m)
		}
		if x.Live != sum {
			t.Errorf("extent %d, from %d to %d, says %+v, its messages are %+v", i, x.First, x.Last, x.Live, sum)
		}
	}
	return totalsOf(t, st)
}
