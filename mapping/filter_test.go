package mapping

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jsfs/store"
)

func TestFiltersMeet(t *testing.T) {
	for _, c := range []struct {
		name       string
		a, b, both Filter
		ok         bool
	}{
		{name: "everything and everything", ok: true},
		{name: "everything and a pattern", b: Filter{Subject: "a.*"}, both: Filter{Subject: "a.*"}, ok: true},
		{name: "a wildcard takes the other's token", a: Filter{Subject: "*.b.*"}, b: Filter{Subject: "a.*.*"}, both: Filter{Subject: "a.b.*"}, ok: true},
		{name: "a tail takes the other's rest", a: Filter{Subject: "a.>"}, b: Filter{Subject: "*.b.c"}, both: Filter{Subject: "a.b.c"}, ok: true},
		{name: "two tails", a: Filter{Subject: "a.>"}, b: Filter{Subject: "*.b.>"}, both: Filter{Subject: "a.b.>"}, ok: true},
		{name: "a tail is one token at least", a: Filter{Subject: "a.>"}, b: Filter{Subject: "a"}},
		{name: "other tokens", a: Filter{Subject: "a.b"}, b: Filter{Subject: "a.c"}},
		{name: "other lengths", a: Filter{Subject: "a.*"}, b: Filter{Subject: "a.*.*"}},
		{name: "ranges", a: Filter{From: 5}, b: Filter{From: 2, To: 9}, both: Filter{From: 5, To: 9}, ok: true},
		{name: "ranges apart", a: Filter{From: 5}, b: Filter{To: 4}},
		{name: "the later time", a: Filter{Since: 7}, b: Filter{Since: 8, To: 3}, both: Filter{Since: 8, To: 3}, ok: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 2 {
				if both, ok := c.a.And(c.b); ok != c.ok || ok && both != c.both {
					t.Errorf("%+v and %+v: got %+v, %v, want %+v, %v", c.a, c.b, both, ok, c.both, c.ok)
				}
				c.a, c.b = c.b, c.a
			}
		})
	}
}

func TestWhatBothFiltersShowTheirMeetingShows(t *testing.T) {
	token := rapid.SampledFrom([]string{"a", "b", "*"})
	pattern := rapid.Custom(func(t *rapid.T) string {
		tokens := rapid.SliceOfN(token, 0, 3).Draw(t, "tokens")
		if len(tokens) == 0 || rapid.Bool().Draw(t, "tail") {
			tokens = append(tokens, ">")
		}
		return strings.TrimPrefix(strings.Join(tokens, "."), ">")
	})
	filter := rapid.Custom(func(t *rapid.T) Filter {
		seq := rapid.Uint64Range(0, 4)
		return Filter{
			Subject: pattern.Draw(t, "pattern"),
			From:    store.Seq(seq.Draw(t, "from")), To: store.Seq(seq.Draw(t, "to")),
			Since: rapid.Int64Range(0, 4).Draw(t, "since"),
		}
	})
	subject := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 1, 4).Draw(t, "subject"), ".")
	})
	rapid.Check(t, func(t *rapid.T) {
		f, g, s := filter.Draw(t, "f"), filter.Draw(t, "g"), subject.Draw(t, "s")
		m := store.Meta{Seq: store.Seq(rapid.Uint64Range(1, 5).Draw(t, "seq")), Time: rapid.Int64Range(1, 5).Draw(t, "time")}
		both, ok := f.And(g)
		if want := f.Shows(m, s) && g.Shows(m, s); (ok && both.Shows(m, s)) != want {
			t.Fatalf("%+v and %+v are %+v, %v; message %d at %d on %s: want %v", f, g, both, ok, m.Seq, m.Time, s, want)
		}
		if (f == g) != (f.String() == g.String()) {
			t.Fatalf("%+v is %q, %+v is %q", f, f.String(), g, g.String())
		}
		if ok && both.Subject != "" && store.CheckPattern(both.Subject) != nil {
			t.Fatalf("%q is no pattern", both.Subject)
		}
	})
}

func TestRanges(t *testing.T) {
	for in, want := range map[string]Filter{
		"1-2": {From: 1, To: 2}, "7-7": {From: 7, To: 7}, "100-": {From: 100}, "-9": {To: 9},
		"000000000004-000000000009": {From: 4, To: 9},
	} {
		f, err := ParseRange(in)
		if err != nil || f != want {
			t.Errorf("%q: got %+v, %v, want %+v", in, f, err, want)
		}
		if back, err := ParseRange(FormatRange(f.From, f.To)); err != nil || back != f {
			t.Errorf("%q is written %q, which is %+v, %v", in, FormatRange(f.From, f.To), back, err)
		}
	}
	for _, in := range []string{"", "-", "1", "a-b", "2-1", "0-5", "1-0", "1-2-3", "+1-2", "1 -2", "18446744073709551616-"} {
		if f, err := ParseRange(in); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%q: got %+v, %v, want %v", in, f, err, store.ErrInvalid)
		}
	}
}

func TestNamesOfTimes(t *testing.T) {
	day := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for in, want := range map[string]When{
		"2026-11-22":                     {Time: day.UnixNano()},
		"2026-11-22T15:04:05Z":           {Time: day.Add(15*time.Hour + 4*time.Minute + 5*time.Second).UnixNano()},
		"2026-11-22T01:00:00.5+01:00":    {Time: day.UnixNano() + 5e8},
		"2026-11-22T15:04Z":              {Time: day.Add(15*time.Hour + 4*time.Minute).UnixNano()},
		"15m":                            {Ago: 15 * time.Minute},
		"2h":                             {Ago: 2 * time.Hour},
		"7d":                             {Ago: 7 * 24 * time.Hour},
		"1w1d":                           {Ago: 8 * 24 * time.Hour},
		"1h30m":                          {Ago: 90 * time.Minute},
		"2026-11-22T00:00:00.000000000Z": {Time: day.UnixNano()},
	} {
		w, err := ParseWhen(in)
		if err != nil || w != want {
			t.Errorf("%q: got %+v, %v, want %+v", in, w, err, want)
		}
		if back, err := ParseWhen(FormatTime(w.Time)); w.Time != 0 && (err != nil || back != w) {
			t.Errorf("%q is written %q, which is %+v, %v", in, FormatTime(w.Time), back, err)
		}
	}
	for _, in := range []string{"", "yesterday", "2026", "2026-13-01", "1969-12-31", "9999-01-01", "0s", "m", "5", "5y", "-2h", "1.5h", "99999999999999999999d", "999999w"} {
		if w, err := ParseWhen(in); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%q: got %+v, %v, want %v", in, w, err, store.ErrInvalid)
		}
	}
	for ago, want := range map[time.Duration]string{
		time.Hour: "2026-11-21T23:00:00Z", 150 * 365 * 24 * time.Hour: "1970-01-01T00:00:01Z",
	} {
		got := Before(day.UnixNano()+123, ago)
		if got != want {
			t.Errorf("%v before: got %s, want %s", ago, got, want)
		}
		if _, err := ParseWhen(got); err != nil {
			t.Error(err)
		}
	}
}

func TestFilesInASubjectsDirectory(t *testing.T) {
	for in, want := range map[string]Name{
		"a.pdf":         {Kind: NameSubject, Subject: "docs.in", File: "a.pdf"},
		"my report.pdf": {Kind: NameSubject, Subject: "docs.in", File: "my report.pdf"},
		"100%":          {Kind: NameSubject, Subject: "docs.in", File: "100%"},
		"*":             {Kind: NameSubject, Subject: "docs.in", File: "*"},
		"a\nb":          {Kind: NameSubject, Subject: "docs.in", File: "a\nb"},
		"0042":          {Kind: NameSeq, Seq: 42, Listed: true},
		".log":          {Kind: NameControl, Control: ControlLog},
		".a.pdf.Xy12ab": {Kind: NameDraft},
		"a.pdf~":        {Kind: NameDraft},
	} {
		if got, err := ParseFile(in, 4, "docs.in"); err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", ".", "..", "a/b", "a\x00", "0", strings.Repeat("x", MaxName+1)} {
		if got, err := ParseFile(in, 4, "docs.in"); err == nil {
			t.Errorf("%q: got %+v, want a refusal", in, got)
		}
	}
}

func TestEveryFilesNameFitsAHeader(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := string(rapid.SliceOf(rapid.Byte()).Draw(t, "name"))
		block, err := AppendHeader(nil, HeaderFilename, EscapeFile(name))
		if err != nil {
			t.Fatal(err)
		}
		value, ok := HeaderValue(block, HeaderFilename)
		if back, err := UnescapeSubject(value); !ok || err != nil || back != name {
			t.Fatalf("%q is written %q, and read %q, %v", name, value, back, err)
		}
	})
	if got := EscapeFile("my report.pdf"); got != "my report.pdf" {
		t.Errorf("got %q", got)
	}
}
