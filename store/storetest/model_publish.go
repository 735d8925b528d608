package storetest

import (
	"errors"
	"fmt"

	"pgregory.net/rapid"

	"jsfs/store"
)

// publish makes a draft, unless it is there, and makes a message of it.
func (m *model) publish(rt *rapid.T) {
	p, ctx := m.pick(rt), rt.Context()
	name := rapid.SampledFrom([]string{".a", ".b", "c~"}).Draw(rt, "draft")
	if rapid.IntRange(0, 3).Draw(rt, "make it") > 0 {
		got, gotErr := p.got.CreateDraft(ctx, name)
		want, wantErr := p.want.CreateDraft(ctx, name)
		if same(rt, "create draft", gotErr, wantErr) {
			check(rt, errors.Join(got.Close(), want.Close()))
		}
	}
	e := drawEntry(rt)
	if rapid.IntRange(0, 2).Draw(rt, "acting") == 0 {
		e.Header = p.drawActs(rt)
	}
	if rapid.IntRange(0, 2).Draw(rt, "restore") == 0 {
		msg := store.Msg{Meta: store.Meta{Seq: p.drawSeq(rt), Time: restoredAt(1)}, Subject: e.Subject, Header: e.Header, Data: e.Data}
		if up := rapid.SampledFrom([]store.Seq{0, 1, 1, 2, 40}).Draw(rt, "up"); up > 0 {
			state, err := p.want.State(ctx)
			check(rt, err)
			msg.Seq = state.Last + up
		}
		same(rt, fmt.Sprint("restore draft as ", msg.Seq), p.got.RestoreDraft(ctx, name, msg), p.want.RestoreDraft(ctx, name, msg))
		return
	}
	gotSeq, got := p.got.PublishDraft(ctx, name, e)
	wantSeq, want := p.want.PublishDraft(ctx, name, e)
	sameCount(rt, fmt.Sprintf("publish draft %q", e.Header), gotSeq, wantSeq, got, want)
}
