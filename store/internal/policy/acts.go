package policy

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"jsfs/store"
)

// Never is the TTL of a message that max_age spares, too.
const Never time.Duration = -1

// Rollup is what of the older messages one replaces.
type Rollup string

// The rollups.
const (
	RollupSubject Rollup = "sub" // those on its subject
	RollupAll     Rollup = "all" // all of them
)

// Acts are what the headers of a message ask for. The zero Acts ask for nothing.
type Acts struct {
	ID         string // Nats-Msg-Id
	Stream     string // the stream that is expected
	LastID     string // the id that the newest message is expected to have
	Last       *store.Seq
	LastOn     *store.Seq // the last sequence that is expected on Subject
	Subject    string     // a pattern; "" is the message's own
	Rollup     Rollup
	TTL        time.Duration // 0 is none
	expectSubj bool
}

// header is the value of a field, as NATS finds it: the first line that begins with the name and a
// colon, after the first line of the block, without spaces in front.
type header struct{ name, value string }

// names are the fields that act.
var names = []string{
	"Nats-Msg-Id", "Nats-Expected-Stream", "Nats-Expected-Last-Msg-Id", "Nats-Expected-Last-Sequence",
	"Nats-Expected-Last-Subject-Sequence", "Nats-Expected-Last-Subject-Sequence-Subject", "Nats-Rollup", "Nats-TTL",
}

// marker is what every field that acts begins with, behind the end of the line before.
var marker = []byte("\r\nNats-")

// Parse reads what a header block asks for. A field with a value that it can't have is
// store.ErrInvalid. Fields that do not act are not looked at, so a block may be malformed.
func Parse(block []byte) (Acts, error) {
	var a Acts
	if err := each(block, a.set); err != nil {
		return Acts{}, err
	}
	if a.expectSubj && a.LastOn == nil {
		return Acts{}, fmt.Errorf("header Nats-Expected-Last-Subject-Sequence-Subject: %w: it stands alone", store.ErrInvalid)
	}
	return a, nil
}

// each calls f for the fields that act, until that fails.
func each(block []byte, f func(header) error) error {
	at := bytes.Index(block, marker)
	if at < 0 {
		return nil
	}
	var seen uint
	for rest := block[at+2:]; len(rest) > 0; {
		line, next, _ := bytes.Cut(rest, []byte("\r\n"))
		rest = next
		name, value, ok := bytes.Cut(line, []byte(":"))
		i := slices.Index(names, string(name))
		if !ok || i < 0 || seen&(1<<i) != 0 {
			continue
		}
		seen |= 1 << i
		h := header{names[i], string(bytes.TrimLeft(value, " "))}
		if h.value == "" {
			continue
		}
		if err := f(h); err != nil {
			return err
		}
	}
	return nil
}

func (a *Acts) set(h header) (err error) {
	switch h.name {
	case "Nats-Msg-Id":
		a.ID = h.value
	case "Nats-Expected-Stream":
		a.Stream = h.value
	case "Nats-Expected-Last-Msg-Id":
		a.LastID = h.value
	case "Nats-Expected-Last-Sequence":
		a.Last, err = h.seq()
	case "Nats-Expected-Last-Subject-Sequence":
		a.LastOn, err = h.seq()
	case "Nats-Expected-Last-Subject-Sequence-Subject":
		a.Subject, a.expectSubj = h.value, true
		if err = store.CheckPattern(h.value); err != nil {
			err = fmt.Errorf("header %s: %w: %w", h.name, store.ErrInvalid, err)
		}
	case "Nats-Rollup":
		a.Rollup = Rollup(h.value)
		if a.Rollup != RollupSubject && a.Rollup != RollupAll {
			err = h.bad("it is neither sub nor all")
		}
	case "Nats-TTL":
		a.TTL, err = h.ttl()
	}
	return err
}

func (h header) bad(why string) error {
	return fmt.Errorf("header %s: %w: %q: %s", h.name, store.ErrInvalid, h.value, why)
}

func (h header) seq() (*store.Seq, error) {
	n, err := strconv.ParseUint(h.value, 10, 64)
	if err != nil {
		return nil, h.bad("it is no sequence")
	}
	seq := store.Seq(n)
	return &seq, nil
}

// ttl reads whole seconds, a duration of at least one, of which whole seconds count, or never.
func (h header) ttl() (time.Duration, error) {
	if strings.EqualFold(h.value, "never") {
		return Never, nil
	}
	if d, err := time.ParseDuration(h.value); err == nil && h.value != "0" {
		if d < time.Second {
			return 0, h.bad("it is less than 1s")
		}
		return d.Truncate(time.Second), nil
	}
	n, err := strconv.ParseInt(h.value, 10, 64)
	if err != nil || n < 0 {
		return 0, h.bad("it is neither a duration nor seconds nor never")
	}
	return time.Duration(min(n, math.MaxInt64/int64(time.Second))) * time.Second, nil
}

// TTLOf returns the TTL that a header block asks for, 0 for none, also where it has another that it can't have.
func TTLOf(block []byte) (ttl time.Duration) {
	_ = each(block, func(h header) (err error) {
		if h.name == "Nats-TTL" {
			ttl, err = h.ttl()
		}
		return err
	})
	return ttl
}

// IDOf returns the Nats-Msg-Id of a header block, "" without one.
func IDOf(block []byte) (id string) {
	_ = each(block, func(h header) error {
		if h.name == "Nats-Msg-Id" {
			id = h.value
		}
		return nil
	})
	return id
}
