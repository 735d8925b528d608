package store

import (
	"context"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
)

// BenchmarkConsume delivers messages and acknowledges each. Retention by work queue or interest removes it then.
func BenchmarkConsume(b *testing.B) {
	const messages = 200_000
	for _, r := range []store.Retention{store.RetentionLimits, store.RetentionWorkQueue, store.RetentionInterest} {
		b.Run("retention="+string(r)+"/store=jsfs", func(b *testing.B) {
			ctx := context.Background()
			st, err := blockstore.OpenDir(b.TempDir(), blockstore.Options{Sync: blockstore.SyncInterval})
			must(b, err)
			s, err := st.Create(ctx, store.Config{Name: "S", Retention: r})
			must(b, err)
			c, err := s.CreateConsumer(ctx, store.ConsumerConfig{Name: "c"})
			must(b, err)
			es := make([]store.Entry, 10_000)
			for i := range es {
				es[i] = store.Entry{Subject: "orders.new", Data: payload}
			}
			for n := 0; n < messages; n += len(es) {
				_, err := s.AppendAll(ctx, es)
				must(b, err)
			}
			buf := make([]byte, 4096)
			measure(b, messages, func() {
				for range messages {
					d, err := c.Next(ctx, buf)
					must(b, err)
					must(b, c.Ack(ctx, d.Seq))
				}
			})
			must(b, st.Close())
		})
	}
}
