package store

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
)

const loaded = 1_000_000 // messages in the streams that are read

var payload = []byte(strings.Repeat("x", 128))

// peer is what is measured. It is used by one goroutine, but for append.
type peer interface {
	append(subject string, data []byte) error
	load(seq uint64) error
	remove(seq uint64) error
	close() error
}

type opener func(tb testing.TB, dir string, always bool) peer

var openers = []struct {
	name string
	open opener
}{{"jsfs", openJsfs}, {"nats", openNats}}

type jsfsPeer struct {
	st  store.Store
	s   store.Stream
	buf []byte
}

func openJsfs(tb testing.TB, dir string, always bool) peer {
	tb.Helper()
	opt := blockstore.Options{Sync: blockstore.SyncInterval}
	if always {
		opt.Sync = blockstore.SyncAlways
	}
	st, err := blockstore.OpenDir(dir, opt)
	if err != nil {
		tb.Fatal(err)
	}
	ctx := context.Background()
	s, err := st.Stream(ctx, "S")
	if err != nil {
		s, err = st.Create(ctx, store.Config{Name: "S"})
	}
	if err != nil {
		tb.Fatal(err)
	}
	return &jsfsPeer{st: st, s: s, buf: make([]byte, 4096)}
}

func (p *jsfsPeer) append(subject string, data []byte) error {
	_, err := p.s.Append(context.Background(), store.Entry{Subject: subject, Data: data})
	return err
}

func (p *jsfsPeer) load(seq uint64) error {
	_, err := p.s.Load(context.Background(), store.Seq(seq), p.buf)
	return err
}

func (p *jsfsPeer) remove(seq uint64) error {
	_, err := p.s.Remove(context.Background(), store.Seq(seq))
	return err
}

func (p *jsfsPeer) close() error { return p.st.Close() }

// each runs bench for both stores.
func each(b *testing.B, bench func(b *testing.B, open opener)) {
	for _, o := range openers {
		b.Run("store="+o.name, func(b *testing.B) { bench(b, o.open) })
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure resets the clock, runs f, and reports CPU time for each of n operations.
func measure(b *testing.B, n int, f func()) {
	runtime.GC()
	start := cpu()
	b.ResetTimer()
	f()
	b.StopTimer()
	b.ReportMetric(float64(cpu()-start)/float64(n), "cpu-ns/op")
}

func must(b *testing.B, err error) {
	if err != nil {
		b.Helper()
		b.Fatal(err)
	}
}

func subject(i, subjects int) string {
	if subjects == 1 {
		return "orders.new"
	}
	return fmt.Sprintf("orders.%d", i%subjects)
}

func BenchmarkAppend(b *testing.B) {
	for _, subjects := range []int{1, 100_000} {
		names := make([]string, subjects)
		for i := range names {
			names[i] = subject(i, subjects)
		}
		b.Run(fmt.Sprintf("subjects=%d", subjects), func(b *testing.B) {
			each(b, func(b *testing.B, open opener) {
				p := open(b, b.TempDir(), false)
				measure(b, b.N, func() {
					for i := range b.N {
						must(b, p.append(names[i%subjects], payload))
					}
				})
				must(b, p.close())
			})
		})
	}
}

func BenchmarkAppendAlways(b *testing.B) {
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			each(b, func(b *testing.B, open opener) {
				p := open(b, b.TempDir(), true)
				var left atomic.Int64
				left.Store(int64(b.N))
				measure(b, b.N, func() {
					var wg sync.WaitGroup
					for range writers {
						wg.Go(func() {
							for left.Add(-1) >= 0 {
								if err := p.append("orders.new", payload); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					wg.Wait()
				})
				must(b, p.close())
			})
		})
	}
}

// filled returns a closed store with the loaded messages on one subject.
func filled(b *testing.B, open opener) string {
	b.Helper()
	dir := b.TempDir()
	p := open(b, dir, false)
	for range loaded {
		must(b, p.append("orders.new", payload))
	}
	must(b, p.close())
	return dir
}

func BenchmarkLoad(b *testing.B) {
	each(b, func(b *testing.B, open opener) {
		dir := filled(b, open)
		for _, order := range []string{"sequence", "random"} {
			b.Run("order="+order, func(b *testing.B) {
				p := open(b, dir, false)
				rng := rand.New(rand.NewPCG(1, 2))
				measure(b, b.N, func() {
					for i := range b.N {
						seq := uint64(i%loaded) + 1
						if order == "random" {
							seq = rng.Uint64N(loaded) + 1
						}
						must(b, p.load(seq))
					}
				})
				must(b, p.close())
			})
		}
	})
}

func BenchmarkRemove(b *testing.B) {
	for _, order := range []string{"front", "random"} {
		b.Run("order="+order, func(b *testing.B) {
			each(b, func(b *testing.B, open opener) {
				p := open(b, b.TempDir(), false)
				for range b.N {
					must(b, p.append("orders.new", payload))
				}
				seqs := rand.New(rand.NewPCG(1, 2)).Perm(b.N)
				measure(b, b.N, func() {
					for i := range b.N {
						if order == "random" {
							i = seqs[i]
						}
						must(b, p.remove(uint64(i)+1))
					}
				})
				must(b, p.close())
			})
		})
	}
}

// BenchmarkOpen opens a store of a million messages after a clean stop, and as a kill
// leaves it: a copy of its files taken while it was open, nats-server's index file with them.
func BenchmarkOpen(b *testing.B) {
	each(b, func(b *testing.B, open opener) {
		clean := filled(b, open)
		p := open(b, clean, false)
		must(b, p.append("orders.new", payload))
		killed := b.TempDir()
		must(b, copyTree(killed, clean))
		must(b, p.close())
		b.Run("stop=clean", func(b *testing.B) {
			openTimes(b, open, func() string { return clean })
		})
		b.Run("stop=kill", func(b *testing.B) {
			openTimes(b, open, func() string {
				dir := b.TempDir()
				must(b, copyTree(dir, killed))
				return dir
			})
		})
	})
}

func openTimes(b *testing.B, open opener, dir func() string) {
	var heap uint64
	var used time.Duration
	for range b.N {
		b.StopTimer()
		d := dir()
		before := heapInUse()
		start := cpu()
		b.StartTimer()
		p := open(b, d, false)
		b.StopTimer()
		used += cpu() - start
		heap += heapInUse() - before
		must(b, p.close())
	}
	b.ReportMetric(float64(used)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(heap)/float64(b.N)/loaded, "heap-B/msg")
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func copyTree(to, from string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if e.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	})
}
