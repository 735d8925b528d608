package mapping

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"jsfs/store"
)

// ParsePattern says which messages a name in a directory of subjects stands for: a subject, or
// a pattern, as EscapeSubject writes it. A name that ends in a hash ([IsHashed]) is none. The
// error wraps store.ErrSubject, store.ErrInvalid or store.ErrNameTooLong.
func ParsePattern(name string) (Filter, error) {
	pattern, err := UnescapeSubject(name)
	if err == nil {
		err = store.CheckPattern(pattern)
	}
	if pattern == ">" {
		pattern = ""
	}
	return Filter{Subject: pattern}, err
}

// FormatRange is the name of the range of sequences from from to to, both included; 0 is an
// open end.
func FormatRange(from, to store.Seq) string {
	var b strings.Builder
	if from != 0 {
		b.WriteString(strconv.FormatUint(uint64(from), 10))
	}
	b.WriteByte('-')
	if to != 0 {
		b.WriteString(strconv.FormatUint(uint64(to), 10))
	}
	return b.String()
}

// ParseRange is the inverse of FormatRange; it takes numbers with zeros before them as well. The
// error wraps store.ErrInvalid.
func ParseRange(name string) (Filter, error) {
	first, last, ok := strings.Cut(name, "-")
	from, err1 := parseEnd(first)
	to, err2 := parseEnd(last)
	switch {
	case !ok || err1 != nil || err2 != nil || from == 0 && to == 0:
		return Filter{}, fmt.Errorf("name %q: %w: a range of sequences is 100-200, 100- or -200", name, store.ErrInvalid)
	case to != 0 && from > to:
		return Filter{}, fmt.Errorf("name %q: %w: the range ends before it begins", name, store.ErrInvalid)
	}
	return Filter{From: from, To: to}, nil
}

// parseEnd reads an end of a range, 0 for an open one.
func parseEnd(s string) (store.Seq, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err == nil && (n == 0 || !allDigits(s)) {
		err = store.ErrInvalid
	}
	return store.Seq(n), err
}

// When is a name in a directory of times: a moment, or a duration back from now.
type When struct {
	Time int64         // in nanoseconds since the Unix epoch, 0 for a duration
	Ago  time.Duration // above 0 for a duration, of whole seconds
}

// The forms of a moment, the exact ones first; a day begins at midnight in UTC.
var whenForms = []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", time.DateOnly}

// ParseWhen reads the name of a moment after 1970, in RFC 3339 or as a date, or of a duration: a number
// and a unit of s, m, h, d or w, once or several times in a row. The error wraps store.ErrInvalid.
func ParseWhen(name string) (When, error) {
	if ago, ok := parseAgo(name); ok {
		return When{Ago: ago}, nil
	}
	for _, form := range whenForms {
		// Beyond what nanoseconds can count UnixNano gives anything.
		if t, err := time.Parse(form, name); err == nil && t.Unix() > 0 && t.Year() < maxYear {
			return When{Time: t.UnixNano()}, nil
		}
	}
	return When{}, fmt.Errorf("name %q: %w: a time is 2026-11-22T15:04:05Z, 2026-11-22, or a duration like 15m, 2h or 7d", name, store.ErrInvalid)
}

// maxYear is beyond every time that a message can have.
const maxYear = 2262

// Before is the name of the moment that lies ago before now, cut to whole seconds, so that it
// has the same length always.
func Before(now int64, ago time.Duration) string {
	t := time.Unix(0, now).Add(-ago)
	if t.Unix() < 1 {
		t = time.Unix(1, 0)
	}
	return t.UTC().Truncate(time.Second).Format(time.RFC3339)
}

var agoUnits = map[byte]time.Duration{
	's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
}

// maxAgo is more than what is between now and 1970.
const maxAgo = 200 * 365 * 24 * time.Hour

func parseAgo(s string) (time.Duration, bool) {
	var ago time.Duration
	for s != "" {
		digits := 0
		for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
			digits++
		}
		if digits == len(s) {
			return 0, false
		}
		n, err := strconv.ParseUint(s[:digits], 10, 40)
		unit := agoUnits[s[digits]]
		if err != nil || unit == 0 || time.Duration(n) > maxAgo/unit {
			return 0, false
		}
		if ago += time.Duration(n) * unit; ago > maxAgo {
			return 0, false
		}
		s = s[digits+1:]
	}
	return ago, ago > 0
}
