package store

import (
	"context"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
)

// BenchmarkConsume delivers messages and acknowledges each.
func BenchmarkConsume(b *testing.B) {
	for _, r := range []store.Retention{store.RetentionLimits, store.RetentionWorkQueue, store.RetentionInterest} {
		b.Run("retention="+string(r), func(b *testing.B) {
			ctx := context.Background()
			st, err := blockstore.OpenDir(b.TempDir(), blockstore.Options{Sync: blockstore.SyncInterval})
			must(b, err)
			s, err := st.Create(ctx, store.Config{Name: "S", Retention: r})
			must(b, err)
			c, err := s.CreateConsumer(ctx, store.ConsumerConfig{Name: "c"})
			must(b, err)
			es := make([]store.Entry, min(b.N, 10_000))
			for i := range es {
				es[i] = store.Entry{Subject: "orders.new", Data: payload}
			}
			for n := 0; n < b.N; n += len(es) {
				_, err := s.AppendAll(ctx, es[:min(len(es), b.N-n)])
				must(b, err)
			}
			buf := make([]byte, 4096)
			measure(b, b.N, func() {
				for range b.N {
					d, err := c.Next(ctx, buf)
					must(b, err)
					must(b, c.Ack(ctx, d.Seq))
				}
			})
			must(b, st.Close())
		})
	}
}
