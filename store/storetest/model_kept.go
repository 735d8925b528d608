package storetest

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"jsfs/store"
)

// LongKeep is for how long an engine must keep what was removed in [KeptModel]: for several of what is removed in one go.
const LongKeep = 80 * time.Minute

// KeptModel is [Model] with the operations that say what is kept of what was removed, and for how long: it compares that after each.
// The engine must keep what was removed for keep.
func KeptModel(t *testing.T, e Engine, keep time.Duration) { modelWith(t, e, keep, keptActions) }

func keptActions(m *model) map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"":              m.compareKeptStates,
		"append":        m.append,
		"append all":    m.appendAll,
		"restore":       m.restoreTimed,
		"restore again": m.restoreTimed,
		"remove":        m.remove,
		"remove again":  m.remove,
		"remove all":    m.removeAll,
		"purge":         m.purge,
		"truncate":      m.truncate,
		"undelete":      m.undelete,
		"reclaim":       m.reclaim,
		"revive":        m.revive,
		"create":        m.create,
		"drop":          m.drop,
		"update":        m.update,
		"erase":         m.erase,
		"act":           m.appendActing,
		"skip to":       m.skipTo,
		"sleep":         m.sleep,
		"sleep more":    m.sleepLong,
	}
}

// compareKeptStates compares also what is kept.
func (m *model) compareKeptStates(rt *rapid.T) {
	m.compareStates(rt)
	for _, p := range m.subs {
		p.compareKept(rt)
	}
	m.compareRemoved(rt)
}

// sleepLong lets as much time go by as makes a difference for what is kept.
func (m *model) sleepLong(rt *rapid.T) {
	pause(rapid.SampledFrom([]time.Duration{tick, (m.keep / 10).Truncate(tick), (m.keep / 2).Truncate(tick)}).Draw(rt, "sleep"))
}

// restoreTimed restores a message whose time is about now: what is stored later has no earlier one.
func (m *model) restoreTimed(rt *rapid.T) {
	p, e := m.pick(rt), drawEntry(rt)
	state, err := p.want.State(rt.Context())
	check(rt, err)
	ahead := rapid.SampledFrom([]time.Duration{0, 0, tick, 2 * tick, 4 * tick, 10 * tick, (m.keep / 2).Truncate(tick)}).Draw(rt, "ahead")
	msg := store.Msg{
		Meta:    store.Meta{Seq: state.Last + store.Seq(rapid.Uint64Range(1, 3).Draw(rt, "up")), Time: time.Now().Add(ahead).UnixNano()},
		Subject: e.Subject, Header: e.Header, Data: e.Data,
	}
	same(rt, "restore", p.got.Restore(rt.Context(), msg), p.want.Restore(rt.Context(), msg))
}
