package storetest

import (
	"jsfs/store"
)

// durableCases reopen the store. Every other case does, too, at its end.
var durableCases = []testCase{
	{name: "messages removals and gaps survive reopening", durable: true, run: func(b *bench) {
		st := b.create("S")
		for i := range 100 {
			b.append(st, "x", numbered(i+1))
		}
		b.restore(st, 5000, "r")
		b.remove(st, 1, 2, 50, 100)
		before := durablePart(b.state(st))
		for range 3 {
			b.reopen()
			st = b.open("S")
			if got := durablePart(b.check(st)); got != before {
				b.Errorf("state after reopening: got %+v, want %+v", got, before)
			}
			b.wantGone(st, 50, store.ErrNotFound)
			b.wantGone(st, 4999, store.ErrNotFound)
			b.wantGone(st, 5001, store.ErrBeyond)
			b.wantData(st, 51, numbered(51))
		}
		if seq := b.append(st, "x", "goes on"); seq != 5001 {
			b.Errorf("got sequence %d after reopening, want 5001", seq)
		}
	}},
	{name: "numbers are not used again after reopening an emptied stream", durable: true, run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 3)
		b.remove(st, 1, 2, 3)
		b.reopen()
		st = b.open("S")
		if s := b.check(st); s.First != 4 || s.Last != 3 || s.LastTime == 0 {
			b.Errorf("got %+v", s)
		}
		if seq := b.append(st, "x", ""); seq != 4 {
			b.Errorf("got sequence %d, want 4", seq)
		}
	}},
	{name: "what was removed can be brought back after reopening", durable: true, run: func(b *bench) {
		st := b.create("S")
		b.fill(st, 3)
		b.remove(st, 2, 3)
		b.reopen()
		b.must(b.open("S").Undelete(b.ctx, 2))
		b.reopen()
		b.wantSeqs(b.open("S"), store.Query{}, 1, 2)
		b.remove(b.open("S"), 2)
		b.reopen()
		b.wantSeqs(b.open("S"), store.Query{}, 1)
		b.must(b.open("S").Undelete(b.ctx, 3))
		b.wantSeqs(b.open("S"), store.Query{}, 1, 3)
	}},
	{name: "removed streams stay removed", durable: true, run: func(b *bench) {
		b.create("S")
		b.create("T")
		b.must(b.s.Remove(b.ctx, "S"))
		b.reopen()
		_, err := b.s.Stream(b.ctx, "S")
		b.wantErr(err, store.ErrNotFound)
		b.open("T")
	}},
	{name: "drafts survive reopening and scratch drafts do not", durable: true, run: func(b *bench) {
		st := b.create("S")
		b.draft(st, ".a", "A")
		b.draft(st, ".b", "B")
		b.must(st.RenameDraft(b.ctx, ".b", ".c"))
		scratch, err := st.ScratchDraft(b.ctx)
		b.must(err)
		b.write(scratch, "gone", 0)
		b.must(scratch.Close())
		b.reopen()
		st = b.open("S")
		b.wantDrafts(st, ".a", ".c")
		b.wantDraftNamed(st, ".a", "A")
		b.wantDraftNamed(st, ".c", "B")
		b.must(st.RemoveDraft(b.ctx, ".a"))
		b.reopen()
		b.wantDrafts(b.open("S"), ".c")
	}},
	{name: "LoadLast knows what was stored before reopening", durable: true, run: func(b *bench) {
		st := b.create("S")
		for i := range 500 {
			b.append(st, []string{"a", "b.x", "b.y"}[i%3], numbered(i+1))
		}
		b.remove(st, 500)
		b.reopen()
		st = b.open("S")
		for subject, want := range map[string]store.Seq{"a": 499, "b.x": 497, "b.y": 498, "b.*": 498, ">": 499} {
			m, err := st.LoadLast(b.ctx, subject, nil)
			b.must(err)
			if m.Seq != want {
				b.Errorf("LoadLast(%q): got %d, want %d", subject, m.Seq, want)
			}
		}
		b.append(st, "b.x", "new")
		m, err := st.LoadLast(b.ctx, "b.*", nil)
		b.must(err)
		if m.Seq != 501 {
			b.Errorf("got %d, want 501", m.Seq)
		}
	}},
}
