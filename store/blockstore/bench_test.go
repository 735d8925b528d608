package blockstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"jsfs/store"
)

// cpuNanos is the processor time that this process has used.
func cpuNanos(b *testing.B) int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// measure runs f for b.N messages and reports processor time a message.
func measure(b *testing.B, f func(n int)) {
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuNanos(b)
	f(b.N)
	b.StopTimer()
	b.ReportMetric(float64(cpuNanos(b)-before)/float64(b.N), "cpu-ns/op")
}

func benchStream(b *testing.B, opt Options) (store.Store, store.Stream) {
	b.Helper()
	st, err := OpenDir(b.TempDir(), opt)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	s, err := st.Create(b.Context(), store.Config{Name: "S"})
	if err != nil {
		b.Fatal(err)
	}
	return st, s
}

var payload128 = []byte(fmt.Sprintf("%-127s\n", "a message of one hundred and twenty-eight bytes, with some text in it"))

// fillStream stores n messages of 128 bytes on that many subjects.
func fillStream(b *testing.B, s store.Stream, n, subjects int) {
	b.Helper()
	es := make([]store.Entry, 0, 1000)
	for i := range n {
		es = append(es, store.Entry{Subject: fmt.Sprintf("orders.%d", i%subjects), Data: payload128})
		if len(es) == cap(es) || i == n-1 {
			if _, err := s.AppendAll(b.Context(), es); err != nil {
				b.Fatal(err)
			}
			es = es[:0]
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, sync := range []Sync{SyncInterval, SyncNever} {
		b.Run(sync.String(), func(b *testing.B) {
			_, s := benchStream(b, Options{Sync: sync})
			ctx := b.Context()
			measure(b, func(n int) {
				for range n {
					if _, err := s.Append(ctx, store.Entry{Subject: "orders.new", Data: payload128}); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func BenchmarkAppendAll(b *testing.B) {
	_, s := benchStream(b, Options{Sync: SyncInterval})
	measure(b, func(n int) { fillStream(b, s, n, 1) })
}

// BenchmarkAppendAlways shows how many writers share a disk sync.
func BenchmarkAppendAlways(b *testing.B) {
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			_, s := benchStream(b, Options{Sync: SyncAlways})
			var left atomic.Int64
			left.Store(int64(b.N))
			ctx := b.Context()
			measure(b, func(int) {
				var wg sync.WaitGroup
				for range writers {
					wg.Go(func() {
						for left.Add(-1) >= 0 {
							if _, err := s.Append(ctx, store.Entry{Subject: "orders.new", Data: payload128}); err != nil {
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
			})
		})
	}
}

const benchMessages = 1_000_000

func BenchmarkLoad(b *testing.B) {
	_, s := benchStream(b, Options{Sync: SyncNever})
	fillStream(b, s, benchMessages, 1000)
	ctx := b.Context()
	buf := make([]byte, 4096)
	load := func(seq int) {
		if m, err := s.Load(ctx, store.Seq(seq), buf); err != nil || len(m.Data) != 128 {
			b.Fatal(m, err)
		}
	}
	b.Run("sequential", func(b *testing.B) {
		measure(b, func(n int) {
			for i := range n {
				load(i%benchMessages + 1)
			}
		})
	})
	b.Run("random", func(b *testing.B) {
		rng := rand.New(rand.NewPCG(1, 2))
		measure(b, func(n int) {
			for range n {
				load(rng.IntN(benchMessages) + 1)
			}
		})
	})
	b.Run("stat", func(b *testing.B) {
		measure(b, func(n int) {
			for i := range n {
				if _, err := s.Stat(ctx, store.Seq(i%benchMessages+1)); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("scan", func(b *testing.B) {
		measure(b, func(n int) {
			for n > 0 {
				for _, err := range s.Scan(ctx, store.Query{}) {
					if err != nil {
						b.Fatal(err)
					}
					if n--; n == 0 {
						break
					}
				}
			}
		})
	})
	b.Run("last on a subject", func(b *testing.B) {
		measure(b, func(n int) {
			for i := range n {
				if _, err := s.LoadLast(ctx, fmt.Sprintf("orders.%d", i%1000), buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

func BenchmarkRemove(b *testing.B) {
	for _, order := range []string{"front", "random"} {
		b.Run(order, func(b *testing.B) {
			_, s := benchStream(b, Options{Sync: SyncInterval})
			n := max(b.N, 1)
			fillStream(b, s, n, 1000)
			seqs := make([]int, n)
			for i := range seqs {
				seqs[i] = i + 1
			}
			if order == "random" {
				rand.New(rand.NewPCG(1, 2)).Shuffle(n, func(i, j int) { seqs[i], seqs[j] = seqs[j], seqs[i] })
			}
			ctx := b.Context()
			measure(b, func(int) {
				for _, seq := range seqs {
					if ok, err := s.Remove(ctx, store.Seq(seq)); !ok || err != nil {
						b.Fatal(seq, ok, err)
					}
				}
			})
		})
	}
}

// BenchmarkOpen opens a store of a million messages, and reports the memory that it keeps.
func BenchmarkOpen(b *testing.B) {
	for _, how := range []string{"clean", "killed"} {
		b.Run(how, func(b *testing.B) {
			dir := b.TempDir()
			opt := Options{Sync: SyncNever}
			st, err := OpenDir(dir, opt)
			if err != nil {
				b.Fatal(err)
			}
			s, err := st.Create(b.Context(), store.Config{Name: "S"})
			if err != nil {
				b.Fatal(err)
			}
			fillStream(b, s, benchMessages, 1000)
			if how == "clean" {
				if err := st.Close(); err != nil {
					b.Fatal(err)
				}
			} else { // as the kernel leaves it when the process ends
				_ = st.(*Store).lock.Close()
			}
			openTimes(b, dir)
			_ = st.Close()
		})
	}
}

func openTimes(b *testing.B, dir string) {
	before := heap()
	var grown uint64
	measure(b, func(n int) {
		for range n {
			st, err := OpenDir(dir, Options{ReadOnly: true})
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			s, err := st.Stream(context.Background(), "S")
			if err != nil {
				b.Fatal(err)
			}
			if state, err := s.State(context.Background()); err != nil || state.Live.Messages != benchMessages || state.Lost != 0 {
				b.Fatalf("%+v %v", state, err)
			}
			if after := heap(); after > before {
				grown = after - before
			}
			if err := st.Close(); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	b.ReportMetric(float64(grown)/benchMessages, "heap-B/msg")
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkFile is what the operating system takes for the same bytes without a store: the
// floor for Append and for Load at random.
func BenchmarkFile(b *testing.B) {
	f, err := os.Create(b.TempDir() + "/file")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, 160)
	b.Run("write", func(b *testing.B) {
		measure(b, func(n int) {
			for i := range n {
				if _, err := f.WriteAt(buf, int64(i*len(buf))); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	if _, err := f.WriteAt(make([]byte, benchMessages*len(buf)), 0); err != nil {
		b.Fatal(err)
	}
	b.Run("read at random", func(b *testing.B) {
		rng := rand.New(rand.NewPCG(1, 2))
		measure(b, func(n int) {
			for range n {
				if _, err := f.ReadAt(buf, int64(rng.IntN(benchMessages)*len(buf))); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}
