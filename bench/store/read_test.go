package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func BenchmarkLoad(b *testing.B) {
	for _, order := range []string{"sequence", "random"} {
		b.Run("order="+order, func(b *testing.B) {
			each(b, func(b *testing.B, name string, open opener) {
				p := open(b, filled(b, name, open, million, 1, kept{}), kept{})
				loads(b, p, order, million, million)
				must(b, p.close())
			})
		})
	}
}

// loads loads n of the messages of p, in sequence or at random, after a first turn that warms the store up.
func loads(b *testing.B, p peer, order string, messages, n int) {
	b.Helper()
	for seq := 1; seq <= messages; seq += 10 {
		must(b, p.load(uint64(seq)))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	measure(b, n, func() {
		for i := range n {
			if order == "random" {
				i = rng.IntN(messages)
			}
			must(b, p.load(uint64(i+1)))
		}
	})
}

func BenchmarkScan(b *testing.B) {
	each(b, func(b *testing.B, name string, open opener) {
		p := open(b, filled(b, name, open, million, 1, kept{}), kept{})
		must(b, p.scan(million))
		measure(b, million, func() { must(b, p.scan(million)) })
		must(b, p.close())
	})
}

// keeps are the ways in which a store keeps what it is given.
var keeps = []struct {
	name string
	kept
}{
	{"plain", kept{}},
	{"s2", kept{s2: true}},
	{"aes", kept{cipher: "aes"}},
	{"chacha20", kept{cipher: "chacha20"}},
	{"s2+aes", kept{s2: true, cipher: "aes"}},
	{"s2+chacha20", kept{s2: true, cipher: "chacha20"}},
}

// BenchmarkKept appends to, and loads from, a store that compresses or encrypts. The payload is one letter 128 times,
// which S2 makes small.
func BenchmarkKept(b *testing.B) {
	const messages = 200_000
	for _, k := range keeps {
		b.Run("kept="+k.name, func(b *testing.B) {
			b.Run("work=append", func(b *testing.B) {
				each(b, func(b *testing.B, _ string, open opener) {
					p := open(b, b.TempDir(), k.kept)
					measure(b, messages, func() {
						for range messages {
							must(b, p.append("orders.new", payload))
						}
					})
					must(b, p.close())
				})
			})
			for _, order := range []string{"sequence", "random"} {
				b.Run("work="+order, func(b *testing.B) {
					each(b, func(b *testing.B, name string, open opener) {
						p := open(b, filled(b, name, open, messages, 1, k.kept), k.kept)
						n := messages
						if order == "random" && k.s2 {
							n = pick(name, messages, 1000) // the peer opens a whole block for each
						}
						loads(b, p, order, messages, n)
						must(b, p.close())
					})
				})
			}
		})
	}
}

// BenchmarkNextSparse finds the ten messages of a subject among a million, one at a time.
func BenchmarkNextSparse(b *testing.B) {
	const step = million / 10
	common := names(1000)
	each(b, func(b *testing.B, name string, open opener) {
		p := open(b, b.TempDir(), kept{batched: true})
		subjects := make([]string, step)
		for i := range subjects {
			subjects[i] = common[i%len(common)]
		}
		subjects[step/2] = "orders.rare"
		fill(b, p, million, subjects)
		_, err := p.next("orders.rare", 1)
		must(b, err)
		n := pick(name, 100_000, 50)
		measure(b, n, func() {
			for i := range n {
				got, err := p.next("orders.rare", uint64(i%10*step+1))
				want(b, got, err, uint64(i%10*step+step/2+1))
			}
		})
		must(b, p.close())
	})
}

// BenchmarkFindIn100k finds by literals among 100,000 subjects of ten messages each.
func BenchmarkFindIn100k(b *testing.B) {
	const subjects, ops = 100_000, 200_000
	names := names(subjects)
	calls := []struct {
		name string
		call func(b *testing.B, p peer, i int)
	}{
		{"last", func(b *testing.B, p peer, i int) {
			got, err := p.last(names[i])
			want(b, got, err, uint64(million-subjects+i+1))
		}},
		{"pending", func(b *testing.B, p peer, i int) {
			got, err := p.pending(names[i], million/2+1)
			want(b, got, err, 5)
		}},
		{"next", func(b *testing.B, p peer, i int) {
			got, err := p.next(names[i], million/2+1)
			want(b, got, err, uint64(million/2+i+1))
		}},
	}
	for _, c := range calls {
		b.Run("call="+c.name, func(b *testing.B) {
			each(b, func(b *testing.B, name string, open opener) {
				p := open(b, filled(b, name, open, million, subjects, kept{}), kept{})
				rng := rand.New(rand.NewPCG(1, 2))
				for range 1000 {
					c.call(b, p, rng.IntN(subjects))
				}
				measure(b, ops, func() {
					for range ops {
						c.call(b, p, rng.IntN(subjects))
					}
				})
				must(b, p.close())
			})
		})
	}
}

// BenchmarkSeekTime seeks times at random.
func BenchmarkSeekTime(b *testing.B) {
	each(b, func(b *testing.B, name string, open opener) {
		dir := filled(b, name, open, million, 1, kept{})
		p := open(b, dir, kept{})
		rng := rand.New(rand.NewPCG(1, 2))
		start, span := spans[dir][0], int64(spans[dir][1].Sub(spans[dir][0]))
		seek := func() {
			seq, err := p.seek(start.Add(time.Duration(rng.Int64N(span))))
			if err != nil || seq < 1 || seq > million+1 {
				b.Fatal(seq, err)
			}
		}
		n := pick(name, 200_000, 2000)
		for range n / 2 {
			seek()
		}
		measure(b, n, func() {
			for range n {
				seek()
			}
		})
		must(b, p.close())
	})
}

// BenchmarkFindIn1M counts among a million subjects of one message each.
func BenchmarkFindIn1M(b *testing.B) {
	names := names(million)
	run := func(call string, jsfs, nats int, do func(b *testing.B, p peer, i int)) {
		b.Run("call="+call, func(b *testing.B) {
			each(b, func(b *testing.B, name string, open opener) {
				p := open(b, filled(b, name, open, million, million, kept{}), kept{})
				do(b, p, 0)
				n := pick(name, jsfs, nats)
				measure(b, n, func() {
					for i := range n {
						do(b, p, i)
					}
				})
				must(b, p.close())
			})
		})
	}
	run("count", 200, 50, func(b *testing.B, p peer, i int) {
		got, err := p.count(fmt.Sprintf("orders.%d.*", i%10))
		want(b, got, err, million/10)
	})
	run("subjects", 10, 2, func(b *testing.B, p peer, _ int) {
		got, err := p.subjects()
		want(b, got, err, million)
	})
	run("pending", 100_000, 20_000, func(b *testing.B, p peer, i int) {
		i = i * 7919 % million
		got, err := p.pending(names[i], million/2+1)
		expect := uint64(0)
		if i >= million/2 {
			expect = 1
		}
		want(b, got, err, expect)
	})
}
