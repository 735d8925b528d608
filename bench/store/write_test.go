package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func BenchmarkAppend(b *testing.B) {
	for _, subjects := range []int{1, 100_000, million} {
		names := names(subjects)
		b.Run(spread(subjects), func(b *testing.B) {
			each(b, func(b *testing.B, _ string, open opener) {
				p := open(b, b.TempDir(), kept{})
				measure(b, million, func() {
					for i := range million {
						must(b, p.append(names[i%subjects], payload))
					}
				})
				must(b, p.close())
			})
		})
	}
}

// BenchmarkBatch appends a thousand messages at a time.
func BenchmarkBatch(b *testing.B) {
	for _, subjects := range []int{1, 100_000, million} {
		names := names(subjects)
		b.Run(spread(subjects), func(b *testing.B) {
			each(b, func(b *testing.B, _ string, open opener) {
				p := open(b, b.TempDir(), kept{batched: true})
				measure(b, million, func() { fill(b, p, million, names) })
				must(b, p.close())
			})
		})
	}
}

// BenchmarkAlways syncs every message; what counts is the time that passes.
func BenchmarkAlways(b *testing.B) {
	for _, writers := range []int{1, 16} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			each(b, func(b *testing.B, name string, open opener) {
				n := pick(name, 1000*writers, 1000)
				p := open(b, b.TempDir(), kept{always: true})
				measure(b, n, func() {
					var left atomic.Int64
					left.Store(int64(n))
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

func BenchmarkRemove(b *testing.B) {
	const messages = 300_000
	for _, order := range []string{"front", "random"} {
		b.Run("order="+order, func(b *testing.B) {
			each(b, func(b *testing.B, _ string, open opener) {
				p := open(b, b.TempDir(), kept{})
				fill(b, p, messages, names(1))
				seqs := rand.New(rand.NewPCG(1, 2)).Perm(messages)
				measure(b, messages, func() {
					for i := range messages {
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

// BenchmarkErase overwrites messages on disk, for the stores that do. Each is on disk before the next one is asked for. What
// jsfs takes besides is reported, too: less the CPU time of the two syncs that there must be, of files of that size, measured
// by turns with it.
func BenchmarkErase(b *testing.B) {
	each(b, func(b *testing.B, name string, open opener) {
		dir := b.TempDir()
		p := open(b, dir, kept{})
		e, ok := p.(interface{ erase(seq uint64) error })
		if !ok {
			b.Skip("this store does not erase")
		}
		const messages = 100_000
		fill(b, p, messages, names(1))
		n := pick(name, 1000, 50)
		syncs := newSyncs(b, dir)
		var erasing, syncing, passed time.Duration
		runtime.GC()
		for i := range n {
			start, before := time.Now(), cpu()
			must(b, e.erase(uint64(i*(messages/1000)+1)))
			passed, erasing = passed+time.Since(start), erasing+cpu()-before
			before = cpu()
			syncs.two(b)
			syncing += cpu() - before
		}
		syncs.close(b)
		must(b, p.close())
		b.ReportMetric(float64(passed)/float64(n), "ns/op")
		b.ReportMetric(float64(erasing)/float64(n), "cpu-ns/op")
		if name == "jsfs" {
			b.ReportMetric(float64(erasing-syncing)/float64(n), "besides-cpu-ns/op")
		}
	})
}

// syncs are two files to which is done what an erasure can't do without.
type syncs struct {
	tail, block *os.File
	n           int64
}

const syncsSize = 8 << 20

func newSyncs(b *testing.B, dir string) *syncs {
	b.Helper()
	var files [2]*os.File
	for i := range files {
		var err error
		files[i], err = os.Create(filepath.Join(dir, fmt.Sprint("sync", i)))
		must(b, err)
		_, err = files[i].Write(make([]byte, syncsSize))
		must(b, err)
		must(b, files[i].Sync())
	}
	return &syncs{tail: files[0], block: files[1]}
}

// two puts bytes behind one file and syncs it, and then overwrites some of the other one and syncs that.
func (s *syncs) two(b *testing.B) {
	b.Helper()
	control, message := make([]byte, 100), make([]byte, 150)
	_, err := s.tail.WriteAt(control, syncsSize+s.n*int64(len(control)))
	must(b, err)
	must(b, s.tail.Sync())
	_, err = s.block.WriteAt(message, s.n*8000%syncsSize)
	must(b, err)
	must(b, s.block.Sync())
	s.n++
}

func (s *syncs) close(b *testing.B) {
	b.Helper()
	must(b, s.tail.Close())
	must(b, s.block.Close())
}

// BenchmarkPurge purges subjects of ten messages each.
func BenchmarkPurge(b *testing.B) {
	const subjects, purged = 100_000, 2000
	names := names(subjects)
	each(b, func(b *testing.B, _ string, open opener) {
		p := open(b, b.TempDir(), kept{batched: true})
		fill(b, p, million, names)
		got, err := p.purge(names[subjects-1]) // whoever makes an index for it makes it now
		want(b, got, err, 10)
		measure(b, purged, func() {
			for i := range purged {
				got, err := p.purge(names[i*31])
				want(b, got, err, 10)
			}
		})
		must(b, p.close())
	})
}
