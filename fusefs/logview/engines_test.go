package logview_test

import (
	"fmt"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/memstore"
)

// engine makes new streams in a store of its own.
type engine struct {
	name string
	open func(t testing.TB) store.Store
}

var engines = []engine{
	{"memstore", func(testing.TB) store.Store { return memstore.New(memstore.Options{}) }},
	{"blockstore", func(t testing.TB) store.Store {
		s, err := blockstore.OpenDir(t.TempDir(), blockstore.Options{Sync: blockstore.SyncNever, BlockSize: 16 << 10})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}},
}

// streams returns what makes new streams in a store of the engine.
func (e engine) streams(t testing.TB) func(testing.TB) store.Stream {
	t.Helper()
	s := e.open(t)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	n := 0
	return func(t testing.TB) store.Stream {
		t.Helper()
		n++
		st, err := s.Create(t.Context(), store.Config{Name: fmt.Sprintf("S%d", n)})
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
}

// onEveryEngine runs a test on a new stream maker of each engine.
func onEveryEngine(t *testing.T, test func(t *testing.T, newStream func(testing.TB) store.Stream)) {
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) { test(t, e.streams(t)) })
	}
}

func newMemStream(t testing.TB) store.Stream { return engines[0].streams(t)(t) }
