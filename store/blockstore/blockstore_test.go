package blockstore

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/internal/vfs"
	"jsfs/store/keys"
	"jsfs/store/storetest"
)

// kinds are the ways in which the whole suite opens a store.
var kinds = []struct {
	name string
	opt  Options
	few  bool
}{
	{"always, small blocks", Options{Sync: SyncAlways, BlockSize: minBlockSize}, false},
	{"interval, blocks of 16 KiB", Options{Sync: SyncInterval, BlockSize: 16 << 10}, false},
	{"never, large blocks", Options{Sync: SyncNever}, false},
	{"never, small blocks, compressed", Options{Sync: SyncNever, BlockSize: minBlockSize, Compression: store.CompressionS2}, false},
	{"interval, small blocks, AES", Options{Sync: SyncInterval, BlockSize: minBlockSize, Secret: testSecret}, true},
	{"always, small blocks, ChaCha20", Options{BlockSize: minBlockSize, Secret: testSecret, Cipher: keys.ChaCha20}, true},
	{"never, compressed, AES", Options{Sync: SyncNever, Secret: testSecret, Compression: store.CompressionS2}, false},
	{"never, small blocks, compressed, ChaCha20", Options{
		Sync: SyncNever, BlockSize: minBlockSize, Secret: testSecret, Cipher: keys.ChaCha20, Compression: store.CompressionS2,
	}, true},
	{"interval, no cache", Options{Sync: SyncInterval, BlockSize: minBlockSize, CacheBytes: 1, MaxFiles: 1}, true},
}

// testSecret is never wiped.
var testSecret = func() *keys.Secret {
	s, err := keys.OfKey([]byte("a key of 32 bytes that all know!"))
	if err != nil {
		panic(err)
	}
	return s
}()

func engine(opt Options) storetest.Engine {
	return storetest.Engine{
		Durable: true, Compression: opt.Compression,
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
		Durable: true, Compression: opt.Compression,
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
		t.Run(k.name, func(t *testing.T) {
			t.Parallel() // consumers and mirrors wait a lot
			e := memEngine(k.opt)
			e.Few = k.few
			storetest.Run(t, e)
		})
	}
}

func TestConformanceOnDisk(t *testing.T) {
	t.Parallel()
	storetest.Run(t, engine(kinds[1].opt))
}

func TestModel(t *testing.T) {
	for _, k := range kinds {
		k.opt.KeepDeleted, k.opt.asked = storetest.Keep, true
		t.Run(k.name, func(t *testing.T) { storetest.Model(t, memEngine(k.opt)) })
	}
}

// TestModelOfKept is TestModel for what is kept of what was removed.
func TestModelOfKept(t *testing.T) {
	for _, keep := range []time.Duration{storetest.Keep, storetest.LongKeep} {
		for _, k := range kinds {
			k.opt.KeepDeleted, k.opt.asked = keep, true
			t.Run(fmt.Sprint(k.name, ", ", keep), func(t *testing.T) { storetest.KeptModel(t, memEngine(k.opt), keep) })
		}
	}
}

func TestFollowers(t *testing.T) {
	for _, k := range kinds[:3] {
		t.Run(k.name, func(t *testing.T) { storetest.Followers(t, memEngine(k.opt)) })
	}
}
