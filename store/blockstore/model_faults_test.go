package blockstore

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
	"jsfs/store/storetest"
)

// failingEngine keeps its stores in memory, on disks that can fail.
func failingEngine(opt Options) storetest.Failing {
	var mu sync.Mutex
	disks, forgot := map[string]*vfs.Fail{}, map[string]*forgetting{}
	disk := func(dir string) *vfs.Fail {
		mu.Lock()
		defer mu.Unlock()
		if disks[dir] == nil {
			disks[dir], forgot[dir] = vfs.NewFail(vfs.NewMem()), &forgetting{Handler: slog.DiscardHandler}
		}
		return disks[dir]
	}
	return storetest.Failing{
		Engine: storetest.Engine{
			Durable: true, Compression: opt.Compression,
			Open: func(tb testing.TB, dir string) store.Store {
				tb.Helper()
				d, opt := disk(dir), opt
				opt.Logger = slog.New(forgot[dir])
				s, err := Open(d, opt)
				if err != nil {
					tb.Fatal(err)
				}
				return s
			},
		},
		Fail: func(dir string, f storetest.Fault) {
			disk(dir).Set(vfs.Fault{
				At: f.At, ForGood: f.ForGood, Err: f.Err, Growing: f.Err == syscall.ENOSPC,
				Match: func(call, _ string) bool { return slices.Contains(f.Calls, call) },
			})
		},
		Failed: func(dir string) int { return len(disk(dir).Failed()) },
		Forgot: func(dir string) bool { return forgot[dir].it.Swap(false) },
	}
}

// forgetting notes that the log says that removed messages are forgotten to make room.
type forgetting struct {
	slog.Handler
	it atomic.Bool
}

func (f *forgetting) Enabled(context.Context, slog.Level) bool { return true }

func (f *forgetting) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "forgotten to make room") {
		f.it.Store(true)
	}
	return nil
}

// TestModelOfFaults is TestModel on a disk that fails now and then.
func TestModelOfFaults(t *testing.T) {
	for _, k := range kinds {
		k.opt.KeepDeleted, k.opt.asked = storetest.Keep, true
		t.Run(k.name, func(t *testing.T) { storetest.FaultModel(t, failingEngine(k.opt)) })
	}
}
