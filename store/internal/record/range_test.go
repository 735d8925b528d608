package record

import (
	"errors"
	"math"
	"slices"
	"testing"

	"jsfs/store"
)

// run is a stretch of sequences.
type run struct{ first, n uint64 }

func runsOf(r *Range) (out []run) {
	for first, n := range r.Runs() {
		out = append(out, run{first, n})
	}
	return out
}

func TestARangeHasTheRunsThatWereAdded(t *testing.T) {
	for name, c := range map[string]struct{ add, want []run }{
		"one":                     {[]run{{5, 1}}, []run{{5, 1}}},
		"one after the other":     {[]run{{5, 1}, {6, 1}, {7, 300}}, []run{{5, 302}}},
		"with gaps":               {[]run{{1, 2}, {4, 1}, {1000, 500}}, []run{{1, 2}, {4, 1}, {1000, 500}}},
		"a gap behind a run":      {[]run{{5, 1}, {6, 2}, {10, 1}, {11, 1}}, []run{{5, 3}, {10, 2}}},
		"growing past one byte":   {[]run{{1, 100}, {200, 127}, {327, 1}, {328, 1}}, []run{{1, 100}, {200, 129}}},
		"up to the highest but 1": {[]run{{1, 1}, {math.MaxUint64 - 10, 10}}, []run{{1, 1}, {math.MaxUint64 - 10, 10}}},
	} {
		var r Range
		sum := uint64(0)
		for _, e := range c.add {
			r.Add(e.first, e.n)
			sum += e.n
		}
		if got := runsOf(&r); !slices.Equal(got, c.want) || r.Len() != sum {
			t.Errorf("%s: got %v, %d in all, want %v", name, got, r.Len(), c.want)
		}
		if (len(c.want) == 1) != (len(r.runs) == 0) {
			t.Errorf("%s: %d bytes of runs are left", name, len(r.runs))
		}
	}
}

func TestLongControlsAreReadAsWritten(t *testing.T) {
	var spread Range
	for i := range uint64(5000) {
		spread.Add(10+2*i, 1)
	}
	many := make([]Range, maxRanges+1)
	for i := range many {
		many[i] = Range{First: uint64(i) + 1, Count: 1}
	}
	for name, ct := range map[string]*Control{
		"a removal of one":                  exampleRemoval(),
		"a range with gaps, and a skip":     examplePurge(),
		"very many runs":                    {Kind: FlagRemove, Seq: 20_000, Ranges: []Range{spread}},
		"more ranges than a short form has": {Kind: FlagRemove, Seq: 20_000, Ranges: many},
		"an undeletion of a range":          {Kind: FlagUndelete, Seq: 9, Ranges: []Range{{First: 2, Count: 3}}},
		"nothing to keep":                   {Kind: FlagRemove, Seq: 9, Discard: true, Ranges: []Range{{First: 2, Count: 3}}},
		"a skip alone":                      {Kind: FlagRemove, Seq: 9, Skip: 4, Ranges: []Range{}},
	} {
		h := exampleHeader()
		c := h.Coder()
		ct.Time = h.Time
		rec := c.AppendControl(nil, DataStart, DataStart, ct)
		rec = rec[:len(rec)/2]
		head, err := c.Head(rec[:min(MaxHead, len(rec))], DataStart)
		if err != nil || head.Size > int64(len(rec)) {
			t.Errorf("%s: head: %+v, %v", name, head, err)
			continue
		}
		got, err := head.ControlOf(rec[:head.Size])
		if err != nil || !got.Same(ct) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, ct)
		}
	}
}

func TestControlsThatContradictThemselvesAreRefused(t *testing.T) {
	for name, body := range map[string][]byte{
		"a long form about nothing":          {0, 0, 0, 0},
		"runs that are too short":            {0, 0, 0, 1, 9, 5, 1, 1, 1, 1, 3, 1, 1, 1},
		"runs that are too long":             {0, 0, 0, 1, 9, 2, 1, 1, 1, 1, 3, 1, 1, 1},
		"runs that end in a gap":             {0, 0, 0, 1, 9, 2, 1, 1, 1, 1, 2, 1, 1},
		"runs with an empty one":             {0, 0, 0, 1, 9, 1, 1, 1, 1, 1, 2, 1, 0},
		"a skip of more than there is":       {0, 0, 200, 1, 0},
		"a range that ends above its own":    {0, 0, 0, 1, 2, 3, 1, 1, 1, 1, 0},
		"more ranges than there are bytes":   {0, 0, 0, 100, 9, 1},
		"a number of runs that is cut short": {0, 0, 0, 1, 9, 2, 1, 1, 1, 1, 9, 1},
	} {
		if got, err := parseControl(FlagRemove, 100, 0, body); !errors.Is(err, ErrBad) {
			t.Errorf("%s: got %+v, %v, want ErrBad", name, got, err)
		}
	}
	if _, err := parseControl(FlagUndelete, 100, 0, []byte{0, 0, 4, 0}); !errors.Is(err, ErrBad) {
		t.Errorf("an undeletion that skips: got %v, want ErrBad", err)
	}
	if _, err := parseControl(FlagRemove, 100, 0, []byte{0, 0x40, 0, 1, 9, 1, 1, 1, 1, 1, 0}); !errors.Is(err, store.ErrVersion) {
		t.Errorf("an unknown flag: got %v, want ErrVersion", err)
	}
}
