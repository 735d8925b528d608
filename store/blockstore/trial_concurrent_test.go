package blockstore_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
	"jsfs/store/keys"
)

// everyOption returns the options of a store in each combination of sync policy, compression, cipher and block size.
func everyOption() (all []blockstore.Options) {
	for _, sync := range policies {
		for _, compression := range []store.Compression{store.CompressionNone, store.CompressionS2} {
			for _, cipher := range []keys.Cipher{0, keys.AES, keys.ChaCha20} {
				for _, size := range []int64{trialBlock, 2 * trialBlock, 1 << 20} {
					opt := variant{"", compression, cipher}.of(trialOptions(sync))
					opt.BlockSize = size
					all = append(all, opt)
				}
			}
		}
	}
	return all
}

func sayOptions(opt blockstore.Options) string {
	return fmt.Sprintf("sync %v, compression %v, cipher %v, blocks of %d", opt.Sync, opt.Compression, opt.Cipher, opt.BlockSize)
}

// call is one call on a stream, and answer what it gave.
type call struct {
	what string
	seq  store.Seq
	data string
}

type answer struct {
	seq  store.Seq
	data string
	n    int64 // messages
	err  error
}

// cell is a message in the sequential model, whose state is a []cell: message n is the n-th.
type cell struct {
	data string
	live bool
}

// sequential is a stream that one caller uses at a time.
var sequential = porcupine.Model{
	Init: func() any { return []cell(nil) },
	Step: func(state, in, out any) (bool, any) { return stepOf(state.([]cell), in.(call), out.(answer)) },
	Equal: func(a, b any) bool {
		return slices.Equal(a.([]cell), b.([]cell))
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v: %+v", in, out) },
}

// stepOf says whether a stream in state cells may give out for in, and what it is then.
func stepOf(cells []cell, in call, out answer) (bool, []cell) {
	live, last := int64(0), -1
	for i, c := range cells {
		if c.live {
			live, last = live+1, i
		}
	}
	beyond := int(in.seq) > len(cells) //nolint:gosec // small
	at := int(in.seq) - 1              //nolint:gosec // small
	switch in.what {
	case "append":
		return out.err == nil && int(out.seq) == len(cells)+1, append(slices.Clip(cells), cell{in.data, true}) //nolint:gosec // small
	case "remove", "undelete":
		return stepOfOne(cells, in, out, beyond)
	case "load":
		switch {
		case beyond:
			return errors.Is(out.err, store.ErrBeyond), cells
		case cells[at].live:
			return out.err == nil && out.data == cells[at].data, cells
		}
		return errors.Is(out.err, store.ErrNotFound), cells
	case "load last":
		if last < 0 {
			return errors.Is(out.err, store.ErrNotFound), cells
		}
		return out.err == nil && int(out.seq) == last+1 && out.data == cells[last].data, cells //nolint:gosec // small
	case "state":
		return out.err == nil && int(out.seq) == len(cells) && out.n == live, cells //nolint:gosec // small
	case "purge":
		gone := slices.Clone(cells)
		for i := range gone {
			gone[i].live = false
		}
		return out.err == nil && out.n == live, gone
	}
	return out.err == nil && out.data == listing(cells), cells // list
}

// stepOfOne is stepOf for what removes a message or brings one back.
func stepOfOne(cells []cell, in call, out answer, beyond bool) (bool, []cell) {
	if beyond {
		return errors.Is(out.err, store.ErrBeyond) || in.what == "undelete" && errors.Is(out.err, store.ErrNotFound), cells
	}
	next, c := slices.Clone(cells), &cells[in.seq-1]
	next[in.seq-1].live = in.what == "undelete"
	switch {
	case in.what == "remove":
		return out.err == nil && out.n > 0 == c.live, next
	case c.live:
		return errors.Is(out.err, store.ErrExists), cells
	case errors.Is(out.err, store.ErrNotFound): // its space may be gone
		return true, cells
	}
	return out.err == nil, next
}

func listing(cells []cell) string {
	var b strings.Builder
	for i, c := range cells {
		if c.live {
			fmt.Fprintf(&b, "%d %s\n", i+1, c.data)
		}
	}
	return b.String()
}

// do makes a call.
func (c call) do(st store.Stream) (a answer) {
	switch c.what {
	case "append":
		a.seq, a.err = st.Append(bg, store.Entry{Subject: "s", Data: []byte(c.data)})
	case "remove":
		var live bool
		if live, a.err = st.Remove(bg, c.seq); live {
			a.n = 1
		}
	case "undelete":
		a.err = st.Undelete(bg, c.seq)
	case "load":
		var m store.Msg
		m, a.err = st.Load(bg, c.seq, nil)
		a.data = string(m.Data)
	case "load last":
		var m store.Msg
		m, a.err = st.LoadLast(bg, "", nil)
		a.seq, a.data = m.Seq, string(m.Data)
	case "state":
		var s store.State
		s, a.err = st.State(bg)
		a.seq, a.n = s.Last, s.Live.Messages
	case "purge":
		a.n, a.err = st.Purge(bg, store.Purge{})
	case "list":
		var b strings.Builder
		for m, err := range st.Scan(bg, store.Query{}) {
			msg, lerr := st.Load(bg, m.Seq, nil)
			a.err = errors.Join(a.err, err, lerr)
			fmt.Fprintf(&b, "%d %s\n", m.Seq, msg.Data)
		}
		a.data = b.String()
	}
	return a
}

func randomCall(rng *rand.Rand, data string) call {
	seq := store.Seq(1 + rng.IntN(30)) //nolint:gosec // small
	switch p := rng.IntN(100); {
	case p < 40:
		return call{what: "append", data: data + strings.Repeat(".", rng.IntN(400))}
	case p < 58:
		return call{what: "load", seq: seq}
	case p < 70:
		return call{what: "remove", seq: seq}
	case p < 78:
		return call{what: "undelete", seq: seq}
	case p < 88:
		return call{what: "load last"}
	case p < 97:
		return call{what: "state"}
	}
	return call{what: "purge"}
}

// TestTrialConcurrentCallsAreLinearizable lets several callers use a stream at once (P17), over all combinations of options:
// what each call gave is what a stream that is used by one at a time could have given in some order that
// fits when the calls began and ended. What is there when the store was opened again belongs to it.
func TestTrialConcurrentCallsAreLinearizable(t *testing.T) {
	t.Parallel()
	options := everyOption()
	for round := range rounds(216, 5000) {
		opt := options[round%len(options)]
		mem := vfs.NewMem()
		s, err := openTrial(mem, opt)
		must(t, err)
		st, err := s.Create(bg, store.Config{Name: "S"})
		must(t, err)
		history := concurrently(st, round)
		must(t, s.Close())
		s, err = openTrial(mem, opt)
		must(t, err)
		st, err = s.Stream(bg, "S")
		must(t, err)
		history = append(history, timed(time.Now(), 0, call{what: "list"}, st))
		end := &history[len(history)-1]
		end.Call, end.Return = end.Call+int64(time.Hour), end.Return+int64(2*time.Hour) // after all others
		must(t, s.Close())
		if res := porcupine.CheckOperationsTimeout(sequential, history, time.Minute); res != porcupine.Ok {
			slices.SortFunc(history, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
			for _, op := range history {
				t.Logf("client %d, %d to %d: %s", op.ClientId, op.Call, op.Return, sequential.DescribeOperation(op.Input, op.Output))
			}
			t.Fatalf("round %d, %s: %v", round, sayOptions(opt), res)
		}
	}
}

// concurrently lets five callers make twelve calls each.
func concurrently(st store.Stream, seed int) (history []porcupine.Operation) {
	start := time.Now()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for client := range 5 {
		wg.Go(func() {
			rng := seeded(seed*100 + client)
			for i := range 12 {
				op := timed(start, client, randomCall(rng, fmt.Sprintf("client %d, %d", client, i)), st)
				mu.Lock()
				history = append(history, op)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return history
}

// timed makes a call, and notes when it began and ended.
func timed(start time.Time, client int, c call, st store.Stream) porcupine.Operation {
	op := porcupine.Operation{ClientId: client, Input: c, Call: int64(time.Since(start))}
	op.Output = c.do(st)
	op.Return = int64(time.Since(start))
	return op
}

// TestTrialAStaleAnswerIsFound keeps the check of histories able to fail: a load that gives what was removed before it
// began, a sequence that is given twice, a count that is too low.
func TestTrialAStaleAnswerIsFound(t *testing.T) {
	op := func(at int64, in call, out answer) porcupine.Operation {
		return porcupine.Operation{Input: in, Output: out, Call: at, Return: at + 1}
	}
	history := []porcupine.Operation{
		op(0, call{what: "append", data: "a"}, answer{seq: 1}), op(10, call{what: "append", data: "b"}, answer{seq: 2}),
		op(20, call{what: "remove", seq: 1}, answer{n: 1}), op(30, call{what: "state"}, answer{seq: 2, n: 1}),
		op(40, call{what: "load", seq: 2}, answer{data: "b"}),
	}
	if !porcupine.CheckOperations(sequential, history) {
		t.Error("a good history is refused")
	}
	for what, wrong := range map[string]porcupine.Operation{
		"a removed message":   op(50, call{what: "load", seq: 1}, answer{data: "a"}),
		"a sequence again":    op(50, call{what: "append", data: "c"}, answer{seq: 2}),
		"a count of before":   op(50, call{what: "state"}, answer{seq: 2, n: 2}),
		"an old last message": op(50, call{what: "load last"}, answer{seq: 1, data: "a"}),
		"a listing of before": op(50, call{what: "list"}, answer{data: "1 a\n2 b\n"}),
	} {
		if porcupine.CheckOperations(sequential, append(slices.Clip(history), wrong)) {
			t.Errorf("%s is accepted", what)
		}
	}
}
