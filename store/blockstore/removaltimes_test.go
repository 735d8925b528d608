package blockstore

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jsfs/store"
	"jsfs/store/internal/policy"
	"jsfs/store/internal/vfs"
)

// TestStandInsAreFew demands that many times of removals are made few, each by a later one of what is kept until the same time, and that what
// is removed in one go stays the same.
func TestStandInsAreFew(t *testing.T) {
	const keep = 80 * time.Minute
	second := int64(time.Second)
	goesWith := func(written []int64, at int64) (n int) { // of sorted ones
		for _, t := range slices.Backward(written) {
			if t < at-store.OneGo {
				break
			}
			at = min(at, t)
			n++
		}
		return n
	}
	rapid.Check(t, func(rt *rapid.T) {
		var times, written []int64
		for at := 1_000_000 * second; len(times) < 2*fewTimes; {
			at += rapid.SampledFrom([]int64{1, 1, 1, 2, 10, 59, 60, 61, 200}).Draw(rt, "later") * second
			times = append(times, at)
		}
		in := standIns(times, keep)
		few := map[int64]bool{}
		for _, at := range times {
			if in[at] < at || in[at] > at+store.OneGo || policy.KeptUntil(in[at], keep) != policy.KeptUntil(at, keep) {
				rt.Fatalf("%d stands for %d", in[at], at)
			}
			few[in[at]] = true
			written = append(written, in[at])
		}
		span := times[len(times)-1] - times[0]
		if most := 2*(span/store.OneGo+1) + 2*(span/int64(keep/8)+2); int64(len(few)) > most {
			rt.Errorf("%d times are left of %d within %d seconds, want %d at most", len(few), len(times), span/second, most)
		}
		slices.Sort(written)
		for k := 0; k < len(times); k += 7 {
			at := times[k] + 30*second
			if got, want := goesWith(written, at), goesWith(times, at); got != want {
				rt.Fatalf("%d removals are in one go with the stream, want %d", got, want)
			}
		}
	})
}

// TestATruncationKnowsTheTimesOfWhatIsKeptAlone demands that memory is taken for the blocks that are copied and keep something.
func TestATruncationKnowsTheTimesOfWhatIsKeptAlone(t *testing.T) {
	now := int64(1e18)
	st, s := draftStream(t, vfs.NewMem(), Options{Now: func() int64 { return now }, BlockSize: 8 << 10, KeepDeleted: time.Hour})
	defer st.Close()
	removeIn := func(block int) {
		for len(s.cur.Load().blocks) <= block+1 {
			if _, err := s.Append(t.Context(), store.Entry{Subject: "a", Data: make([]byte, 500)}); err != nil {
				t.Fatal(err)
			}
		}
		if ok, err := s.Remove(t.Context(), store.Seq(s.cur.Load().blocks[block].hdr.First)); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	removeIn(0)
	now += 2 * int64(time.Hour)
	removeIn(1)
	removeIn(2)
	n := s.cur.Load()
	c := copying{from: s, n: n, now: now}
	if err := c.timeRemovals(t.Context(), n.blocks[2].hdr.First-1); err != nil {
		t.Fatal(err)
	}
	if in := c.times[n.blocks[1]]; len(c.times) != 1 || in == nil || in[0] != now {
		t.Errorf("times are known of %d blocks, and of the one that is copied and keeps something %v", len(c.times), in)
	}
}

// TestATruncationKeepsTheTimesOfTheLastRemovals truncates a stream that took no message since two were removed, half an hour apart, and the new one at
// once again. With either of those that went that way comes back what was removed last, and not the other.
func TestATruncationKeepsTheTimesOfTheLastRemovals(t *testing.T) {
	now := int64(1e18) / int64(time.Hour) * int64(time.Hour)
	st, s := draftStream(t, vfs.NewMem(), Options{Now: func() int64 { return now }, KeepDeleted: 8 * time.Hour}) // both are kept until the same time
	defer st.Close()
	for range 4 {
		_, err := s.Append(t.Context(), store.Entry{Subject: "a"})
		fatal(t, err)
	}
	for _, seq := range []store.Seq{1, 2} {
		now += int64(29 * time.Minute)
		_, err := s.Remove(t.Context(), seq)
		fatal(t, err)
	}
	for last := store.Seq(3); last >= 2; last-- {
		_, err := st.Truncate(t.Context(), "S", last)
		fatal(t, err)
	}
	var told []int64
	removed, err := st.RemovedStreams(t.Context())
	fatal(t, err)
	for _, r := range removed {
		told = append(told, r.Messages)
	}
	if want := []int64{3, 2}; !slices.Equal(told, want) {
		t.Errorf("with the streams that were removed come back %d messages, want %d", told, want)
	}
}
