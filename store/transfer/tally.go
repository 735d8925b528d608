package transfer

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"jsfs/store"
)

// Options say how a transfer is made. The zero value is ready to use.
type Options struct {
	// Verify has what was made read back, and its checksum compared.
	Verify bool
	// Progress, unless nil, is called now and then with the number of messages that are done, and
	// of those that there are in all.
	Progress func(done, total int64)
}

func (o Options) progress(done, total int64) {
	if o.Progress != nil {
		o.Progress(done, total)
	}
}

// Result says what came of the transfer of one stream.
type Result struct {
	Stream string `json:"stream"`
	// Messages and Bytes are what the copy has: messages, and bytes of their payloads.
	Messages int64 `json:"messages"`
	Bytes    int64 `json:"bytes"`
	// Resumed is how many of the messages were there already.
	Resumed int64     `json:"resumed,omitempty"`
	First   store.Seq `json:"first_seq,omitempty"`
	Last    store.Seq `json:"last_seq"`
	// Lost are the messages that the origin could not give, in order.
	Lost []Lost `json:"lost,omitempty"`
	// Consumers is how many consumers the copy has, LostConsumers those that the origin could not give.
	Consumers     int            `json:"consumers,omitempty"`
	LostConsumers []LostConsumer `json:"lost_consumers,omitempty"`
	// KeepsAll says that the copy has the retention limits where the original has interest: with that it would drop what
	// only those of LostConsumers want.
	KeepsAll bool `json:"keeps_all,omitempty"`
	// Sum is a checksum over the messages.
	Sum string `json:"sum"`
}

// LostMessages is how many messages the origin could not give.
func (r *Result) LostMessages() uint64 {
	n := uint64(0)
	for _, l := range r.Lost {
		n += uint64(l.Last-l.First) + 1
	}
	return n
}

// Lost is a run of sequences whose messages are lost.
type Lost struct {
	First store.Seq `json:"first_seq"`
	Last  store.Seq `json:"last_seq"`
}

// tally counts messages, and sums up all that they consist of.
type tally struct {
	store.Totals
	first, last store.Seq
	sum         xxhash.Digest
}

func newTally() *tally {
	t := &tally{}
	t.sum.Reset()
	return t
}

func (t *tally) add(m *store.Msg) {
	if t.Messages == 0 {
		t.first = m.Seq
	}
	t.Totals, t.last = t.Add(m.Meta), m.Seq
	var a [40]byte
	b := binary.LittleEndian.AppendUint64(a[:0], uint64(m.Seq))
	b = binary.LittleEndian.AppendUint64(b, uint64(m.Time)) //nolint:gosec // its bits
	for _, n := range []int{len(m.Subject), len(m.Header), len(m.Data)} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n)) //nolint:gosec // a length
	}
	_, _ = t.sum.Write(b)
	_, _ = t.sum.WriteString(m.Subject)
	_, _ = t.sum.Write(m.Header)
	_, _ = t.sum.Write(m.Data)
}

func (t *tally) result(name string, resumed int64, last store.Seq, lost []Lost) Result {
	return Result{
		Stream: name, Messages: t.Messages, Bytes: t.Payload, Resumed: resumed,
		First: t.first, Last: last, Lost: lost, Sum: hex64(t.sum.Sum64()),
	}
}

func hex64(n uint64) string { return fmt.Sprintf("%016x", n) }
