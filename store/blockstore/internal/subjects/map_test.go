package subjects

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"jsfs/store"
)

// TestSubjectMapAgreesWithAPlainOne stores and removes at random, and compares with a list for each subject.
func TestSubjectMapAgreesWithAPlainOne(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m, plain, seq := NewMap(), map[string][]uint64{}, uint64(0)
		for range 3000 {
			name := fmt.Sprintf("s.%d.%s", rng.IntN(200), strings.Repeat("x", rng.IntN(3)))
			switch live := plain[name]; {
			case rng.IntN(3) > 0:
				seq++
				m.Stored(m.Add(name), seq)
				plain[name] = append(live, seq)
			case len(live) > 0:
				i := []int{0, len(live) - 1, rng.IntN(len(live))}[rng.IntN(3)]
				if !m.Removed(name, live[i]) {
					t.Fatalf("seed %d: %d on %s is not counted", seed, live[i], name)
				}
				plain[name] = slices.Delete(live, i, i+1)
			case m.Removed(name, seq):
				t.Fatalf("seed %d: what was never there on %s was counted", seed, name)
			}
			switch rng.IntN(100) {
			case 0:
				m.Sort()
			case 1:
				m = m.Compacted()
			}
		}
		sameSubjects(t, seed, m, plain)
		sameSubjects(t, seed, m.Compacted(), plain)
	}
}

func sameSubjects(t *testing.T, seed uint64, m *Map, plain map[string][]uint64) {
	t.Helper()
	live := 0
	for name, seqs := range plain {
		id, ok := m.Find(name)
		if len(seqs) == 0 {
			if ok && m.At(id).Count > 0 {
				t.Errorf("seed %d: %s has %+v, want none", seed, name, *m.At(id))
			}
			continue
		}
		live++
		if !ok || m.Name(id) != name {
			t.Fatalf("seed %d: %s is not found", seed, name)
		}
		e, first, last := m.At(id), seqs[0], seqs[len(seqs)-1]
		okFirst := e.First == first && e.Stale&StaleFirst == 0 || e.First < first && e.Stale&StaleFirst != 0
		okLast := e.Last == last && e.Stale&StaleLast == 0 || e.Last > last && e.Stale&StaleLast != 0
		if e.Count != uint64(len(seqs)) || !okFirst || !okLast || int(e.tokens) != strings.Count(name, ".")+1 {
			t.Errorf("seed %d: %s has %+v, want %d messages from %d to %d", seed, name, *e, len(seqs), first, last)
		}
	}
	if m.live != live {
		t.Errorf("seed %d: got %d live subjects, want %d", seed, m.live, live)
	}
	m.Sort()
	if !slices.IsSortedFunc(m.order, func(a, b uint32) int { return strings.Compare(m.Name(a), m.Name(b)) }) || len(m.order) != m.n {
		t.Errorf("seed %d: the order of %d subjects is wrong", seed, m.n)
	}
}

// TestASubjectTakesFewBytes holds the index to what it may take: 60 bytes a subject besides the name.
func TestASubjectTakesFewBytes(t *testing.T) {
	const n = 200_000
	names := make([]string, n)
	length := 0
	for i := range names {
		names[i] = fmt.Sprintf("orders.%d.new", i)
		length += len(names[i])
	}
	before := heapNow()
	m := NewMap()
	for i, name := range names {
		m.Stored(m.Add(name), uint64(i)+1)
	}
	m.Sort()
	each := float64(heapNow()-before-uint64(length)) / n
	runtime.KeepAlive(names)
	t.Logf("%.1f bytes a subject besides the name", each)
	if each > 60 || m.live != n {
		t.Errorf("got %.1f bytes a subject, want 60 at most", each)
	}
}

func TestPatternsAreMadeReady(t *testing.T) {
	for _, c := range []struct {
		pattern  string
		or       []string
		prefix   string
		tokens   int
		literals int
		all      bool
	}{
		{pattern: "", tokens: -1, all: true},
		{pattern: ">", tokens: -1, all: true},
		{pattern: "a", or: []string{">"}, tokens: -1, all: true},
		{pattern: "a.b", prefix: "a.b", tokens: -1, literals: 1},
		{pattern: "a.b", or: []string{"c", "a.b"}, prefix: "a.b", tokens: -1, literals: 2},
		{pattern: "a.*", prefix: "a.", tokens: 2},
		{pattern: "a.*.*", prefix: "a.", tokens: 3},
		{pattern: "a.b.>", prefix: "a.b.", tokens: 0},
		{pattern: "*", prefix: "", tokens: 1},
		{pattern: "a.*.c", prefix: "a.", tokens: -1},
		{pattern: "a.*.>", prefix: "a.", tokens: -1},
		{pattern: "*.b", prefix: "", tokens: -1},
		{pattern: "a.*", or: []string{"a.b.c"}, prefix: "a.", tokens: -1},
		{pattern: "ab.*", or: []string{"ac.>"}, prefix: "a", tokens: -1},
		{pattern: "a.*", or: []string{"b"}, prefix: "", tokens: -1},
	} {
		f := NewFilter(store.Query{Subject: c.pattern, Or: c.or})
		if f.All != c.all || len(f.Literals) != c.literals || c.literals == 0 && f.Prefix != c.prefix || f.tokens != c.tokens {
			t.Errorf("%q %q: got %+v, want %+v", c.pattern, c.or, *f, c)
		}
	}
}

func heapNow() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// sameHash returns a map without subjects, and two names that have the same hash in it.
func sameHash() (m *Map, a, b string) {
	for {
		m := NewMap()
		with := map[uint32]string{}
		for i := range 200_000 {
			name := fmt.Sprint("s.", i)
			if other, ok := with[m.hash(name)]; ok {
				return m, other, name
			}
			with[m.hash(name)] = name
		}
	}
}

// TestSubjectsOfOneHash has two subjects that only their names tell apart.
func TestSubjectsOfOneHash(t *testing.T) {
	m, a, b := sameHash()
	idA := m.Add(a)
	if id, ok := m.Guess(b); !ok || id != idA {
		t.Errorf("guessed %d, %v for a name with the hash of %d", id, ok, idA)
	}
	if id, ok := m.Find(b); ok {
		t.Errorf("found %d before it was there", id)
	}
	idB := m.Add(b)
	for i := range 1000 { // the slots grow
		m.Add(fmt.Sprint("other.", i))
	}
	for name, want := range map[string]uint32{a: idA, b: idB} {
		if id, ok := m.Find(name); !ok || id != want || m.Name(id) != name {
			t.Errorf("%s is number %d, %v, want %d", name, id, ok, want)
		}
		if id, ok := m.Guess(name); !ok || id != idA && id != idB {
			t.Errorf("guessed %d, %v for %s, want %d or %d", id, ok, name, idA, idB)
		}
	}
	if id, ok := m.Guess("none"); ok && m.hash("none") != m.hash(m.Name(id)) {
		t.Errorf("guessed %s for none", m.Name(id))
	}
}
