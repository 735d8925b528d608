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
	consumer store.Consumer
	json     bool

	// turn has room for one: who put something in reads. It guards the rest.
	turn      chan struct{}
	delivered bool
	rest      []byte // what was not read yet
}

func newNextReader(fs *FS, consumer store.Consumer, json bool) *nextReader {
	return &nextReader{fs: fs, consumer: consumer, json: json, turn: make(chan struct{}, 1)}
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
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// deliver waits for the next message. When the mount is about to end it gives none: who waits gets the end of the file.
func (r *nextReader) deliver(c *call) error {
	ctx, cancel := context.WithCancel(c)
	defer cancel()
	defer context.AfterFunc(r.fs.ending, cancel)()
	d, err := r.consumer.Next(ctx, nil)
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
