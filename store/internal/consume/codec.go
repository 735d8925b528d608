package consume

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"jsfs/store"
)

// errRecord means that bytes are no consumer.
var errRecord = errors.New("bytes are no consumer")

// Encode returns the bytes by which a consumer is kept: section 2.1 of the block store's FORMAT.md.
func Encode(r *store.ConsumerState) ([]byte, error) {
	config, err := json.Marshal(r.Config)
	if err != nil {
		return nil, err
	}
	b := binary.AppendUvarint(nil, uint64(len(config)))
	b = append(b, config...)
	b = binary.AppendVarint(b, r.Created)
	for _, n := range []uint64{
		uint64(r.Resume), r.Delivered.Consumer, uint64(r.Delivered.Stream), r.AckFloor.Consumer, uint64(r.AckFloor.Stream),
		uint64(len(r.Pending)),
	} {
		b = binary.AppendUvarint(b, n)
	}
	last := store.PendingDelivery{Seq: r.AckFloor.Stream, Consumer: r.AckFloor.Consumer, Time: r.Created}
	for _, p := range r.Pending {
		b = binary.AppendUvarint(b, uint64(p.Seq-last.Seq))
		b = binary.AppendUvarint(b, p.Consumer-last.Consumer)
		b = binary.AppendVarint(b, p.Time-last.Time)
		b = binary.AppendVarint(b, p.Due-p.Time)
		b = binary.AppendUvarint(b, p.Count)
		last = p
	}
	b = binary.AppendUvarint(b, uint64(len(r.Spent)))
	before := store.Seq(0)
	for _, g := range r.Spent {
		b = binary.AppendUvarint(b, uint64(g.Seq-before))
		b = binary.AppendUvarint(b, g.Count)
		before = g.Seq
	}
	return b, nil
}

// Decode reads what Encode wrote. It never trusts it: what it returns is a consumer that can be. The error wraps
// store.ErrVersion if the configuration has fields of a later version.
func Decode(b []byte) (store.ConsumerState, error) {
	d := decoder{b: b}
	var r store.ConsumerState
	config := d.bytes(d.uvarint())
	r.Created = d.varint()
	r.Resume = store.Seq(d.uvarint())
	r.Delivered = store.Position{Consumer: d.uvarint(), Stream: store.Seq(d.uvarint())}
	r.AckFloor = store.Position{Consumer: d.uvarint(), Stream: store.Seq(d.uvarint())}
	r.Pending = make([]store.PendingDelivery, 0, d.count(5))
	last := store.PendingDelivery{Seq: r.AckFloor.Stream, Consumer: r.AckFloor.Consumer, Time: r.Created}
	for range cap(r.Pending) {
		last.Seq += store.Seq(d.uvarint())
		last.Consumer += d.uvarint()
		last.Time += d.varint()
		last.Due = last.Time + d.varint()
		last.Count = d.uvarint()
		r.Pending = append(r.Pending, last)
	}
	r.Spent = make([]store.Spent, 0, d.count(2))
	before := store.Seq(0)
	for range cap(r.Spent) {
		before += store.Seq(d.uvarint())
		r.Spent = append(r.Spent, store.Spent{Seq: before, Count: d.uvarint()})
	}
	if d.bad || len(d.b) > 0 {
		return store.ConsumerState{}, errRecord
	}
	var err error
	if r.Config, err = parseConfig(config); err == nil {
		err = r.Check()
	}
	return r, err
}

// parseConfig reads a configuration, with its defaults.
func parseConfig(b []byte) (store.ConsumerConfig, error) {
	cfg, err := store.ParseConsumerConfig(b)
	var unknown *store.UnknownFieldError
	if errors.As(err, &unknown) {
		err = fmt.Errorf("%w: %w", store.ErrVersion, err)
	}
	return cfg.WithDefaults(), err
}

// decoder takes values off bytes.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.b)
	if size <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) varint() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[size:]
	return n
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

// count reads how many entries follow, each of at least so many bytes.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.bad, d.b = true, nil
		return 0
	}
	return int(n) //nolint:gosec // no more than there are bytes
}
