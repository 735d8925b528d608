package storetest

import (
	"fmt"
	"strings"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"jsfs/store"
)

// In the model operations happen at multiples of tick, and messages expire halfway between two of
// them: whether a look for what has expired was a little earlier in one of the stores never shows.
const tick = 10 * time.Second

// sleep lets time go by.
func (m *model) sleep(rt *rapid.T) {
	pause(rapid.SampledFrom([]time.Duration{tick, 3 * tick, 15 * tick}).Draw(rt, "sleep"))
}

func pause(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// drawConfig draws a configuration with limits that are reached, or one without.
func drawConfig(rt *rapid.T, name string) store.Config {
	c := store.Config{Name: name, MaxMsgSize: 500}
	c.Retention = rapid.SampledFrom([]store.Retention{"", "", "", store.RetentionInterest, store.RetentionWorkQueue}).Draw(rt, "retention")
	if rapid.IntRange(0, 3).Draw(rt, "no limits") == 0 {
		return c
	}
	few := rapid.SampledFrom([]int64{0, 0, 0, 1, 2, 3, 10})
	c.MaxMsgs = few.Draw(rt, "max_msgs")
	c.MaxMsgsPerSubject = few.Draw(rt, "max_msgs_per_subject")
	c.MaxBytes = rapid.SampledFrom([]int64{0, 0, 0, 100, 300, 2000}).Draw(rt, "max_bytes")
	c.MaxAge = rapid.SampledFrom([]time.Duration{0, 0, tick / 2, tick + tick/2, 6*tick + tick/2}).Draw(rt, "max_age")
	c.Discard = rapid.SampledFrom([]store.Discard{"", store.DiscardOld, store.DiscardNew}).Draw(rt, "discard")
	c.DiscardNewPerSubject = rapid.IntRange(0, 2).Draw(rt, "discard_new_per_subject") == 0
	c.AllowRollup = rapid.Bool().Draw(rt, "allow_rollup_hdrs")
	c.AllowMsgTTL = rapid.Bool().Draw(rt, "allow_msg_ttl")
	c.DuplicateWindow = rapid.SampledFrom([]time.Duration{0, 0, tick / 2, tick + tick/2}).Draw(rt, "duplicate_window")
	if c.MaxAge > 0 {
		c.DuplicateWindow = min(c.DuplicateWindow, c.MaxAge)
	}
	if !c.DiscardNewPerSubject {
		c.DenyDelete = rapid.IntRange(0, 20).Draw(rt, "deny_delete") == 0
	}
	return c
}

func (m *model) update(rt *rapid.T) {
	p := m.pick(rt)
	cfg := drawConfig(rt, p.name)
	if was := p.want.Config(); rapid.IntRange(0, 7).Draw(rt, "as far as it can") > 0 {
		cfg.DenyDelete = cfg.DenyDelete || was.DenyDelete
		cfg.AllowMsgTTL = cfg.AllowMsgTTL || was.AllowMsgTTL
		if was.Retention == store.RetentionWorkQueue || cfg.Retention == store.RetentionWorkQueue {
			cfg.Retention = was.Retention
		}
	}
	same(rt, fmt.Sprintf("update to %+v", cfg), m.got.Update(rt.Context(), cfg), m.want.Update(rt.Context(), cfg))
}

// drawActs draws a header block that acts.
func (p *pair) drawActs(rt *rapid.T) []byte {
	var b strings.Builder
	b.WriteString("NATS/1.0\r\n")
	kinds := rapid.SliceOfNDistinct(rapid.IntRange(0, 7), 1, 2, rapid.ID[int]).Draw(rt, "acts")
	for _, kind := range kinds {
		switch kind {
		case 0, 1:
			fmt.Fprintf(&b, "Nats-Msg-Id: %d\r\n", rapid.IntRange(1, 4).Draw(rt, "id"))
		case 2:
			fmt.Fprintf(&b, "Nats-TTL: %s\r\n", rapid.SampledFrom([]string{"5", "15s", "25", "never", "0", "1ms"}).Draw(rt, "ttl"))
		case 3:
			fmt.Fprintf(&b, "Nats-Rollup: %s\r\n", rapid.SampledFrom([]string{"sub", "sub", "all", "none"}).Draw(rt, "rollup"))
		case 4:
			fmt.Fprintf(&b, "Nats-Expected-Last-Sequence: %d\r\n", p.drawSeq(rt))
		case 5:
			fmt.Fprintf(&b, "Nats-Expected-Last-Msg-Id: %d\r\n", rapid.IntRange(1, 4).Draw(rt, "last id"))
		case 6:
			p.drawLastOn(rt, &b)
		case 7:
			fmt.Fprintf(&b, "Nats-Expected-Stream: %s\r\n", rapid.SampledFrom([]string{"S", "S", "T"}).Draw(rt, "expected stream"))
		}
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

// drawLastOn draws an expectation of a subject's last sequence, most often one that is met.
func (p *pair) drawLastOn(rt *rapid.T, b *strings.Builder) {
	subject := rapid.SampledFrom([]string{"a", "a.b", "a.*", ">"}).Draw(rt, "expected on")
	last := p.drawSeq(rt)
	if m, err := p.want.LoadLast(rt.Context(), subject, nil); rapid.IntRange(0, 3).Draw(rt, "met") > 0 {
		if last = m.Seq; err != nil {
			last = 0
		}
	}
	fmt.Fprintf(b, "Nats-Expected-Last-Subject-Sequence: %d\r\nNats-Expected-Last-Subject-Sequence-Subject: %s\r\n", last, subject)
}

// appendActing appends messages whose headers act: one, several in a call, or as a restore, for which they don't.
func (m *model) appendActing(rt *rapid.T) {
	p := m.pick(rt)
	es := make([]store.Entry, max(1, rapid.IntRange(-3, 6).Draw(rt, "entries")))
	for i := range es {
		es[i] = store.Entry{Subject: rapid.SampledFrom(subjects).Draw(rt, "subject"), Data: make([]byte, rapid.IntRange(0, 200).Draw(rt, "size"))}
		if rapid.IntRange(0, 3).Draw(rt, "acting") > 0 {
			es[i].Header = p.drawActs(rt)
		}
	}
	if len(es) > 1 {
		gotN, got := p.got.AppendAll(rt.Context(), es)
		wantN, want := p.want.AppendAll(rt.Context(), es)
		same(rt, "append all acting", got, want)
		if gotN != wantN {
			rt.Fatalf("append all acting: got %d, want %d", gotN, wantN)
		}
		return
	}
	if rapid.IntRange(0, 4).Draw(rt, "restore") == 0 {
		state, err := p.want.State(rt.Context())
		check(rt, err)
		msg := store.Msg{Meta: store.Meta{Seq: state.Last + 1, Time: time.Now().UnixNano()}, Subject: es[0].Subject, Header: es[0].Header, Data: es[0].Data}
		same(rt, "restore acting", p.got.Restore(rt.Context(), msg), p.want.Restore(rt.Context(), msg))
		return
	}
	gotSeq, got := p.got.Append(rt.Context(), es[0])
	wantSeq, want := p.want.Append(rt.Context(), es[0])
	if same(rt, fmt.Sprintf("append %q", es[0].Header), got, want) && gotSeq != wantSeq {
		rt.Fatalf("append %q: got sequence %d, want %d", es[0].Header, gotSeq, wantSeq)
	}
}

// restoredAt is a time for a restored message. A store that is reopened doubts the clock if its last
// message is older than a day, and holds what expires; so no message is.
func restoredAt(t int64) int64 { return max(t, time.Now().Add(-tick/2).UnixNano()) }
