package fusefs

import (
	"context"
	"errors"

	"jsfs/mapping"
	"jsfs/store"
)

// nextReader is an open next: its first read delivers a message, and waits for one; then it has that message to its end.
type nextReader struct {
	readHandle
	fs       *FS
	stream   *stream
	consumer store.Consumer
	json     bool

	// turn has room for one: who put something in reads. It guards the rest.
	turn      chan struct{}
	delivered bool
	rest      []byte // what was not read yet
	of        store.Meta
	erasures  uint64 // how many there were before it was delivered
}

func newNextReader(fs *FS, s *stream, consumer store.Consumer, json bool) *nextReader {
	return &nextReader{fs: fs, stream: s, consumer: consumer, json: json, turn: make(chan struct{}, 1)}
}

func (*nextReader) waits() {}

func (r *nextReader) read(c *call, p []byte, _ int64) (int, error) {
	select {
	case r.turn <- struct{}{}:
	case <-c.Done():
		return 0, c.Err()
	}
	defer func() { <-r.turn }()
	if !r.delivered {
		if err := r.deliver(c); err != nil {
			return 0, err
		}
	}
	if err := r.dropErased(c); err != nil {
		return 0, err
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// dropErased gives errStale if the message was erased before it was read to its end.
func (r *nextReader) dropErased(c *call) error {
	if len(r.rest) == 0 {
		return nil
	}
	erasures := r.stream.erasures.Count()
	erased, err := r.stream.erasures.Gone(c, r.stream, r.erasures, r.of.Seq, r.of.Time)
	if erased || errors.Is(err, store.ErrClosed) {
		return errStale
	}
	if err == nil {
		r.erasures = erasures
	}
	return err
}

// deliver waits for the next message. When the mount is about to end it gives none: who waits gets the end of the file.
func (r *nextReader) deliver(c *call) error {
	ctx, cancel := context.WithCancel(c)
	defer cancel()
	defer context.AfterFunc(r.fs.ending, cancel)()
	r.erasures = r.stream.erasures.Count()
	d, err := r.consumer.Next(ctx, nil)
	r.of = d.Meta
	switch {
	case err == nil && r.json:
		r.rest = mapping.MessagePart(mapping.ControlJSON, d.Msg)
	case err == nil:
		r.rest = d.Data
	case r.fs.ending.Err() != nil && errors.Is(err, context.Canceled):
		return nil
	case errors.Is(err, store.ErrClosed):
		return errStale
	default:
		return err
	}
	r.delivered = true
	return nil
}
