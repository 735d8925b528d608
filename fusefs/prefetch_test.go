package fusefs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// pageCache is a kernel that takes pages of some messages.
type pageCache struct {
	recorder
	unknown map[store.Seq]bool
	pages   map[store.Seq]string
}

func (k *pageCache) StoreNotify(node uint64, data []byte) fuse.Status {
	_, _, n := mapping.SplitNode(node)
	if k.unknown[store.Seq(n)] {
		return fuse.ENOENT
	}
	k.pages[store.Seq(n)] = string(data)
	return fuse.OK
}

// readAll reads messages as a program does, the cached ones without a request, and returns which were asked for.
func (k *pageCache) readAll(t *testing.T, m *mounted, s *stream, seqs ...store.Seq) (asked []store.Seq) {
	t.Helper()
	for _, seq := range seqs {
		id, _ := s.message(seq)
		want := fmt.Sprintf("message %d", seq)
		got, cached := k.pages[seq]
		if !cached {
			asked = append(asked, seq)
			var st fuse.Status
			if got, st = m.readAt(id, 0, 0, 4096); !st.Ok() {
				t.Fatalf("message %d: %v", seq, st)
			}
		}
		if got != want {
			t.Fatalf("message %d: got %q, want %q", seq, got, want)
		}
		m.prefetch.wait()
	}
	return asked
}

// numbered makes a stream S of n messages that say their number.
func numbered(t *testing.T, n int) (*mounted, *stream, *pageCache) {
	m := newMounted(t, Options{})
	k := &pageCache{unknown: map[store.Seq]bool{}, pages: map[store.Seq]string{}}
	m.prefetch.kernel = k
	var payloads []string
	for i := range n {
		payloads = append(payloads, fmt.Sprintf("message %d", i+1))
	}
	return m, m.stream("S", payloads...), k
}

func seqs(from, to store.Seq) (out []store.Seq) {
	for ; from <= to; from++ {
		out = append(out, from)
	}
	return out
}

func TestWhoReadsInOrderAsksSeldom(t *testing.T) {
	m, s, k := numbered(t, 2000)
	asked := k.readAll(t, m, s, seqs(1, 2000)...)
	// 1 and 2 show that it is in order; then windows of 16, 64 and 256.
	want := []store.Seq{1, 2, 19, 84, 341, 598, 855, 1112, 1369, 1626, 1883}
	if !slices.Equal(asked, want) {
		t.Errorf("asked for: got %d, want %d", asked, want)
	}
}

// Where files are opened, what comes next is sent before it is needed, and nothing is asked for.
func TestWhoOpensInOrderGetsTheNextInTime(t *testing.T) {
	m, s, k := numbered(t, 2000)
	var asked []store.Seq
	for seq := store.Seq(1); seq <= 2000; seq++ {
		id, _ := s.message(seq)
		if _, st := m.openAt(id, 0); !st.Ok() {
			t.Fatalf("open message %d: %v", seq, st)
		}
		m.prefetch.wait()
		asked = append(asked, k.readAll(t, m, s, seq)...)
		if ahead := len(k.pages) - int(seq); ahead > 2*maxPrefetch {
			t.Fatalf("at message %d, %d more were sent, want at most %d", seq, ahead, 2*maxPrefetch)
		}
	}
	if want := []store.Seq{1, 2}; !slices.Equal(asked, want) {
		t.Errorf("asked for: got %d, want %d", asked, want)
	}
	if c := m.prefetch.cursors[0]; c.window != 0 {
		t.Error("at the end, each open looks again whether there is more")
	}
	m.append(s, "message 2001", "message 2002", "message 2003", "message 2004")
	if asked = k.readAll(t, m, s, seqs(2001, 2004)...); len(asked) > 3 {
		t.Errorf("of what was appended then, asked for %d", asked)
	}
}

// What is too large to be sent ahead is not looked at for that either.
func TestWhoReadsTooLargeMessagesIsNotFollowed(t *testing.T) {
	m := newMounted(t, Options{})
	m.prefetch.kernel = &pageCache{unknown: map[store.Seq]bool{}, pages: map[store.Seq]string{}}
	large := strings.Repeat("x", maxPrefetched+1)
	s := m.stream("S", large, large, large, large)
	for seq := store.Seq(1); seq <= 4; seq++ {
		id, _ := s.message(seq)
		if _, st := m.openAt(id, 0); !st.Ok() {
			t.Fatalf("open message %d: %v", seq, st)
		}
		if got, st := m.readAt(id, 0, 0, len(large)); !st.Ok() || got != large {
			t.Fatalf("message %d: got %d bytes, %v", seq, len(got), st)
		}
		m.prefetch.wait()
	}
	for _, c := range m.prefetch.cursors {
		if c != nil {
			t.Errorf("message %d was read, and is followed", c.last)
		}
	}
}

// overtaken is a kernel whose reader asks for two messages while the one before them is stored.
type overtaken struct {
	pageCache
	m  *mounted
	s  *stream
	at store.Seq
}

func (k *overtaken) StoreNotify(node uint64, data []byte) fuse.Status {
	if _, _, n := mapping.SplitNode(node); store.Seq(n) == k.at {
		for seq := k.at + 1; seq <= k.at+2; seq++ {
			id, _ := k.s.message(seq)
			k.m.readAt(id, 0, 0, 4096)
		}
	}
	return k.pageCache.StoreNotify(node, data)
}

func TestWhatTheReaderHasAskedForIsNotSentAhead(t *testing.T) {
	m, s, k := numbered(t, 40)
	m.prefetch.kernel = &overtaken{*k, m, s, 7}
	k.readAll(t, m, s, 1, 2)
	want := append(seqs(3, 7), seqs(10, 18)...)
	if got := slices.Sorted(maps.Keys(k.pages)); !slices.Equal(got, want) {
		t.Errorf("sent ahead were %d, want %d", got, want)
	}
}

// Large messages are sent ahead to who reads them to their end, in however many requests, and not to who looks at how they begin.
func TestWhoReadsLargeMessagesToTheEndGetsTheNext(t *testing.T) {
	const size = maxFirstRead + 20_000
	for _, tc := range []struct {
		requests int
		whole    bool
	}{{1, true}, {2, true}, {1, false}} {
		m := newMounted(t, Options{})
		k := &pageCache{unknown: map[store.Seq]bool{}, pages: map[store.Seq]string{}}
		m.prefetch.kernel = k
		s := m.stream("S", slices.Repeat([]string{strings.Repeat("x", size)}, 200)...)
		asked := 0
		for seq := store.Seq(1); seq <= 200; seq++ {
			id, _ := s.message(seq)
			if _, st := m.openAt(id, 0); !st.Ok() {
				t.Fatalf("open message %d: %v", seq, st)
			}
			m.prefetch.wait()
			if _, ok := k.pages[seq]; ok {
				continue
			}
			asked++
			part := size / tc.requests
			if !tc.whole {
				part = size - 1
			}
			for i := range tc.requests {
				if got, st := m.readAt(id, 0, int64(i*part), part); !st.Ok() || len(got) != part {
					t.Fatalf("message %d: got %d bytes, %v", seq, len(got), st)
				}
			}
			m.prefetch.wait()
		}
		if tc.whole && (asked != 2 || len(k.pages) != 198) {
			t.Errorf("in %d requests: %d were asked for, %d sent ahead", tc.requests, asked, len(k.pages))
		}
		if !tc.whole && len(k.pages) > 0 {
			t.Errorf("who reads beginnings is sent %d", len(k.pages))
		}
	}
}

func TestGapsDoNotEndTheOrder(t *testing.T) {
	m, s, k := numbered(t, 300)
	for seq := store.Seq(2); seq < 300; seq += 3 {
		remove(t, s, seq)
	}
	var live []store.Seq
	for msg := range s.Scan(t.Context(), store.Query{}) {
		live = append(live, msg.Seq)
	}
	if asked := k.readAll(t, m, s, live...); len(asked) > 5 {
		t.Errorf("%d of %d messages were asked for: %d", len(asked), len(live), asked)
	}
}

func TestWhoReadsInNoOrderGetsNothingAhead(t *testing.T) {
	m, s, k := numbered(t, 300)
	for _, order := range [][]store.Seq{{1}, {300, 200, 100, 50}, {1, 40, 80, 120, 160}, {7, 7, 7}} {
		k.readAll(t, m, s, order...)
		if len(k.pages) != 0 {
			t.Errorf("after %d: %d messages were sent ahead, want none", order, len(k.pages))
		}
	}
}

func TestSeveralReadersAreFollowed(t *testing.T) {
	m, s, k := numbered(t, 3000)
	var order []store.Seq
	for i := range store.Seq(900) {
		order = append(order, 1+i, 1001+i, 2001+i)
	}
	if asked := k.readAll(t, m, s, order...); len(asked) > 3*10 {
		t.Errorf("three readers asked for %d of %d messages", len(asked), len(order))
	}
}

func TestMessagesThatTheKernelDoesNotKnowAreTriedSeldom(t *testing.T) {
	m, s, k := numbered(t, 600)
	for seq := store.Seq(1); seq <= 400; seq++ {
		k.unknown[seq] = true
	}
	k.readAll(t, m, s, seqs(1, 400)...)
	if len(k.pages) != 0 {
		t.Errorf("%d unknown messages were taken", len(k.pages))
	}
	if asked := k.readAll(t, m, s, seqs(401, 600)...); len(asked) > prefetchRest+8 {
		t.Errorf("of 200 messages that are known again %d were asked for", len(asked))
	}
}

func TestLargeAndEmptyMessagesAreNotSentAhead(t *testing.T) {
	m, _, k := numbered(t, 0)
	s := m.stream("T", "a", "b", "", strings.Repeat("x", maxPrefetched+1), "e")
	for _, seq := range []store.Seq{1, 2} {
		id, _ := s.message(seq)
		m.readAt(id, 0, 0, 4096)
		m.prefetch.wait()
	}
	if len(k.pages) != 1 || k.pages[5] != "e" {
		t.Errorf("got %v, want message 5 alone", k.pages)
	}
}

// erasing is a kernel that gets the bytes of a message late: after it was erased.
type erasing struct {
	pageCache
	t   *testing.T
	s   *stream
	seq store.Seq
}

func (k *erasing) StoreNotify(node uint64, data []byte) fuse.Status {
	if _, _, n := mapping.SplitNode(node); store.Seq(n) == k.seq {
		if _, err := k.s.Erase(k.t.Context(), k.seq); err != nil {
			k.t.Error(err)
		}
	}
	return k.pageCache.StoreNotify(node, data)
}

func TestWhatIsErasedIsNotLeftInTheKernel(t *testing.T) {
	m, s, k := numbered(t, 40)
	id, _ := s.message(7)
	late := &erasing{pageCache: *k, t: t, s: s, seq: 7}
	late.names = map[uint64]string{id: "S/7"}
	m.prefetch.kernel = late
	late.readAll(t, m, s, 1, 2)
	if !slices.Equal(late.told, []string{"inode S/7 0 0"}) || late.pages[8] == "" {
		t.Errorf("the kernel was told %q, want to drop the pages of message 7 alone", late.told)
	}
}
