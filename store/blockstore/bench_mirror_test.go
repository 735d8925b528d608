package blockstore_test

import (
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
)

// BenchmarkCatchUp is the time that a follower takes a message to get to the end of its origin, which has
// messages of 128 bytes on one subject.
func BenchmarkCatchUp(b *testing.B) {
	for _, c := range []struct {
		name string
		cfg  store.Config
	}{
		{"mirror", store.Config{Name: "T", Mirror: &store.Source{Name: "O"}}},
		{"source", store.Config{Name: "T", Sources: []store.Source{{Name: "O"}}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, err := blockstore.OpenDir(b.TempDir(), blockstore.Options{Sync: blockstore.SyncNever})
			must(b, err)
			defer func() { must(b, s.Close()) }()
			o, err := s.Create(bg, store.Config{Name: "O"})
			must(b, err)
			es := make([]store.Entry, 1000)
			for i := range es {
				es[i] = store.Entry{Subject: "bench", Data: make([]byte, 128)}
			}
			for n := b.N; n > 0; n -= len(es) {
				_, err := o.AppendAll(bg, es[:min(n, len(es))])
				must(b, err)
			}
			b.ResetTimer()
			t, err := s.Create(bg, c.cfg)
			must(b, err)
			for {
				state, err := t.State(bg)
				must(b, err)
				if int(state.Last) >= b.N { //nolint:gosec // small
					return
				}
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
}
