package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// crowdOp is what testdata/crowd prints.
type crowdOp struct {
	Do         string
	Begin, End int64
	Seq        uint64
	Text       string
	Seqs       []uint64
	Gone       bool
	Err        string
}

// Many processes use one stream, and what each of them saw is what one after the other would have seen.
func TestACrowdSeesOneStream(t *testing.T) {
	crowd := filepath.Join(scratch(t), "crowd")
	if out, err := exec.Command("go", "build", "-o", crowd, "./testdata/crowd").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, policy := range []string{"always", "interval"} {
		t.Run(policy, func(t *testing.T) {
			m := mount(t, withArgs("--sync="+policy, "-o", "block_size=256K"))
			m.sh("mkdir S")
			const processes = 64
			var (
				wg   sync.WaitGroup
				outs [processes][]byte
				errs [processes]error
			)
			for i := range processes {
				wg.Go(func() {
					outs[i], errs[i] = exec.Command(crowd, fmt.Sprint("p", i), m.path("S"), fmt.Sprint(scaled(20, 60, 600))).Output()
				})
			}
			wg.Wait()
			var ops []crowdOp
			for i := range processes {
				if errs[i] != nil {
					t.Fatalf("process %d: %v", i, errs[i])
				}
				for d := json.NewDecoder(bytes.NewReader(outs[i])); d.More(); {
					var op crowdOp
					if err := d.Decode(&op); err != nil {
						t.Fatal(err)
					}
					ops = append(ops, op)
				}
			}
			c := newCrowd(t, ops, m.messages("S"))
			c.checkCounts()
			c.checkOrder()
			c.checkReads()
			c.checkLists()
		})
	}
}

// crowdCheck compares what was seen with what a stream can have had.
type crowdCheck struct {
	t       *testing.T
	ops     []crowdOp
	live    []string           // the payloads at the end
	appends map[string]crowdOp // by payload
	texts   map[uint64]string  // the payload of a sequence, as far as somebody read it
	removed map[uint64]crowdOp // the removal that was acknowledged
	tried   map[uint64]int64   // when the first removal of it began
}

func newCrowd(t *testing.T, ops []crowdOp, live []string) *crowdCheck {
	c := &crowdCheck{t: t, ops: ops, live: live,
		appends: map[string]crowdOp{}, texts: map[uint64]string{}, removed: map[uint64]crowdOp{}, tried: map[uint64]int64{}}
	for _, op := range ops {
		if op.Err != "" {
			t.Errorf("%s of %d failed: %s", op.Do, op.Seq, op.Err)
		}
		switch op.Do {
		case "append":
			c.appends[op.Text] = op
		case "remove":
			if at, ok := c.tried[op.Seq]; !ok || op.Begin < at {
				c.tried[op.Seq] = op.Begin
			}
			if _, twice := c.removed[op.Seq]; twice && !op.Gone {
				t.Errorf("message %d was removed twice", op.Seq)
			}
			if !op.Gone {
				c.removed[op.Seq] = op
			}
		case "read":
			if op.Gone {
				break
			}
			if was, ok := c.texts[op.Seq]; ok && was != op.Text {
				t.Errorf("message %d was read as %.20q and as %.20q", op.Seq, was, op.Text)
			}
			c.texts[op.Seq] = op.Text
		}
	}
	return c
}

// checkCounts compares how many messages were appended and removed with how many there are.
func (c *crowdCheck) checkCounts() {
	if got, want := len(c.live), len(c.appends)-len(c.removed); got != want {
		c.t.Errorf("%d messages are there, but %d were appended and %d removed", got, len(c.appends), len(c.removed))
	}
	seen := map[string]bool{}
	for _, text := range c.live {
		if _, ok := c.appends[text]; !ok || seen[text] {
			c.t.Errorf("nobody wrote %.20q, or it is there twice", text)
		}
		seen[text] = true
	}
}

// checkOrder checks that who appended after another's append had ended stands behind it.
func (c *crowdCheck) checkOrder() {
	var newest int64 // when the latest one that was seen so far began
	for i := len(c.live) - 1; i >= 0; i-- {
		op := c.appends[c.live[i]]
		if newest != 0 && newest < op.Begin {
			c.t.Errorf("%.20q stands before a message whose append ended before its own began", op.Text)
		}
		if newest == 0 || op.End < newest {
			newest = op.End
		}
	}
}

// checkReads checks each read against the append and the removals of what it read.
func (c *crowdCheck) checkReads() {
	for _, op := range c.ops {
		if op.Do != "read" {
			continue
		}
		if op.Gone {
			if at, tried := c.tried[op.Seq]; !tried || at > op.End {
				c.t.Errorf("message %d was gone for a reader before anybody removed it", op.Seq)
			}
			continue
		}
		if a, ok := c.appends[op.Text]; !ok || a.Begin > op.End {
			c.t.Errorf("message %d was read as %.20q, which nobody had written", op.Seq, op.Text)
		}
		if r, ok := c.removed[op.Seq]; ok && r.End < op.Begin {
			c.t.Errorf("message %d was read after its removal had ended", op.Seq)
		}
	}
}

// checkLists checks each listing: in order, without what was removed before, with all that stayed.
func (c *crowdCheck) checkLists() {
	known := map[uint64]int64{} // when a message was first seen in a listing that had ended
	lists := slices.DeleteFunc(slices.Clone(c.ops), func(op crowdOp) bool { return op.Do != "list" })
	slices.SortFunc(lists, func(a, b crowdOp) int { return int(a.End - b.End) })
	for _, op := range lists {
		if !slices.IsSorted(op.Seqs) || len(slices.Compact(slices.Clone(op.Seqs))) != len(op.Seqs) {
			c.t.Errorf("a listing is out of order, or has a message twice: %d", op.Seqs)
		}
		listed := map[uint64]bool{}
		for _, seq := range op.Seqs {
			listed[seq] = true
			if r, ok := c.removed[seq]; ok && r.End < op.Begin {
				c.t.Errorf("message %d was listed after its removal had ended", seq)
			}
			if _, ok := known[seq]; !ok {
				known[seq] = op.End
			}
		}
		for seq, since := range known {
			at, tried := c.tried[seq]
			if since < op.Begin && !listed[seq] && (!tried || at > op.End) {
				c.t.Errorf("message %d was in one listing, nobody removed it, and it is not in a later one", seq)
			}
		}
	}
}
