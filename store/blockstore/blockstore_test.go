package blockstore

import (
	"sync"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
	"jsfs/store/storetest"
)

// kinds are the ways in which the whole suite opens a store.
var kinds = []struct {
	name string
	opt  Options
}{
	{"always, small blocks", Options{Sync: SyncAlways, BlockSize: minBlockSize}},
	{"interval, blocks of 16 KiB", Options{Sync: SyncInterval, BlockSize: 16 << 10}},
	{"never, large blocks", Options{Sync: SyncNever}},
	{"interval, small blocks, compressed", Options{Sync: SyncInterval, BlockSize: minBlockSize, Compress: true}},
	{"interval, no cache", Options{Sync: SyncInterval, BlockSize: minBlockSize, CacheBytes: 1, MaxFiles: 1}},
}

func engine(opt Options) storetest.Engine {
	return storetest.Engine{
		Durable: true,
		Open: func(tb testing.TB, dir string) store.Store {
			tb.Helper()
			s, err := OpenDir(dir, opt)
			if err != nil {
				tb.Fatal(err)
			}
			return s
		},
	}
}

// memEngine keeps its stores in memory, so that no time goes by for disk syncs.
func memEngine(opt Options) storetest.Engine {
	var mu sync.Mutex
	dirs := map[string]*vfs.Mem{}
	return storetest.Engine{
		Durable: true,
		Open: func(tb testing.TB, dir string) store.Store {
			tb.Helper()
			mu.Lock()
			defer mu.Unlock()
			if dirs[dir] == nil {
				dirs[dir] = vfs.NewMem()
			}
			s, err := Open(dirs[dir], opt)
			if err != nil {
				tb.Fatal(err)
			}
			return s
		},
	}
}

func TestConformance(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) { storetest.Run(t, memEngine(k.opt)) })
	}
}

func TestConformanceOnDisk(t *testing.T) {
	storetest.Run(t, engine(kinds[1].opt))
}

func TestModel(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) { storetest.Model(t, memEngine(k.opt)) })
	}
}
