package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Purger is the role of removing much at once, and of taking sequences without storing. What it
// removes is soft-deleted, as by Remove. Each call is one change: after a crash all of it was
// done, or nothing; it survives what a Remove survives. Last and LastTime stay, but for Skip and for
// a Compact above Last. Purge and Compact give ErrDenied if the stream denies purging, RemoveAll
// if it denies that or deletion; a sealed stream gives ErrSealed. Events tell of each message, in order,
// or that events were lost.
type Purger interface {
	// Purge removes live messages and returns how many. The zero Purge removes them all. One with
	// neither a Subject but ">" nor Keep is Compact(p.Below).
	Purge(ctx context.Context, p Purge) (int64, error)

	// Compact removes every message below seq, and returns how many were live. Above Last it
	// removes all of them and skips to seq: the next message gets it. 0 is the zero Purge. First is
	// then the lowest live sequence at or above seq, Last + 1 if there is none.
	Compact(ctx context.Context, seq Seq) (int64, error)

	// Skip takes the next n sequences without storing anything, and returns the last of them, which
	// is Last then, as SkipTo does it. LastTime stays. It gives ErrInvalid if n is 0 or the sequences
	// do not reach: the highest one can't be skipped.
	Skip(ctx context.Context, n uint64) (Seq, error)

	// RemoveAll removes every live message in ranges, which may overlap and reach beyond First and
	// Last, and returns how many. A range with First above Last is ErrInvalid.
	RemoveAll(ctx context.Context, ranges []Range) (int64, error)
}

// Purge says what to remove. Its conditions hold together.
type Purge struct {
	// Subject restricts to a pattern; "" is every subject.
	Subject string
	// Below restricts to sequences below it; 0 is no bound, and 1 removes nothing.
	Below Seq
	// Keep spares the newest so many of the messages that match Subject, whatever Below says.
	Keep uint64
}

// Compacts returns the sequence of the Compact that p is, if it is one.
func (p Purge) Compacts() (Seq, bool) {
	return p.Below, p.Keep == 0 && (p.Subject == "" || p.Subject == ">")
}

// MergeRanges returns what ranges cover, sorted, without overlaps and with what touches in one.
// Each must have a First that is not above its Last.
func MergeRanges(ranges []Range) []Range {
	sorted := slices.SortedFunc(slices.Values(ranges), func(a, b Range) int { return cmp.Compare(a.First, b.First) })
	var out []Range
	for _, r := range sorted {
		if n := len(out); n > 0 && (r.First <= out[n-1].Last || r.First == out[n-1].Last+1) {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

// CheckSealed returns nil if the stream may be changed.
func (c Config) CheckSealed() error {
	return c.checkRemoval("change", "")
}

// CheckPurge returns nil if the stream may be purged and compacted.
func (c Config) CheckPurge() error {
	return c.checkRemoval("purge", c.denies("", "deny_purge"))
}

// CheckRemove returns nil if messages may be removed one by one.
func (c Config) CheckRemove() error {
	return c.checkRemoval("remove from", c.denies("deny_delete", ""))
}

// CheckRemoveAll returns nil if messages may be removed by their numbers, many at once.
func (c Config) CheckRemoveAll() error {
	return c.checkRemoval("remove from", c.denies("deny_delete", "deny_purge"))
}

// denies returns which of the two settings is set, "" if none is; "" is not asked for.
func (c Config) denies(deletion, purging string) string {
	switch {
	case c.DenyDelete && deletion != "":
		return deletion
	case c.DenyPurge:
		return purging
	}
	return ""
}

// checkRemoval refuses a removal that the stream forbids, by the name of the setting denied unless that is "".
func (c Config) checkRemoval(what, denied string) error {
	switch {
	case c.Sealed:
		return fmt.Errorf("%s stream %s: %w", what, c.Name, ErrSealed)
	case denied != "":
		return fmt.Errorf("%s stream %s: %w: %s is set", what, c.Name, ErrDenied, denied)
	}
	return nil
}
