// Crowd is one of many processes that use a stream at the same time.
//
//	crowd NAME DIR N     appends, reads, removes and lists N times in DIR, and prints what it did and saw
//
// Each line is JSON, an Op. The times are of the one clock that all processes have.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Op is one thing that was done, and what came of it.
type Op struct {
	Do         string
	Begin, End int64
	Seq        uint64   `json:",omitempty"` // of read and remove
	Text       string   `json:",omitempty"` // what was appended or read
	Seqs       []uint64 `json:",omitempty"` // what was listed
	Gone       bool     `json:",omitempty"` // there was no such file
	Err        string   `json:",omitempty"` // any other failure
}

func main() {
	name, dir := os.Args[1], os.Args[2]
	n, err := strconv.Atoi(os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	rng := rand.New(rand.NewPCG(h.Sum64(), 1))
	out := json.NewEncoder(os.Stdout)
	var known []uint64
	for i := range n {
		op := step(rng, dir, fmt.Sprintf("%s/%d", name, i), &known)
		if err := out.Encode(op); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// step does one thing; known is what was listed last.
func step(rng *rand.Rand, dir, text string, known *[]uint64) Op {
	op := Op{Begin: time.Now().UnixNano()}
	var err error
	switch what := rng.IntN(10); {
	case what < 4 || len(*known) == 0 && what < 8:
		op.Do, op.Text = "append", text+" "+strings.Repeat("x", rng.IntN(6000))+"\n"
		err = os.WriteFile(filepath.Join(dir, "crowd."+strconv.Itoa(rng.IntN(5))), []byte(op.Text), 0o644)
	case what < 6 && len(*known) > 0:
		op.Do, op.Seq = "read", (*known)[rng.IntN(len(*known))]
		var data []byte
		data, err = os.ReadFile(path(dir, op.Seq))
		op.Text = string(data)
	case what < 8:
		op.Do, op.Seq = "remove", (*known)[rng.IntN(len(*known))]
		err = os.Remove(path(dir, op.Seq))
	default:
		op.Do = "list"
		op.Seqs, err = list(dir)
		*known = op.Seqs
	}
	op.End = time.Now().UnixNano()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		op.Gone = true
	case err != nil:
		op.Err = err.Error()
	}
	return op
}

func path(dir string, seq uint64) string { return filepath.Join(dir, fmt.Sprintf("%012d", seq)) }

// list returns the sequences in the order in which they are listed.
func list(dir string) ([]uint64, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	seqs := make([]uint64, 0, len(names))
	for _, name := range names {
		seq, err := strconv.ParseUint(name, 10, 64)
		if err != nil {
			return nil, err
		}
		seqs = append(seqs, seq)
	}
	return seqs, nil
}
