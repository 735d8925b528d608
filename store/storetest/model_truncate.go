package storetest

import (
	"errors"
	"fmt"

	"pgregory.net/rapid"

	"jsfs/store"
)

func (m *model) truncate(rt *rapid.T) {
	p := m.pick(rt)
	last := p.drawSeq(rt)
	if rapid.IntRange(0, 3).Draw(rt, "all") == 0 {
		last = 0
	}
	m.truncateTo(rt, p, last)
}

func (m *model) truncateTo(rt *rapid.T, p *pair, last store.Seq) {
	p.compareEvents(rt)
	gotSt, got := m.got.Truncate(rt.Context(), p.name, last)
	wantSt, want := m.want.Truncate(rt.Context(), p.name, last)
	if !same(rt, fmt.Sprint("truncate ", last), got, want) {
		return
	}
	if (gotSt == p.got) != (wantSt == p.want) {
		rt.Fatalf("truncate %d: it is another stream: got %v, want %v", last, gotSt != p.got, wantSt != p.want)
	}
	if gotSt == p.got {
		return
	}
	if _, err := p.got.State(rt.Context()); !errors.Is(err, store.ErrClosed) || m.incs[gotSt.Incarnation()] {
		rt.Fatalf("truncate %d: the stream before gives %v; incarnation %d", last, err, gotSt.Incarnation())
	}
	m.incs[gotSt.Incarnation()] = true
	m.open(rt, p.name)
}
