package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"jsfs/store"
)

// publishCases are about drafts that become messages.
var publishCases = []testCase{
	{name: "PublishDraft makes a message of a draft", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "before")
		b.draft(st, ".f", "content")
		open, err := st.OpenDraft(b.ctx, ".f")
		b.must(err)
		sub := st.Watch()
		defer sub.Close()
		seq, err := st.PublishDraft(b.ctx, ".f", store.Entry{Subject: "x.y", Header: []byte(header), Data: []byte("content")})
		b.must(err)
		if m := b.load(st, 2); seq != 2 || m.Subject != "x.y" || string(m.Header) != header || string(m.Data) != "content" {
			b.Errorf("got sequence %d and %+v", seq, m)
		}
		b.take(sub, 1)
		b.wantDrafts(st)
		_, err = st.OpenDraft(b.ctx, ".f")
		b.wantErr(err, store.ErrNotFound)
		b.write(open, "!", 7)
		b.must(open.Sync())
		b.wantDraft(open, "content!")
		b.must(open.Close())
		b.wantData(st, 2, "content")
		_, err = st.PublishDraft(b.ctx, ".f", store.Entry{Subject: "x"})
		b.wantErr(err, store.ErrNotFound)
		b.wantSeqs(st, store.Query{}, 1, 2)
	}},
	{name: "RestoreDraft makes a message of a draft under its sequence and time", run: func(b *bench) {
		st := b.create("S")
		b.draft(st, ".f", "content")
		m := store.Msg{Meta: store.Meta{Seq: 9, Time: 77}, Subject: "x", Data: []byte("content")}
		b.must(st.RestoreDraft(b.ctx, ".f", m))
		if got := b.load(st, 9); got.Time != 77 || string(got.Data) != "content" {
			b.Errorf("got %+v", got)
		}
		b.wantDrafts(st)
		b.wantErr(st.RestoreDraft(b.ctx, ".f", store.Msg{Meta: store.Meta{Seq: 10}, Subject: "x"}), store.ErrNotFound)
		b.draft(st, ".f", "again")
		b.wantErr(st.RestoreDraft(b.ctx, ".f", m), store.ErrExists)
		b.wantDraftNamed(st, ".f", "again")
		b.wantSeqs(st, store.Query{}, 9)
	}},
	{name: "a draft that is refused stays what it was", run: refusePublishing},
	{name: "a draft whose message is stored already goes", run: func(b *bench) {
		st := b.create("S")
		e := store.Entry{Subject: "x", Header: []byte("NATS/1.0\r\nNats-Msg-Id: one\r\n\r\n"), Data: []byte("content")}
		for i := range 3 {
			b.draft(st, ".f", "content")
			seq, err := st.PublishDraft(b.ctx, ".f", e)
			b.must(err)
			if seq != 1 {
				b.Errorf("time %d: got sequence %d, want 1", i, seq)
			}
			b.wantDrafts(st)
		}
		b.wantSeqs(st, store.Query{}, 1)
	}},
	{name: "drafts of any name become messages and their names are free again", run: func(b *bench) {
		st := b.create("S")
		names := []string{".a", "..", "\xff\xfe", strings.Repeat("x", 255), strings.Repeat("\x01", 255), strings.Repeat("y", 230), strings.Repeat("z", 229)}
		for i := range 3 * len(names) {
			b.draft(st, names[i%len(names)], numbered(i))
			seq, err := st.PublishDraft(b.ctx, names[i%len(names)], store.Entry{Subject: "x", Data: []byte(numbered(i))})
			b.must(err)
			b.wantData(st, seq, numbered(i))
		}
		b.wantDrafts(st)
		b.draft(st, names[3], "the last")
		if b.engine.Durable {
			b.reopen()
			st = b.open("S")
		}
		b.wantDrafts(st, names[3])
		b.wantDraftNamed(st, names[3], "the last")
		if s := b.check(st); s.Last != store.Seq(3*len(names)) { //nolint:gosec // small
			b.Errorf("got last %d", s.Last)
		}
	}},
	{name: "a draft that is open twice becomes one message", run: func(b *bench) {
		st := b.create("S")
		one, err := st.CreateDraft(b.ctx, ".f")
		b.must(err)
		b.write(one, "one", 0)
		_, err = st.PublishDraft(b.ctx, ".f", store.Entry{Subject: "x", Data: []byte("one")})
		b.must(err)
		two, err := st.CreateDraft(b.ctx, ".f")
		b.must(err)
		b.write(two, "another", 0)
		b.wantDraft(one, "one")
		b.wantDraft(two, "another")
		b.must(one.Close())
		b.must(two.Close())
		b.wantDraftNamed(st, ".f", "another")
	}},
	{name: "a stream whose drafts became messages can be truncated and removed", run: func(b *bench) {
		st := b.create("S")
		for i := range 3 {
			b.draft(st, ".f", numbered(i))
			_, err := st.PublishDraft(b.ctx, ".f", store.Entry{Subject: "x", Data: []byte(numbered(i))})
			b.must(err)
		}
		next, err := b.s.Truncate(b.ctx, "S", 1)
		b.must(err)
		b.wantDrafts(next)
		b.wantSeqs(next, store.Query{}, 1)
		_, err = st.PublishDraft(b.ctx, ".f", store.Entry{Subject: "x"})
		b.wantErr(err, store.ErrClosed)
		b.remove(next, 1)
		b.must(b.s.Remove(b.ctx, "S"))
	}},
	{name: "whoever looks finds the draft or the message and never both or none", run: watchPublishing},
	{name: "of several who publish a draft one does", run: func(b *bench) {
		st := b.create("S")
		for i := range 20 {
			b.draft(st, ".f", numbered(i))
			var done atomic.Int64
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					_, err := st.PublishDraft(b.ctx, ".f", store.Entry{Subject: "x", Data: []byte(numbered(i))})
					if err == nil {
						done.Add(1)
					} else if !errors.Is(err, store.ErrNotFound) {
						b.Error(err)
					}
				})
			}
			wg.Wait()
			if n := done.Load(); n != 1 {
				b.Fatalf("%d published it", n)
			}
			b.wantDrafts(st)
		}
		if s := b.check(st); s.Last != 20 {
			b.Errorf("got last %d, want 20", s.Last)
		}
	}},
}

// refusePublishing publishes drafts that can't be, each for another reason.
func refusePublishing(b *bench) {
	st, err := b.s.Create(b.ctx, store.Config{Name: "S", Subjects: []string{"x.>"}, MaxMsgs: 2, Discard: store.DiscardNew, MaxMsgSize: 100})
	b.must(err)
	b.draft(st, ".f", "content")
	b.append(st, "x.1", "one")
	for _, r := range []struct {
		e    store.Entry
		want error
	}{
		{store.Entry{Subject: "y"}, store.ErrSubject},
		{store.Entry{Subject: "x.1", Header: []byte("NATS/1.0\r\nNats-Expected-Last-Sequence: seven\r\n\r\n")}, store.ErrInvalid},
		{store.Entry{Subject: "x.1", Data: make([]byte, 101)}, store.ErrTooLarge},
		{store.Entry{Subject: "x.1", Header: []byte("NATS/1.0\r\nNats-Expected-Last-Sequence: 7\r\n\r\n")}, store.ErrExpected},
		{store.Entry{Subject: "x.1", Header: []byte("NATS/1.0\r\nNats-Rollup: all\r\n\r\n")}, store.ErrDenied},
	} {
		_, err := st.PublishDraft(b.ctx, ".f", r.e)
		b.wantErr(err, r.want)
		b.wantDraftNamed(st, ".f", "content")
	}
	b.append(st, "x.1", "two")
	_, err = st.PublishDraft(b.ctx, ".f", store.Entry{Subject: "x.1"})
	b.wantErr(err, store.ErrLimit)
	_, err = st.PublishDraft(b.ctx, "", store.Entry{Subject: "x.1"})
	b.wantErr(err, store.ErrInvalid)
	_, err = st.PublishDraft(b.ctx, strings.Repeat("x", 256), store.Entry{Subject: "x.1"})
	b.wantErr(err, store.ErrNameTooLong)
	cfg := st.Config()
	cfg.Sealed = true
	b.must(b.s.Update(b.ctx, cfg))
	_, err = st.PublishDraft(b.ctx, ".f", store.Entry{Subject: "x.1"})
	b.wantErr(err, store.ErrSealed)
	b.wantDrafts(st, ".f")
	b.wantDraftNamed(st, ".f", "content")
	b.wantSeqs(st, store.Query{}, 1, 2)
}

// watchPublishing lists messages, drafts and messages again while drafts become messages.
func watchPublishing(b *bench) {
	st := b.create("S")
	const drafts = 60
	for i := range drafts {
		b.draft(st, fmt.Sprintf(".%03d", i), "")
	}
	var wg sync.WaitGroup
	var done atomic.Bool
	wg.Go(func() {
		defer done.Store(true)
		for i := range drafts {
			if _, err := st.PublishDraft(b.ctx, fmt.Sprintf(".%03d", i), store.Entry{Subject: fmt.Sprintf("s.%03d", i)}); err != nil {
				b.Error(err)
				return
			}
		}
	})
	stored := func() (subjects map[string]bool) {
		subjects = map[string]bool{}
		for c, err := range st.Subjects(b.ctx, "", "") {
			if err != nil {
				b.Error(err)
				break
			}
			subjects["."+c.Subject[2:]] = true
		}
		return subjects
	}
	for !done.Load() {
		before := stored()
		list, err := st.ListDrafts(b.ctx)
		b.must(err)
		after := stored()
		for i := range drafts {
			name := fmt.Sprintf(".%03d", i)
			draft := slices.ContainsFunc(list, func(d store.DraftInfo) bool { return d.Name == name })
			if draft && before[name] || !draft && !after[name] {
				b.Fatalf("%s: message %v, then draft %v, then message %v", name, before[name], draft, after[name])
			}
		}
	}
	wg.Wait()
}
