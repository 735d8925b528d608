package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"jsfs/store"
)

// finder is what is measured of finding. Answers are numbers, so that a wrong one is seen.
type finder interface {
	peer
	next(subject string, from uint64) (uint64, error) // 0 if there is none
	last(subject string) (uint64, error)
	seek(t time.Time) (uint64, error)
	count(pattern string) (uint64, error)
	subjects() (uint64, error) // walks all of them, with their totals
	pending(subject string, from uint64) (uint64, error)
}

func (p *jsfsPeer) next(subject string, from uint64) (uint64, error) {
	m, err := p.s.Next(context.Background(), store.Query{From: store.Seq(from), Subject: subject}, p.buf)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return uint64(m.Seq), err
}

func (p *jsfsPeer) last(subject string) (uint64, error) {
	m, err := p.s.LoadLast(context.Background(), subject, p.buf)
	return uint64(m.Seq), err
}

func (p *jsfsPeer) seek(t time.Time) (uint64, error) {
	seq, err := p.s.SeekTime(context.Background(), t.UnixNano())
	return uint64(seq), err
}

func (p *jsfsPeer) count(pattern string) (uint64, error) {
	c, err := p.s.Count(context.Background(), store.Query{Subject: pattern})
	return c.Messages, err
}

func (p *jsfsPeer) subjects() (n uint64, err error) {
	for c, err := range p.s.Subjects(context.Background(), "", "") {
		if err != nil {
			return 0, err
		}
		n += c.Messages
	}
	return n, nil
}

func (p *jsfsPeer) pending(subject string, from uint64) (uint64, error) {
	n, _, err := p.s.Pending(context.Background(), store.Query{From: store.Seq(from), Subject: subject}, false)
	return n, err
}

func (p *natsPeer) next(subject string, from uint64) (uint64, error) {
	sm, _, err := natsLoadNextMsg(p.fs, subject, false, from, &p.sm)
	if errors.Is(err, server.ErrStoreEOF) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return natsSeq(sm), nil
}

func (p *natsPeer) last(subject string) (uint64, error) {
	sm, err := natsLoadLastMsg(p.fs, subject, &p.sm)
	if err != nil {
		return 0, err
	}
	return natsSeq(sm), nil
}

func (p *natsPeer) seek(t time.Time) (uint64, error) { return natsSeqFromTime(p.fs, t), nil }

func (p *natsPeer) count(pattern string) (uint64, error) {
	s, err := natsFilteredState(p.fs, 1, pattern)
	return s.Msgs, err
}

func (p *natsPeer) subjects() (n uint64, err error) {
	for _, k := range natsSubjectsTotals(p.fs, ">") {
		n += k
	}
	return n, nil
}

func (p *natsPeer) pending(subject string, from uint64) (uint64, error) {
	n, _, err := natsNumPending(p.fs, from, subject, false)
	return n, err
}

// eachFinder runs bench for both stores, filled with the loaded messages on the subjects that name gives.
func eachFinder(b *testing.B, name func(i int) string, bench func(b *testing.B, f finder)) {
	each(b, func(b *testing.B, open opener) {
		dir := b.TempDir()
		p := open(b, dir, false)
		for i := range loaded {
			must(b, p.append(name(i), payload))
		}
		must(b, p.close())
		f := open(b, dir, false).(finder)
		bench(b, f)
		must(b, f.close())
	})
}

func want(b *testing.B, got uint64, err error, want uint64) {
	if err != nil || got != want {
		b.Helper()
		b.Fatalf("got %d, %v, want %d", got, err, want)
	}
}

// BenchmarkNextSparse finds the ten messages of a subject among a million, one at a time.
func BenchmarkNextSparse(b *testing.B) {
	const step = loaded / 10
	name := func(i int) string {
		if i%step == step/2 {
			return "orders.rare"
		}
		return subject(i, 1000)
	}
	eachFinder(b, name, func(b *testing.B, f finder) {
		_, err := f.next("orders.rare", 1)
		must(b, err)
		measure(b, b.N, func() {
			for i := range b.N {
				got, err := f.next("orders.rare", uint64(i%10*step+1))
				want(b, got, err, uint64(i%10*step+step/2+1))
			}
		})
	})
}

// BenchmarkFindIn100k finds by literals among 100,000 subjects of ten messages each.
func BenchmarkFindIn100k(b *testing.B) {
	const subjects = 100_000
	eachFinder(b, func(i int) string { return subject(i, subjects) }, func(b *testing.B, f finder) {
		names := make([]string, subjects)
		for i := range names {
			names[i] = subject(i, subjects)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		_, err := f.pending(names[0], loaded/2)
		must(b, err)
		b.Run("call=last", func(b *testing.B) {
			measure(b, b.N, func() {
				for range b.N {
					i := rng.IntN(subjects)
					got, err := f.last(names[i])
					want(b, got, err, uint64(loaded-subjects+i+1))
				}
			})
		})
		b.Run("call=pending", func(b *testing.B) {
			measure(b, b.N, func() {
				for range b.N {
					got, err := f.pending(names[rng.IntN(subjects)], loaded/2+1)
					want(b, got, err, 5)
				}
			})
		})
		b.Run("call=next", func(b *testing.B) {
			measure(b, b.N, func() {
				for range b.N {
					i := rng.IntN(subjects)
					got, err := f.next(names[i], loaded/2+1)
					want(b, got, err, uint64(loaded/2+i+1))
				}
			})
		})
	})
}

// BenchmarkSeekTime seeks times at random.
func BenchmarkSeekTime(b *testing.B) {
	var start, end time.Time
	name := func(i int) string {
		switch i {
		case 0:
			start = time.Now()
		case loaded - 1:
			end = time.Now()
		}
		return subject(i, 1000)
	}
	eachFinder(b, name, func(b *testing.B, f finder) {
		rng := rand.New(rand.NewPCG(1, 2))
		span := int64(end.Sub(start))
		seek := func() {
			seq, err := f.seek(start.Add(time.Duration(rng.Int64N(span))))
			if err != nil || seq < 1 || seq > loaded+1 {
				b.Fatal(seq, err)
			}
		}
		for range 10_000 {
			seek()
		}
		measure(b, b.N, func() {
			for range b.N {
				seek()
			}
		})
	})
}

// BenchmarkFindIn1M counts among a million subjects of one message each.
func BenchmarkFindIn1M(b *testing.B) {
	name := func(i int) string { return fmt.Sprintf("orders.%d.%d", i%10, i) }
	eachFinder(b, name, func(b *testing.B, f finder) {
		got, err := f.subjects()
		want(b, got, err, loaded)
		b.Run("call=count-a-tenth", func(b *testing.B) {
			measure(b, b.N, func() {
				for i := range b.N {
					got, err := f.count(fmt.Sprintf("orders.%d.*", i%10))
					want(b, got, err, loaded/10)
				}
			})
		})
		b.Run("call=subjects", func(b *testing.B) {
			measure(b, b.N, func() {
				for range b.N {
					got, err := f.subjects()
					want(b, got, err, loaded)
				}
			})
		})
		b.Run("call=pending", func(b *testing.B) {
			measure(b, b.N, func() {
				for i := range b.N {
					i = i * 7919 % loaded
					got, err := f.pending(name(i), loaded/2+1)
					expect := uint64(0)
					if i >= loaded/2 {
						expect = 1
					}
					want(b, got, err, expect)
				}
			})
		})
	})
}
