package store

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
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

// BenchmarkErase overwrites messages on disk, for the stores that do.
func BenchmarkErase(b *testing.B) {
	each(b, func(b *testing.B, name string, open opener) {
		p := open(b, b.TempDir(), kept{})
		e, ok := p.(interface{ erase(seq uint64) error })
		if !ok {
			b.Skip("this store does not erase")
		}
		const messages = 100_000
		fill(b, p, messages, names(1))
		n := pick(name, 1000, 50)
		measure(b, n, func() {
			for i := range n {
				must(b, e.erase(uint64(i*(messages/1000)+1)))
			}
		})
		must(b, p.close())
	})
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
