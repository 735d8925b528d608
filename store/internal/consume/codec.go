package consume

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"jsfs/store"
)

// Record is a consumer as it is kept: section 2.1 of the block store's FORMAT.md.
type Record struct {
	Config  store.ConsumerConfig
	Created int64
	// Resume is the sequence up to which a consumer with deliver policy last_per_subject delivers each subject's
	// last message alone; 0 for every other one.
	Resume store.Seq
	Snapshot
}

// errRecord means that bytes are no Record.
var errRecord = errors.New("bytes are no consumer")

// Encode returns the bytes by which a consumer is kept.
func Encode(r *Record) ([]byte, error) {
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
func Decode(b []byte) (Record, error) {
	d := decoder{b: b}
	var r Record
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
	r.Spent = make([]Spent, 0, d.count(2))
	before := store.Seq(0)
	for range cap(r.Spent) {
		before += store.Seq(d.uvarint())
		r.Spent = append(r.Spent, Spent{before, d.uvarint()})
	}
	if d.bad || len(d.b) > 0 {
		return Record{}, errRecord
	}
	return r, r.read(config)
}

// read takes the configuration in, and checks everything.
func (r *Record) read(config []byte) error {
	cfg, err := store.ParseConsumerConfig(config)
	var unknown *store.UnknownFieldError
	if errors.As(err, &unknown) {
		return fmt.Errorf("%w: %w", store.ErrVersion, err)
	}
	if err == nil {
		cfg = cfg.WithDefaults()
		err = cfg.Check()
	}
	if err == nil {
		err = r.check(cfg.AckPolicy)
	}
	r.Config = cfg
	return err
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
