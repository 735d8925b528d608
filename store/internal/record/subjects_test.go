package record

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

// walkTable returns all that a table tells.
func walkTable(t *SubjectTable) []Subject {
	var out []Subject
	for e := range t.Prefixed("") {
		out = append(out, Subject{string(e.Name), e.Places(nil)})
	}
	return out
}

// exampleSubjects has n subjects in a block of messages; each message is on one of them at random.
func exampleSubjects(rng *rand.Rand, n, messages int) []Subject {
	places := map[string][]uint32{}
	for i := range messages {
		name := fmt.Sprintf("s.%d.%s", rng.IntN(n), strings.Repeat("x", i%3))
		places[name] = append(places[name], uint32(i))
	}
	var subs []Subject
	for name, p := range places {
		subs = append(subs, Subject{name, p})
	}
	slices.SortFunc(subs, func(a, b Subject) int { return strings.Compare(a.Name, b.Name) })
	return subs
}

// openTable decodes what the table is on disk.
func openTable(t *testing.T, h *Header, subs []Subject, messages int) (*SubjectTable, []byte, []byte, *Trailer) {
	t.Helper()
	f := Footer{Trailer: Trailer{DataEnd: 9000, Next: 12}, Subjects: subs, Offsets: make([]uint32, messages)}
	for i := range f.Offsets {
		f.Offsets[i] = DataStart + uint32(i)
	}
	f.All.Messages = int64(messages)
	b := f.Append(nil, h)
	section := func(s Section) []byte {
		off, n := f.Place(s)
		return b[off-9000:][:n]
	}
	table, err := f.Trailer.Subjects(h, section(Subjects), section(Places), true)
	if err != nil {
		t.Fatal(err)
	}
	return table, section(Subjects), section(Places), &f.Trailer
}

func TestSubjectTablesAreReadAsWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	h := exampleHeader()
	for name, subs := range map[string][]Subject{
		"none":                   nil,
		"one that has all":       {{"a", []uint32{0, 1, 2, 3, 4}}},
		"one, twice":             {{"a", []uint32{1, 4}}},
		"neighbours":             {{"a", []uint32{3, 4}}},
		"a run":                  {{"a", []uint32{1, 2, 3}}, {"a.b", []uint32{0, 4}}},
		"almost a run":           {{"a", []uint32{0, 1, 3, 4}}, {"b", []uint32{2}}},
		"a long name":            {{strings.Repeat("n", store.MaxSubject), []uint32{0}}},
		"few on many messages":   exampleSubjects(rng, 2, 3000),
		"many":                   exampleSubjects(rng, 1000, 2000),
		"a message on each":      exampleSubjects(rng, 100_000, 500),
		"as many as are a group": exampleSubjects(rng, 1, 48),
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			table, _, _, _ := openTable(t, h, subs, 3000)
			if d := cmp.Diff(subs, walkTable(table)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if !table.Equal(MakeSubjects(subs)) || table.Len() != len(subs) {
				t.Error("what was read is not what was written")
			}
			for _, s := range subs {
				e, ok := table.Find(s.Name)
				if !ok || int(e.Count) != len(s.Places) || e.First != s.Places[0] || e.Last != s.Places[len(s.Places)-1] ||
					!slices.Equal(e.Places(nil), s.Places) {
					t.Errorf("%s: got %+v", s.Name, e)
				}
				for _, other := range []string{s.Name + "!", s.Name[:len(s.Name)-1], ""} {
					_, ok := table.Find(other)
					if want := slices.ContainsFunc(subs, func(s Subject) bool { return s.Name == other }); ok != want {
						t.Errorf("Find(%q): got %v, want %v", other, ok, want)
					}
				}
			}
		})
	}
}

func TestPrefixedWalksWhatBeginsSo(t *testing.T) {
	subs := exampleSubjects(rand.New(rand.NewPCG(3, 4)), 300, 600)
	table := MakeSubjects(subs)
	for _, prefix := range []string{"", "s", "s.1", "s.17", "s.17.", "s.2.xx", "s.299.xx", "t", "a", "s.9.xxx"} {
		var got, want []string
		for e := range table.Prefixed(prefix) {
			got = append(got, string(e.Name))
		}
		for _, s := range subs {
			if strings.HasPrefix(s.Name, prefix) {
				want = append(want, s.Name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", prefix, got, want)
		}
	}
}

// oldNames is the section Subjects as it was before footers were packed.
func oldNames(subs []Subject) []byte {
	var b []byte
	prev := ""
	for i, s := range subs {
		n := 0
		if i%restartEvery != 0 {
			n = commonPrefix(prev, s.Name)
		}
		b = appendUvarints(b, uint64(n), uint64(len(s.Name)-n))
		b = append(b, s.Name[n:]...)
		prev = s.Name
		first, last := s.Places[0], s.Places[len(s.Places)-1]
		b = appendUvarints(b, uint64(len(s.Places)), uint64(first))
		if len(s.Places) > 1 {
			b = appendUvarints(b, uint64(last-first))
		}
		if hasList(uint32(len(s.Places)), last-first) {
			size := 0
			for i := 1; i < len(s.Places)-1; i++ {
				size += len(appendUvarints(nil, uint64(s.Places[i]-s.Places[i-1])))
			}
			b = appendUvarints(b, uint64(size))
		}
	}
	return b
}

// reopen gives sections as they are before they are compressed, and opens the table; packed says how they are kept.
func reopen(h *Header, tr *Trailer, packed bool, names, places []byte) (*SubjectTable, error) {
	t := *tr
	if t.packed = packed; packed {
		names, places = appendPacked(nil, names), appendPacked(nil, places)
	}
	c := h.Coder()
	t.parts[Subjects].size, t.parts[Places].size = uint32(len(names)), uint32(len(places))
	t.parts[Subjects].sum, t.parts[Places].sum = c.sum(names, tr.parts[Subjects].off), c.sum(places, tr.parts[Places].off)
	return t.Subjects(h, names, places, true)
}

// TestTablesOfOldFootersAreRead reads what is not packed.
func TestTablesOfOldFootersAreRead(t *testing.T) {
	h := exampleHeader()
	for _, n := range []int{1, 20, 1000, 100_000} {
		subs := exampleSubjects(rand.New(rand.NewPCG(5, 6)), n, 2000)
		want, _, _, tr := openTable(t, h, subs, 2000)
		got, err := reopen(h, tr, false, oldNames(subs), want.places)
		if err != nil || !got.Equal(want) {
			t.Fatalf("%d subjects: %v, or another table", len(subs), err)
		}
		if d := cmp.Diff(subs, walkTable(got)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

// TestTablesThatContradictThemselvesAreRefused: what passed the sum and makes no sense is not believed.
func TestTablesThatContradictThemselvesAreRefused(t *testing.T) {
	h := exampleHeader()
	subs := exampleSubjects(rand.New(rand.NewPCG(5, 6)), 20, 200)
	table, names, places, tr := openTable(t, h, subs, 200)
	for _, packed := range []bool{false, true} {
		plain := table.names
		if !packed {
			plain = oldNames(subs)
		}
		refused := 0
		for i := range len(plain) + len(table.places) {
			for _, bit := range []byte{1, 0x80, 0x10} {
				n, p := slices.Clone(plain), slices.Clone(table.places)
				if i < len(n) {
					n[i] ^= bit
				} else {
					p[i-len(n)] ^= bit
				}
				table, err := reopen(h, tr, packed, n, p)
				if err == nil {
					walkTable(table) // must not panic
					continue
				}
				if refused++; !errors.Is(err, ErrBad) {
					t.Fatalf("byte %d: got %v, want ErrBad", i, err)
				}
			}
		}
		if refused == 0 {
			t.Errorf("packed %v: nothing was refused", packed)
		}
	}
	if _, err := tr.Subjects(h, names[1:], places, true); !errors.Is(err, ErrBad) {
		t.Errorf("a section of another size: got %v, want ErrBad", err)
	}
	wrong := slices.Clone(places)
	wrong[0] ^= 1
	if _, err := tr.Subjects(h, names, wrong, true); !errors.Is(err, ErrBad) {
		t.Errorf("a wrong sum: got %v, want ErrBad", err)
	}
}

// TestMostOtherNamesAreNotLookedFor counts the names that a filter does not tell from those in its table.
func TestMostOtherNamesAreNotLookedFor(t *testing.T) {
	const n = 20_000
	f := make(nameFilter, n/8+1)
	for i := range n {
		f.add(fmt.Appendf(nil, "orders.%d", i))
	}
	others := 0
	for i := range n {
		if !f.may(NameHash(fmt.Sprint("orders.", i))) {
			t.Fatalf("orders.%d is said not to be there", i)
		}
		if f.may(NameHash(fmt.Sprint("orders.", n+i))) {
			others++
		}
	}
	if others > n/15 {
		t.Errorf("%d of %d other names are looked for", others, n)
	}
}
