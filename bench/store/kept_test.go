package store

import (
	"context"
	"math/rand/v2"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/keys"
)

// kept are the ways in which a store of ours keeps what it is given.
var kept = []struct {
	name        string
	compression store.Compression
	cipher      keys.Cipher
}{
	{"plain", store.CompressionNone, 0},
	{"s2", store.CompressionS2, 0},
	{"aes", store.CompressionNone, keys.AES},
	{"chacha20", store.CompressionNone, keys.ChaCha20},
	{"s2+aes", store.CompressionS2, keys.AES},
	{"s2+chacha20", store.CompressionS2, keys.ChaCha20},
}

// BenchmarkKept appends to, and loads from, a store that compresses or encrypts.
func BenchmarkKept(b *testing.B) {
	const messages = 200_000
	for _, k := range kept {
		open := func(b *testing.B, dir string) *jsfsPeer {
			opt := blockstore.Options{Sync: blockstore.SyncInterval, Compression: k.compression}
			if k.cipher != 0 {
				secret, err := keys.OfKey([]byte("a key of 32 bytes that all know!"))
				must(b, err)
				opt.Secret, opt.Cipher = secret, k.cipher
			}
			st, err := blockstore.OpenDir(dir, opt)
			must(b, err)
			s, err := st.Stream(context.Background(), "S")
			if err != nil {
				s, err = st.Create(context.Background(), store.Config{Name: "S"})
			}
			must(b, err)
			return &jsfsPeer{st: st, s: s, buf: make([]byte, 4096)}
		}
		b.Run("kept="+k.name+"/work=append", func(b *testing.B) {
			p := open(b, b.TempDir())
			measure(b, b.N, func() {
				for range b.N {
					must(b, p.append("orders.new", payload))
				}
			})
			must(b, p.close())
		})
		dir := b.TempDir()
		p := open(b, dir)
		for range messages {
			must(b, p.append("orders.new", payload))
		}
		must(b, p.close())
		for _, order := range []string{"sequence", "random"} {
			b.Run("kept="+k.name+"/work=load/order="+order, func(b *testing.B) {
				p := open(b, dir)
				rng := rand.New(rand.NewPCG(1, 2))
				measure(b, b.N, func() {
					for i := range b.N {
						seq := uint64(i%messages) + 1
						if order == "random" {
							seq = rng.Uint64N(messages) + 1
						}
						must(b, p.load(seq))
					}
				})
				must(b, p.close())
			})
		}
	}
}
