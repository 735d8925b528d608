package policy_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
	"jsfs/store/internal/policy"
)

func seq(n store.Seq) *store.Seq { return &n }

func TestParse(t *testing.T) {
	rows := []struct {
		name, block string
		want        policy.Acts
		refused     bool
	}{
		{"no block", "", policy.Acts{}, false},
		{"nothing that acts", "NATS/1.0\r\nA: b\r\n\r\n", policy.Acts{}, false},
		{"an id", "NATS/1.0\r\nNats-Msg-Id: x y \r\n\r\n", policy.Acts{ID: "x y "}, false},
		{"the first of two counts", "NATS/1.0\r\nNats-Msg-Id:a\r\nNats-Msg-Id:b\r\n\r\n", policy.Acts{ID: "a"}, false},
		{"an empty one is none, and hides the next", "NATS/1.0\r\nNats-Msg-Id: \r\nNats-Msg-Id:b\r\n\r\n", policy.Acts{}, false},
		{"a name is one as it is written", "NATS/1.0\r\nnats-msg-id: a\r\nXNats-Msg-Id: b\r\nNats-Msg-Id : c\r\nNats-Msg-IdX: d\r\n\r\n", policy.Acts{}, false},
		{"a block without its end", "NATS/1.0\r\nNats-Msg-Id: a", policy.Acts{ID: "a"}, false},
		{"in the first line nothing acts", "Nats-Msg-Id: a\r\n\r\n", policy.Acts{}, false},
		{"expectations", "NATS/1.0\r\nNats-Expected-Stream: S\r\nNats-Expected-Last-Msg-Id: l\r\nNats-Expected-Last-Sequence: 7\r\n" +
			"Nats-Expected-Last-Subject-Sequence: 0\r\nNats-Expected-Last-Subject-Sequence-Subject: a.*\r\n\r\n",
			policy.Acts{Stream: "S", LastID: "l", Last: seq(7), LastOn: seq(0), Subject: "a.*"}, false},
		{"a rollup of the subject", "NATS/1.0\r\nNats-Rollup: sub\r\n\r\n", policy.Acts{Rollup: policy.RollupSubject}, false},
		{"a rollup of all", "NATS/1.0\r\nNats-Rollup: all\r\n\r\n", policy.Acts{Rollup: policy.RollupAll}, false},
		{"another rollup", "NATS/1.0\r\nNats-Rollup: ALL\r\n\r\n", policy.Acts{}, true},
		{"a sequence that is none", "NATS/1.0\r\nNats-Expected-Last-Sequence: 1.0\r\n\r\n", policy.Acts{}, true},
		{"a subject's sequence that is none", "NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: x\r\n\r\n", policy.Acts{}, true},
		{"a subject without a sequence", "NATS/1.0\r\nNats-Expected-Last-Subject-Sequence-Subject: x\r\n\r\n", policy.Acts{}, true},
		{"a sequence on what is no subject", "NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 1\r\nNats-Expected-Last-Subject-Sequence-Subject: a..b\r\n\r\n", policy.Acts{}, true},
	}
	for _, r := range rows {
		got, err := policy.Parse([]byte(r.block))
		if errors.Is(err, store.ErrInvalid) != r.refused || !r.refused && err != nil {
			t.Errorf("%s: got error %v", r.name, err)
		}
		if d := cmp.Diff(r.want, got, cmp.AllowUnexported(policy.Acts{}), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".expectSubj" }, cmp.Ignore())); d != "" {
			t.Errorf("%s (-want +got):\n%s", r.name, d)
		}
	}
}

func TestTTL(t *testing.T) {
	rows := []struct {
		value   string
		want    time.Duration
		refused bool
	}{
		{"1", time.Second, false}, {"0", 0, false}, {"1s", time.Second, false}, {"90m", 90 * time.Minute, false},
		{"1999ms", time.Second, false}, {"never", policy.Never, false}, {"NEVER", policy.Never, false},
		{"9223372036854775807", 9223372036 * time.Second, false},
		{"999ms", 0, true}, {"0s", 0, true}, {"-1", 0, true}, {"-1s", 0, true}, {"1.5", 0, true}, {"x", 0, true}, {"9223372036854775808", 0, true},
	}
	for _, r := range rows {
		block := fmt.Appendf(nil, "NATS/1.0\r\nNats-TTL: %s\r\n\r\n", r.value)
		a, err := policy.Parse(block)
		if a.TTL != r.want || errors.Is(err, store.ErrInvalid) != r.refused {
			t.Errorf("%q: got %v, %v, want %v, refused %v", r.value, a.TTL, err, r.want, r.refused)
		}
		if got := policy.TTLOf(block); got != r.want {
			t.Errorf("TTLOf %q: got %v, want %v", r.value, got, r.want)
		}
	}
}

func TestWindowForgetsWhatIsOld(t *testing.T) {
	w := policy.NewWindow()
	for i := range 5000 {
		w.Add(fmt.Sprint(i), store.Seq(i+1), int64(i))
	}
	w.Add("3000", 9998, 5000) // repeats one that is old by now
	w.Add("4999", 9999, 5000)
	for _, r := range []struct {
		id   string
		want store.Seq
	}{{"3999", 0}, {"4000", 4001}, {"4999", 9999}, {"3000", 9998}, {"x", 0}, {"0", 0}} {
		if got := w.Seen(r.id, 4999, 1000); got != r.want {
			t.Errorf("id %s: got %d, want %d", r.id, got, r.want)
		}
	}
	if w.Len() != 1002 {
		t.Errorf("%d ids are remembered, want 1002", w.Len())
	}
	w.Cut(4990)
	if got := w.Seen("4989", 4999, 1000); got != 0 || w.Len() != 989 {
		t.Errorf("after the cut: got %d, and %d ids, want 0 and 989", got, w.Len())
	}
	w.Add("4989", 4990, 5000)
	if got := w.Seen("4989", 5000, 1000); got != 4990 {
		t.Errorf("got %d, want 4990", got)
	}
}

func TestWindowIsBounded(t *testing.T) {
	w := policy.NewWindow()
	for i := range policy.MaxIDs + 10 {
		w.Add(fmt.Sprint(i), store.Seq(i+1), 0)
	}
	if w.Len() != policy.MaxIDs {
		t.Errorf("%d ids are remembered, want %d", w.Len(), policy.MaxIDs)
	}
	if old, last := w.Seen("9", 1, 10), w.Seen(fmt.Sprint(policy.MaxIDs+9), 1, 10); old != 0 || last != policy.MaxIDs+10 {
		t.Errorf("got %d for an old id and %d for the newest", old, last)
	}
}

func TestDeadlinesComeInTime(t *testing.T) {
	var d policy.Deadlines
	if _, ok := d.Next(); ok {
		t.Error("there is one in none")
	}
	for i, ttl := range []time.Duration{50, 30, 0, policy.Never, 10, math.MaxInt64, 30} {
		d.Add(store.Seq(i+1), 100, ttl)
	}
	if next, ok := d.Next(); !ok || next != 110 || d.Len() != 5 {
		t.Errorf("got %d, %v of %d, want 110 of 5", next, ok, d.Len())
	}
	if got := d.Due(109); len(got) != 0 {
		t.Errorf("at 109: got %v", got)
	}
	d.Cut(7)
	if got := d.Due(150); !slices.Equal(got, []store.Seq{1, 2, 5}) {
		t.Errorf("at 150: got %v", got)
	}
	if next, ok := d.Next(); !ok || next != math.MaxInt64 {
		t.Errorf("got %d, %v, want the last time there is", next, ok)
	}
	for i := range 3000 {
		d.Add(store.Seq(i), 0, 1)
	}
	d.Prune(100, func(seq store.Seq) bool { return seq%30 == 7 })
	if d.Len() != 100 {
		t.Errorf("%d are left, want 100", d.Len())
	}
	if got := d.Due(2); len(got) != 100 || got[0] != 7 || got[99] != 2977 {
		t.Errorf("left are %v", got)
	}
}

func TestClockIsDoubtedWhenItJumps(t *testing.T) {
	const year = int64(365 * 24 * time.Hour)
	start := time.Now()
	now := start.UnixNano()
	at := func(d time.Duration) time.Time { return start.Add(d) }
	rows := []struct {
		name string
		last int64
		look []struct {
			wall  int64
			after time.Duration
			want  bool
		}
	}{
		{"a day is not far", now, []struct {
			wall  int64
			after time.Duration
			want  bool
		}{{now + int64(policy.FarAhead), 0, true}}},
		{"ten years ahead holds for an hour", now, []struct {
			wall  int64
			after time.Duration
			want  bool
		}{{now + 10*year, 0, false}, {now + 10*year, time.Hour - 1, false}, {now + 10*year, time.Hour, true}, {now + 10*year, 2 * time.Hour, true}}},
		{"who puts the clock right ends the hold", now, []struct {
			wall  int64
			after time.Duration
			want  bool
		}{{now + 10*year, 0, false}, {now, time.Minute, true}, {now + 10*year, 2 * time.Minute, false}, {now + 10*year, time.Hour + time.Minute, false}}},
		{"a jump while it runs", now, []struct {
			wall  int64
			after time.Duration
			want  bool
		}{{now, 0, true}, {now + year, time.Minute, false}}},
		{"a week that goes by is no jump", now, []struct {
			wall  int64
			after time.Duration
			want  bool
		}{{now, 0, true}, {now + int64(168*time.Hour), 168 * time.Hour, true}}},
		{"back is always good", now, []struct {
			wall  int64
			after time.Duration
			want  bool
		}{{now - 10*year, 0, true}, {0, time.Minute, true}, {0, 2 * time.Minute, true}}},
	}
	for _, r := range rows {
		c, held := policy.NewClock(r.last, start), false
		for i, l := range r.look {
			ok, began := c.Trust(l.wall, at(l.after))
			if ok != l.want || began != (!ok && !held) {
				t.Errorf("%s: look %d: got %v, began %v, want %v", r.name, i, ok, began, l.want)
			}
			held = !ok
		}
	}
}

func TestDelayIsBounded(t *testing.T) {
	for _, r := range []struct {
		due, now int64
		want     time.Duration
	}{
		{0, 1000, policy.Apart}, {int64(time.Second), 0, time.Second}, {math.MaxInt64, -5, 10 * time.Minute}, {math.MaxInt64, math.MaxInt64 - 5, policy.Apart},
	} {
		if got := policy.Delay(r.due, r.now); got != r.want {
			t.Errorf("due at %d, now %d: got %v, want %v", r.due, r.now, got, r.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("NATS/1.0\r\nNats-TTL: 5s\r\nNats-Msg-Id: a\r\n\r\n"))
	f.Fuzz(func(t *testing.T, block []byte) {
		a, err := policy.Parse(block)
		if err != nil && !errors.Is(err, store.ErrInvalid) {
			t.Errorf("got %v", err)
		}
		if got := policy.IDOf(block); err == nil && got != a.ID {
			t.Errorf("IDOf says %q, Parse %q", got, a.ID)
		}
		if got := policy.TTLOf(block); err == nil && got != a.TTL {
			t.Errorf("TTLOf says %v, Parse %v", got, a.TTL)
		}
	})
}
