package blockstore

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"jsfs/store"
)

// text draws the bytes of a message; most blocks have room for few.
func text(rt *rapid.T) string {
	return rapid.SampledFrom([]string{"", "short", string(make([]byte, 300)), string(make([]byte, 900))}).Draw(rt, "data")
}

// upTo returns what the stream may have if some of those messages are stored, from the first one on.
func (m *brokenModel) upTo(rt *rapid.T, data []string) []content {
	may := []content{m.now}
	for i, d := range data {
		c := may[i].clone()
		c.live[m.end(rt)+store.Seq(i)+1] = d
		may = append(may, c)
	}
	return may
}

// end is the last sequence.
func (m *brokenModel) end(rt *rapid.T) store.Seq {
	state, err := m.s.State(rt.Context())
	m.must(rt, err)
	return state.Last
}

func (m *brokenModel) append(rt *rapid.T) attempt {
	data := text(rt)
	a := attempt{may: m.upTo(rt, []string{data}), durable: true}
	_, a.err = m.s.Append(rt.Context(), store.Entry{Subject: "x", Data: []byte(data)})
	return a
}

func (m *brokenModel) appendAll(rt *rapid.T) attempt {
	var data []string
	var es []store.Entry
	for range rapid.IntRange(1, 6).Draw(rt, "messages") {
		data = append(data, text(rt))
		es = append(es, store.Entry{Subject: "x", Data: []byte(data[len(data)-1])})
	}
	a := attempt{may: m.upTo(rt, data), durable: true}
	n, err := m.s.AppendAll(rt.Context(), es)
	if a.err = err; err != nil && m.opt.Sync == SyncAlways {
		a.may = a.may[n:] // those n are stored
	}
	return a
}

func (m *brokenModel) publish(rt *rapid.T) attempt {
	m.drafts++
	data, name := text(rt), fmt.Sprintf(".%d", m.drafts)
	a := attempt{may: m.upTo(rt, []string{data}), durable: true}
	d, err := m.s.CreateDraft(rt.Context(), name)
	if err == nil {
		_, err = d.WriteAt([]byte(data), 0)
		err = errors.Join(err, d.Close())
	}
	if err == nil {
		_, err = m.s.PublishDraft(rt.Context(), name, store.Entry{Subject: "x", Data: []byte(data)})
	}
	a.err = err
	return a
}

// pick draws one of the messages, and skips the operation if there is none.
func pick(rt *rapid.T, of map[store.Seq]string) store.Seq {
	if len(of) == 0 {
		rt.Skip("no message")
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(of))).Draw(rt, "message")
}

// move returns m.now with messages that are in another place.
func (m *brokenModel) move(seqs ...store.Seq) attempt {
	c := m.now.clone()
	for _, seq := range seqs {
		if data, live := c.live[seq]; live {
			delete(c.live, seq)
			c.kept[seq] = data
			continue
		}
		c.live[seq] = c.kept[seq]
		delete(c.kept, seq)
	}
	return attempt{may: []content{m.now, c}}
}

func (m *brokenModel) remove(rt *rapid.T) attempt {
	seq := pick(rt, m.now.live)
	a := m.move(seq)
	_, a.err = m.s.Remove(rt.Context(), seq)
	return a
}

func (m *brokenModel) undelete(rt *rapid.T) attempt {
	seq := pick(rt, m.now.kept)
	a := m.move(seq)
	a.err = m.s.Undelete(rt.Context(), seq)
	return a
}

func (m *brokenModel) purge(rt *rapid.T) attempt {
	a := m.move(slices.Collect(maps.Keys(m.now.live))...)
	_, a.err = m.s.Purge(rt.Context(), store.Purge{})
	return a
}

func (m *brokenModel) update(rt *rapid.T) attempt {
	c := m.now.clone()
	c.description = rapid.SampledFrom([]string{"one", "two", "three"}).Draw(rt, "description")
	a := attempt{may: []content{m.now, c}, always: true}
	a.err = m.st.Update(rt.Context(), store.Config{Name: "S", Description: c.description, Compression: m.opt.Compression})
	if a.err == nil {
		m.doubt = nil
	} else {
		m.doubt = append(m.doubt, m.now.description, c.description)
	}
	return a
}

func (m *brokenModel) sync(rt *rapid.T) attempt {
	return attempt{may: []content{m.now}, always: true, err: m.s.Sync(rt.Context())}
}

// truncate lets the stream end earlier.
func (m *brokenModel) truncate(rt *rapid.T) attempt {
	end := m.end(rt)
	if end == 0 {
		rt.Skip("no message")
	}
	last := store.Seq(rapid.Uint64Range(0, uint64(end)-1).Draw(rt, "last"))
	c := m.now.clone()
	c.other = true
	beyond := func(seq store.Seq, _ string) bool { return seq > last }
	maps.DeleteFunc(c.live, beyond)
	maps.DeleteFunc(c.kept, beyond)
	a := attempt{may: []content{m.now, c}, always: true}
	_, a.err = m.st.Truncate(rt.Context(), "S", last)
	return a
}

// dropEmpty empties the stream, and removes it.
func (m *brokenModel) dropEmpty(rt *rapid.T) {
	m.troubled(rt, m.purge)
	drafts, err := m.s.ListDrafts(rt.Context())
	m.must(rt, err)
	for _, d := range drafts { // that were not published
		m.must(rt, m.s.RemoveDraft(rt.Context(), d.Name))
	}
	if len(m.now.live) == 0 {
		m.troubled(rt, m.drop)
	}
}

func (m *brokenModel) drop(rt *rapid.T) attempt {
	c := m.now.clone()
	c.gone = true
	return attempt{may: []content{m.now, c}, always: true, err: m.st.Remove(rt.Context(), "S")}
}
