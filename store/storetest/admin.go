package storetest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

var adminCases = []testCase{
	{name: "a new store has no streams", run: func(b *bench) {
		names, err := b.s.Streams(b.ctx)
		b.must(err)
		if len(names) != 0 {
			b.Errorf("got streams %q, want none", names)
		}
		_, err = b.s.Stream(b.ctx, "NONE")
		b.wantErr(err, store.ErrNotFound)
		b.wantErr(b.s.Remove(b.ctx, "NONE"), store.ErrNotFound)
	}},
	{name: "streams are listed by name in order", run: func(b *bench) {
		want := []string{"A", "a", "b-2", "日本", strings.Repeat("n", store.MaxName)}
		for _, name := range want {
			b.create(name)
		}
		slices.Sort(want)
		got, err := b.s.Streams(b.ctx)
		b.must(err)
		if !slices.Equal(got, want) {
			b.Errorf("got %q, want %q", got, want)
		}
	}},
	{name: "a stream is the same value while it is open", run: func(b *bench) {
		st := b.create("S")
		for range 2 {
			if b.open("S") != st {
				b.Error("Stream gives another value than Create")
			}
		}
	}},
	{name: "a new stream is empty and starts at 1", run: func(b *bench) {
		got := durablePart(b.state(b.create("S")))
		if want := (store.State{First: 1}); got != want {
			b.Errorf("got %+v, want %+v", got, want)
		}
	}},
	{name: "Create keeps the configuration with its defaults", run: func(b *bench) {
		cfg := store.Config{
			Name: "S", Subjects: []string{"a.*", "b"}, MaxMsgSize: 77, DenyDelete: true,
			Description: "what it is", Metadata: map[string]string{"k": "v"},
		}
		st, err := b.s.Create(b.ctx, cfg)
		b.must(err)
		cfg.Metadata["k"], cfg.Subjects[0] = "changed by the caller", "changed"
		want := b.defaults(store.Config{
			Name: "S", Subjects: []string{"a.*", "b"}, MaxMsgSize: 77, DenyDelete: true,
			Description: "what it is", Metadata: map[string]string{"k": "v"},
		})
		if d := cmp.Diff(want, st.Config()); d != "" {
			b.Errorf("configuration (-want +got):\n%s", d)
		}
		st.Config().Subjects[0] = "changed by the caller"
		if d := cmp.Diff(want, st.Config()); d != "" {
			b.Errorf("configuration after the caller changed a copy (-want +got):\n%s", d)
		}
		if d := cmp.Diff(b.defaults(store.Config{Name: "T"}), b.create("T").Config()); d != "" {
			b.Errorf("default configuration (-want +got):\n%s", d)
		}
		if b.engine.Durable {
			b.reopen()
			if d := cmp.Diff(want, b.open("S").Config()); d != "" {
				b.Errorf("configuration after reopening (-want +got):\n%s", d)
			}
		}
	}},
	{name: "Create refuses a name that is taken", run: func(b *bench) {
		b.append(b.create("S"), "x", "stays")
		_, err := b.s.Create(b.ctx, store.Config{Name: "S"})
		b.wantErr(err, store.ErrExists)
		b.wantData(b.open("S"), 1, "stays")
	}},
	{name: "Create refuses a configuration that breaks a rule", run: refuseConfigs},
	{name: "Remove takes an empty stream away", run: func(b *bench) {
		st := b.create("S")
		b.create("T")
		b.must(b.s.Remove(b.ctx, "S"))
		_, err := b.s.Stream(b.ctx, "S")
		b.wantErr(err, store.ErrNotFound)
		names, err := b.s.Streams(b.ctx)
		b.must(err)
		if !slices.Equal(names, []string{"T"}) {
			b.Errorf("got streams %q, want T", names)
		}
		_, err = st.Append(b.ctx, store.Entry{Subject: "x"})
		b.wantErr(err, store.ErrClosed)
		b.wantErr(b.s.Remove(b.ctx, "S"), store.ErrNotFound)
	}},
	{name: "Remove refuses a stream with a live message", run: func(b *bench) {
		st := b.create("S")
		b.append(st, "x", "1")
		b.append(st, "x", "2")
		b.remove(st, 2)
		b.wantErr(b.s.Remove(b.ctx, "S"), store.ErrNotEmpty)
		b.wantData(st, 1, "1")
		b.remove(st, 1)
		b.must(b.s.Remove(b.ctx, "S"))
	}},
	{name: "Remove refuses a stream with a draft", run: func(b *bench) {
		st := b.create("S")
		d, err := st.CreateDraft(b.ctx, ".draft")
		b.must(err)
		b.must(d.Close())
		b.wantErr(b.s.Remove(b.ctx, "S"), store.ErrNotEmpty)
		b.must(st.RemoveDraft(b.ctx, ".draft"))
		b.must(b.s.Remove(b.ctx, "S"))
	}},
	{name: "a stream that is made again has nothing of the old one", run: func(b *bench) {
		old := b.create("S")
		b.append(old, "x", "old")
		b.remove(old, 1)
		b.must(b.s.Remove(b.ctx, "S"))
		st := b.create("S")
		if st.Incarnation() == old.Incarnation() {
			b.Errorf("both have the incarnation %d", st.Incarnation())
		}
		b.wantGone(st, 1, store.ErrBeyond)
		b.wantErr(st.Undelete(b.ctx, 1), store.ErrNotFound)
		b.wantGone(old, 1, store.ErrClosed)
		if seq := b.append(st, "x", "new"); seq != 1 {
			b.Errorf("the first message has sequence %d, want 1", seq)
		}
		b.wantData(st, 1, "new")
	}},
	{name: "incarnations are above 0 and never used twice", run: func(b *bench) {
		seen := map[uint64]bool{0: true}
		for i := range 6 {
			st := b.create("S")
			if seen[st.Incarnation()] {
				b.Errorf("incarnation %d of round %d was used before", st.Incarnation(), i)
			}
			seen[st.Incarnation()] = true
			if b.engine.Durable && i%2 == 0 {
				inc := st.Incarnation()
				b.reopen()
				if got := b.open("S").Incarnation(); got != inc {
					b.Errorf("got incarnation %d after reopening, want %d", got, inc)
				}
			}
			b.must(b.s.Remove(b.ctx, "S"))
			if b.engine.Durable {
				b.reopen()
			}
		}
	}},
	{name: "Usage counts live messages and adds up", run: func(b *bench) {
		s, t := b.create("S"), b.create("T")
		b.fill(s, 10)
		b.fill(t, 5)
		b.remove(s, 3)
		u, err := b.s.Usage(b.ctx)
		b.must(err)
		if u.Messages != 14 {
			b.Errorf("got %d messages, want 14", u.Messages)
		}
		if u.Total == 0 || u.Free > u.Total || u.Used > u.Total || u.BlockSize == 0 {
			b.Errorf("usage does not add up: %+v", u)
		}
	}},
	{name: "a closed store gives ErrClosed everywhere", run: closedStore},
}

func refuseConfigs(b *bench) {
	rows := []struct {
		name string
		cfg  store.Config
		want error
	}{
		{"an empty name", store.Config{}, store.ErrInvalid},
		{"a dot", store.Config{Name: "a.b"}, store.ErrInvalid},
		{"a slash", store.Config{Name: "a/b"}, store.ErrInvalid},
		{"a wildcard", store.Config{Name: "a*"}, store.ErrInvalid},
		{"a newline", store.Config{Name: "a\nb"}, store.ErrInvalid},
		{"broken UTF-8", store.Config{Name: "a\xff"}, store.ErrInvalid},
		{"a name of 256 bytes", store.Config{Name: strings.Repeat("n", 256)}, store.ErrNameTooLong},
		{"an empty token", store.Config{Name: "S", Subjects: []string{"a..b"}}, store.ErrSubject},
		{"a token behind >", store.Config{Name: "S", Subjects: []string{"a.>.b"}}, store.ErrSubject},
		{"a negative size", store.Config{Name: "S", MaxMsgSize: -2}, store.ErrInvalid},
		{"a size over the limit", store.Config{Name: "S", MaxMsgSize: store.MaxMsgSize + 1}, store.ErrInvalid},
	}
	for _, r := range rows {
		if _, err := b.s.Create(b.ctx, r.cfg); err == nil {
			b.Errorf("%s: was taken", r.name)
		} else {
			b.wantErr(err, r.want)
		}
	}
	names, err := b.s.Streams(b.ctx)
	b.must(err)
	if len(names) != 0 {
		b.Errorf("refused streams are there: %q", names)
	}
}

func closedStore(b *bench) {
	st := b.create("S")
	b.append(st, "x", "1")
	sub, streamSub := b.s.Watch(), st.Watch()
	b.must(b.s.Close())
	b.must(b.s.Close())
	for name, err := range everyCall(b, st) {
		if strings.HasPrefix(name, "Scan") && err == nil {
			b.Errorf("%s ended without an error", name)
		}
		b.Run(name, func(t *testing.T) { (&bench{T: t}).wantErr(err, store.ErrClosed) })
	}
	for _, s := range []store.Subscription{sub, streamSub} {
		if events, lost := s.Take(nil); len(events) > 0 || lost {
			b.Errorf("closing told of %d events, lost %v", len(events), lost)
		}
		s.Close()
		s.Close()
	}
	if st.Config().Name != "S" || st.Incarnation() == 0 {
		b.Error("a stream of a closed store forgot who it is")
	}
}

// everyCall makes each call of the store and of st once, and returns their errors.
func everyCall(b *bench, st store.Stream) map[string]error {
	out := map[string]error{}
	_, out["Streams"] = b.s.Streams(b.ctx)
	_, out["Stream"] = b.s.Stream(b.ctx, "S")
	_, out["Create"] = b.s.Create(b.ctx, store.Config{Name: "T"})
	out["Update"] = b.s.Update(b.ctx, store.Config{Name: "S"})
	out["Remove stream"] = b.s.Remove(b.ctx, "S")
	out["RemoveSealed"] = b.s.RemoveSealed(b.ctx, "S")
	_, out["Usage"] = b.s.Usage(b.ctx)
	_, out["State"] = st.State(b.ctx)
	_, out["Load"] = st.Load(b.ctx, 1, nil)
	_, out["Stat"] = st.Stat(b.ctx, 1)
	_, out["LoadLast"] = st.LoadLast(b.ctx, "x", nil)
	for _, err := range st.Scan(b.ctx, store.Query{}) {
		out["Scan"] = err
	}
	_, _, out["Extents"] = st.Extents(b.ctx)
	_, out["Damage"] = st.Damage(b.ctx)
	_, out["Append"] = st.Append(b.ctx, store.Entry{Subject: "x"})
	_, out["AppendAll"] = st.AppendAll(b.ctx, []store.Entry{{Subject: "x"}})
	out["Restore"] = st.Restore(b.ctx, store.Msg{Meta: store.Meta{Seq: 9}, Subject: "x"})
	_, out["Remove"] = st.Remove(b.ctx, 1)
	out["Undelete"] = st.Undelete(b.ctx, 1)
	_, out["LoadKept"] = st.LoadKept(b.ctx, 1, nil)
	_, out["StatKept"] = st.StatKept(b.ctx, 1)
	for _, err := range st.ScanKept(b.ctx, 0, 0) {
		out["ScanKept"] = err
	}
	_, out["RemovedStreams"] = b.s.RemovedStreams(b.ctx)
	_, out["LoadRemoved"] = b.s.LoadRemoved(b.ctx, 1, 1, nil)
	_, out["Revive"] = b.s.Revive(b.ctx, 1)
	out["Reclaim"] = b.s.Reclaim(b.ctx)
	out["Sync"] = st.Sync(b.ctx)
	_, out["CreateDraft"] = st.CreateDraft(b.ctx, ".d")
	_, out["OpenDraft"] = st.OpenDraft(b.ctx, ".d")
	out["RenameDraft"] = st.RenameDraft(b.ctx, ".d", ".e")
	out["RemoveDraft"] = st.RemoveDraft(b.ctx, ".d")
	_, out["PublishDraft"] = st.PublishDraft(b.ctx, ".d", store.Entry{Subject: "x"})
	out["RestoreDraft"] = st.RestoreDraft(b.ctx, ".d", store.Msg{Meta: store.Meta{Seq: 99}, Subject: "x"})
	_, out["ListDrafts"] = st.ListDrafts(b.ctx)
	_, out["ScratchDraft"] = st.ScratchDraft(b.ctx)
	return out
}
