package storetest

import (
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

var updateCases = []testCase{
	{name: "Update replaces the whole configuration", run: func(b *bench) {
		st := b.create("S", "a", "b")
		b.append(st, "a", "stays")
		cfg := store.Config{Name: "S", Subjects: []string{"c"}, MaxMsgSize: 10, Description: "new", Metadata: map[string]string{"k": "v"}}
		b.must(b.s.Update(b.ctx, cfg))
		want := cfg.Clone().WithDefaults()
		cfg.Metadata["k"], cfg.Subjects[0] = "changed by the caller", "x"
		if d := cmp.Diff(want, st.Config()); d != "" {
			b.Errorf("configuration (-want +got):\n%s", d)
		}
		_, err := st.Append(b.ctx, store.Entry{Subject: "a"})
		b.wantErr(err, store.ErrSubject)
		_, err = st.Append(b.ctx, store.Entry{Subject: "c", Data: make([]byte, 11)})
		b.wantErr(err, store.ErrTooLarge)
		b.append(st, "c", "taken")
		b.wantData(st, 1, "stays")
		b.must(b.s.Update(b.ctx, store.Config{Name: "S"}))
		if d := cmp.Diff(store.Config{Name: "S"}.WithDefaults(), st.Config()); d != "" {
			b.Errorf("configuration without fields (-want +got):\n%s", d)
		}
	}},
	{name: "an updated configuration survives reopening", durable: true, run: func(b *bench) {
		st := b.create("S")
		b.append(st, "a", "1")
		want := store.Config{Name: "S", Subjects: []string{"a"}, MaxMsgs: 7, MaxAge: time.Hour, Description: "d"}.WithDefaults()
		b.must(b.s.Update(b.ctx, want))
		for range 2 {
			b.reopen()
			if d := cmp.Diff(want, b.open("S").Config()); d != "" {
				b.Errorf("configuration after reopening (-want +got):\n%s", d)
			}
		}
		b.append(b.open("S"), "a", "2")
	}},
	{name: "a refused Update changes nothing", run: refuseUpdates},
	{name: "Update of a stream that is not there gives ErrNotFound", run: func(b *bench) {
		b.wantErr(b.s.Update(b.ctx, store.Config{Name: "NONE"}), store.ErrNotFound)
		b.create("S")
		b.must(b.s.Remove(b.ctx, "S"))
		b.wantErr(b.s.Update(b.ctx, store.Config{Name: "S"}), store.ErrNotFound)
	}},
	{name: "Update can seal a stream, with all that it forces", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "1")
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", Sealed: true, MaxAge: time.Hour, AllowRollup: true}))
		got := st.Config()
		if got.MaxAge != 0 || got.Discard != store.DiscardNew || !got.DenyDelete || !got.DenyPurge || got.AllowRollup {
			b.Errorf("a sealed stream has %+v", got)
		}
		_, err := st.Append(b.ctx, store.Entry{Subject: "x"})
		b.wantErr(err, store.ErrSealed)
		_, err = st.Remove(b.ctx, 1)
		b.wantErr(err, store.ErrSealed)
		b.wantErr(b.s.Update(b.ctx, store.Config{Name: "S"}), store.ErrDenied)
	}},
	{name: "Update can forbid deletion", run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 2)
		b.remove(st, 1)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", DenyDelete: true}))
		_, err := st.Remove(b.ctx, 2)
		b.wantErr(err, store.ErrDenied)
	}},
	{name: "first_seq is the number of the first message", run: firstSeq},
	{name: "first_seq can be raised while there never was a message", run: func(b *bench) {
		st := b.create("S")
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", FirstSeq: 50}))
		if s := b.check(st); s.First != 50 || s.Last != 49 {
			b.Errorf("got first %d, last %d, want 50 and 49", s.First, s.Last)
		}
		b.wantErr(b.s.Update(b.ctx, store.Config{Name: "S", FirstSeq: 10}), store.ErrDenied)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", FirstSeq: 70}))
		if seq := b.append(st, "x", ""); seq != 70 {
			b.Errorf("got sequence %d, want 70", seq)
		}
		b.wantErr(b.s.Update(b.ctx, store.Config{Name: "S", FirstSeq: 100}), store.ErrDenied)
		b.remove(st, 70)
		b.wantErr(b.s.Update(b.ctx, store.Config{Name: "S", FirstSeq: 100}), store.ErrDenied)
		b.must(b.s.Update(b.ctx, store.Config{Name: "S", FirstSeq: 70, Description: "the same"}))
	}},
	{name: "a copy gets the first_seq of its original, and its retention", run: adoptAsMade},
}

func firstSeq(b *bench) {
	st, err := b.s.Create(b.ctx, store.Config{Name: "S", FirstSeq: 1000})
	b.must(err)
	look := func(last store.Seq) {
		b.Helper()
		if s := b.check(st); s.First != 1000 || s.Last != last || s.Deleted != 0 || s.Lost != 0 {
			b.Errorf("got %+v, want first 1000, last %d", s, last)
		}
	}
	look(999)
	b.wantGone(st, 999, store.ErrNotFound)
	b.wantGone(st, 1000, store.ErrBeyond)
	b.wantErr(st.Restore(b.ctx, store.Msg{Meta: store.Meta{Seq: 999}, Subject: "x"}), store.ErrExists)
	if b.engine.Durable {
		b.reopen()
		st = b.open("S")
		look(999)
	}
	if seq := b.append(st, "x", "first"); seq != 1000 {
		b.Errorf("got sequence %d, want 1000", seq)
	}
	look(1000)
	if b.engine.Durable {
		b.reopen()
		st = b.open("S")
		look(1000)
	}
	b.restore(st, 1005, "r")
	b.wantSeqs(st, store.Query{}, 1000, 1005)
}

// adoptAsMade gives a stream that was restored what only an empty one can get by Update.
func adoptAsMade(b *bench) {
	adopt := func(cfg store.Config) error {
		a, ok := b.s.(store.Adopter)
		if !ok {
			b.Fatal("the engine has no Adopt")
		}
		return a.Adopt(b.ctx, cfg)
	}
	st := b.create("S")
	b.restore(st, 1000, "a")
	b.restore(st, 1005, "b")
	want := store.Config{Name: "S", FirstSeq: 1000, Retention: store.RetentionWorkQueue}
	b.wantErr(b.s.Update(b.ctx, want), store.ErrDenied)
	b.wantErr(adopt(store.Config{Name: "S", FirstSeq: 1001}), store.ErrDenied)
	b.must(adopt(want))
	look := func(live int64, seqs ...store.Seq) {
		b.Helper()
		if d := cmp.Diff(want.WithDefaults(), st.Config()); d != "" {
			b.Errorf("configuration (-want +got):\n%s", d)
		}
		if s := b.check(st); s.Live.Messages != live || s.Lost != 0 {
			b.Errorf("got %+v, want %d messages", s, live)
		}
		b.wantSeqs(st, store.Query{}, seqs...)
	}
	look(2, 1000, 1005)
	if b.engine.Durable {
		b.reopen()
		st = b.open("S")
		look(2, 1000, 1005)
	}
	b.wantErr(adopt(store.Config{Name: "S", Retention: store.RetentionWorkQueue}), store.ErrDenied) // lower
	if seq := b.append(st, "x", "next"); seq != 1006 {
		b.Errorf("got sequence %d, want 1006", seq)
	}
	c := b.consumer(st, store.ConsumerConfig{Name: "c"})
	b.next(c, 1000, 1)
	b.ack(c, 1000)
	look(2, 1005, 1006)
	b.wantErr(adopt(store.Config{Name: "S", FirstSeq: 1000}), store.ErrDenied) // it has a consumer
}

func refuseUpdates(b *bench) {
	first := store.Config{Name: "S", Subjects: []string{"a"}, DenyDelete: true, DenyPurge: true, AllowMsgTTL: true, FirstSeq: 5}
	st, err := b.s.Create(b.ctx, first)
	b.must(err)
	before := st.Config()
	rows := []struct {
		name  string
		edit  func(c *store.Config)
		want  error
		field string
	}{
		{"an unknown way to discard", func(c *store.Config) { c.Discard = "oldest" }, store.ErrInvalid, "discard"},
		{"a malformed subject", func(c *store.Config) { c.Subjects = []string{"a..b"} }, store.ErrSubject, "subjects"},
		{"a negative limit", func(c *store.Config) { c.MaxMsgs = -2 }, store.ErrInvalid, "max_msgs"},
		{"an age that is too short", func(c *store.Config) { c.MaxAge = time.Millisecond }, store.ErrInvalid, "max_age"},
		{"rollups where purging is denied", func(c *store.Config) { c.AllowRollup = true }, store.ErrInvalid, "allow_rollup_hdrs"},
		{"deletion again", func(c *store.Config) { c.DenyDelete = false }, store.ErrDenied, "deny_delete"},
		{"purging again", func(c *store.Config) { c.DenyPurge = false }, store.ErrDenied, "deny_purge"},
		{"no TTLs any more", func(c *store.Config) { c.AllowMsgTTL = false }, store.ErrDenied, "allow_msg_ttl"},
		{"a lower first_seq", func(c *store.Config) { c.FirstSeq = 4 }, store.ErrDenied, "first_seq"},
	}
	for _, r := range rows {
		c := first.Clone()
		r.edit(&c)
		err := b.s.Update(b.ctx, c)
		b.wantErr(err, r.want)
		if err != nil && !strings.Contains(err.Error(), r.field) {
			b.Errorf("%s: the error %q does not name %s", r.name, err, r.field)
		}
		if d := cmp.Diff(before, st.Config()); d != "" {
			b.Errorf("%s: the configuration changed (-before +after):\n%s", r.name, d)
		}
	}
}
