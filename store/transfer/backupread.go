package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"syscall"

	"github.com/cespare/xxhash/v2"

	"jsfs/store"
	"jsfs/store/jsonl"
)

// Backup is a backup file that is being read. It is used by one goroutine at a time.
type Backup struct {
	name  string
	f     *os.File
	text  *text
	start int64 // of the part that comes next; everything before it is good
	part  *Part // that was begun last
}

// Open opens a backup file for reading.
func Open(name string) (*Backup, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not block
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file: %w", name, store.ErrInvalid)
	}
	var t *text
	if err == nil {
		if t, err = newText(f, info.Size()); err != nil {
			err = &DamagedError{File: name, Err: err}
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &Backup{name: name, f: f, text: t}, nil
}

// Close frees the file.
func (b *Backup) Close() error {
	b.text.close()
	return b.f.Close()
}

// Next returns the next stream's part, io.EOF behind the last one, and a *DamagedError where none can be
// read. What was not used of the part before is checked and passed over.
func (b *Backup) Next() (*Part, error) {
	if b.part != nil && !b.part.done {
		for _, err := range b.part.batches() {
			if err != nil {
				return nil, err
			}
		}
	}
	p := &Part{b: b, start: b.start, good: b.start, tally: newTally(), sum: newSum()}
	line, err := b.text.next(maxHeaderLine)
	if errors.Is(err, io.EOF) && b.part != nil {
		return nil, io.EOF
	}
	if err == nil {
		p.head, err = parseHeader(line)
	}
	if err != nil {
		if errors.Is(err, store.ErrVersion) {
			return nil, fmt.Errorf("%s: %w", b.name, err)
		}
		return nil, &DamagedError{File: b.name, Offset: b.start, Err: cutShort(err)}
	}
	_, _ = p.sum.Write(line)
	b.part = p
	return p, nil
}

// Part is one stream in a backup.
type Part struct {
	b     *Backup
	head  header
	start int64 // where it begins in the file
	good  int64 // up to where the file was found good
	sum   xxhash.Digest
	tally *tally
	// counted is the tally up to good, and what the sum was then.
	counted struct {
		messages int64
		last     store.Seq
	}
	done bool // its end was read, or can't be
	end  end

	read      bool // the consumers were read, or can't be
	who       []store.ConsumerState
	whoFailed error
}

// Stream is the name of the stream that was backed up.
func (p *Part) Stream() string { return p.head.Config.Name }

// Streams is how many streams the backup has.
func (p *Part) Streams() int { return p.head.Streams }

// Messages is how many messages the stream had when the backup began.
func (p *Part) Messages() int64 { return p.head.Messages }

// Restore makes the stream in a store, under that name. It goes on with a restore that stopped half way.
func (p *Part) Restore(ctx context.Context, to store.Store, name string, opt Options) (Result, error) {
	consumers, err := p.consumers()
	if err != nil {
		return Result{}, err
	}
	o := &origin{
		config: p.head.Config, last: p.head.Last, lastTime: p.head.LastTime.UnixNano(), total: p.head.Messages,
		consumers: consumers, batches: p.batches(),
		lost: func(context.Context) ([]Lost, []LostConsumer, error) { return p.end.Lost, p.end.LostConsumers, nil },
	}
	return o.copyTo(ctx, to, name, opt)
}

// Check reads the part to its end, and says what is in it.
func (p *Part) Check(ctx context.Context, opt Options) (Result, error) {
	for _, err := range p.batches() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return Result{}, err
		}
		opt.progress(p.tally.Messages, p.head.Messages)
	}
	return p.result(0), nil
}

// result is what the part has, once it was read to its end.
func (p *Part) result(resumed int64) Result {
	r := p.tally.result(p.Stream(), resumed, p.head.Last, p.end.Lost)
	r.Consumers, r.LostConsumers = p.head.Consumers, p.end.LostConsumers
	return r
}

// consumers returns the stream's consumers, when the checksum behind them was found right.
func (p *Part) consumers() ([]store.ConsumerState, error) {
	if !p.read && !p.done {
		p.read = true
		if err := p.readConsumers(); err != nil {
			p.done, p.who, p.whoFailed = true, nil, p.damaged(err)
		}
	}
	return p.who, p.whoFailed
}

// readConsumers reads the lines of the consumers, up to the check line behind them.
func (p *Part) readConsumers() error {
	for size, checked := 0, p.head.Consumers == 0; len(p.who) < p.head.Consumers || !checked; {
		line, err := p.b.text.next(maxConsumerLine)
		switch {
		case err != nil:
			return err
		case bytes.HasPrefix(line, checkMark):
			if err := p.check(line); err != nil {
				return err
			}
			size, checked = 0, true
			continue
		case size > maxChunk:
			return fmt.Errorf("%w: %d bytes without a check line", store.ErrInvalid, size)
		case len(p.who) == p.head.Consumers:
			return fmt.Errorf("%w: there is no check line behind the consumers", store.ErrInvalid)
		}
		c, err := parseConsumer(line)
		if err != nil {
			return err
		}
		if n := len(p.who); n > 0 && p.who[n-1].Config.Name >= c.Config.Name {
			return fmt.Errorf("%w: consumer %s behind consumer %s", store.ErrInvalid, c.Config.Name, p.who[n-1].Config.Name)
		}
		size, checked = size+len(line), false
		_, _ = p.sum.Write(line)
		p.who = append(p.who, c)
	}
	return nil
}

// batches walks the messages, each batch when the checksum behind it was found right. It can be
// walked once.
func (p *Part) batches() iter.Seq2[[]store.Msg, error] {
	return func(yield func([]store.Msg, error) bool) {
		if _, err := p.consumers(); err != nil {
			yield(nil, err)
			return
		}
		for !p.done {
			ms, err := p.chunk()
			if err != nil {
				p.done = true
				yield(nil, p.damaged(err))
				return
			}
			if len(ms) > 0 && !yield(ms, nil) {
				return
			}
		}
	}
}

func (p *Part) damaged(err error) error {
	return &DamagedError{
		File: p.b.name, Offset: p.good, Stream: p.Stream(), Messages: p.counted.messages, Last: p.counted.last,
		Err: cutShort(err),
	}
}

// chunk reads the messages up to the next check line, or to the end line.
func (p *Part) chunk() ([]store.Msg, error) {
	var ms []store.Msg
	for size := 0; ; {
		line, err := p.b.text.next(p.head.maxLine())
		switch {
		case err != nil:
			return nil, err
		case bytes.HasPrefix(line, checkMark):
			return ms, p.check(line)
		case bytes.HasPrefix(line, endMark):
			return ms, p.checkEnd(line)
		case size > maxChunk:
			return nil, fmt.Errorf("%w: %d bytes without a check line", store.ErrInvalid, size)
		}
		m, err := jsonl.Parse(line)
		if err != nil {
			return nil, err
		}
		if m.Seq <= p.tally.last || m.Seq > p.head.Last {
			return nil, fmt.Errorf("%w: message %d behind message %d", store.ErrInvalid, m.Seq, p.tally.last)
		}
		size += len(line)
		_, _ = p.sum.Write(line)
		p.tally.add(&m)
		ms = append(ms, m)
	}
}

var errSum = errors.New("the checksum is wrong")

// check compares a check line with what was read.
func (p *Part) check(line []byte) error {
	var c check
	if err := json.Unmarshal(line, &c); err != nil {
		return fmt.Errorf("check line: %w: %w", store.ErrInvalid, err)
	}
	if c != p.checkNow() {
		return errSum
	}
	_, _ = p.sum.Write(line)
	p.approve()
	return nil
}

// checkNow is the check line that comes behind what was read.
func (p *Part) checkNow() check {
	return check{hex64(p.sum.Sum64()), p.tally.Messages, p.tally.last}
}

// approve notes that everything that was read is good. Where a line does not end a frame of the file, what
// is good ends with the frame before.
func (p *Part) approve() {
	p.counted.messages, p.counted.last = p.tally.Messages, p.tally.last
	if p.b.text.boundary() {
		p.good = p.b.text.off
	}
}

// checkEnd compares the end line with what was read.
func (p *Part) checkEnd(line []byte) error {
	if err := json.Unmarshal(line, &p.end); err != nil {
		return fmt.Errorf("end line: %w: %w", store.ErrInvalid, err)
	}
	c := p.checkNow()
	if p.end.Sum != c.Sum || p.end.Messages != c.Messages || p.end.Last != p.head.Last || p.end.Bytes != p.tally.Payload {
		return errSum
	}
	p.approve()
	p.done, p.b.start = true, p.good
	return nil
}
