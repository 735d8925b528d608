package sealeddraft

import (
	"bytes"
	"errors"

	"jsfs/store"
)

// CopyTo makes another draft, which is new, what d is: frames that are damaged are so there, too. It returns at which offsets these
// begin. Nobody may be changing d; a call that failed may be repeated.
func (d *Draft) CopyTo(to *Draft) (damaged []int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	to.mu.Lock()
	defer to.mu.Unlock()
	if err := to.begin(); err != nil {
		return nil, err
	}
	for i := int64(0); i*frameSize < d.size; i++ {
		text, _, err := d.read(i)
		switch {
		case err == nil:
			err = to.write(i, text)
		case errors.As(err, new(*store.CorruptError)):
			damaged = append(damaged, i*frameSize)
			err = to.spoil(i)
		}
		if err != nil {
			return nil, err
		}
	}
	to.size = d.size
	return damaged, nil
}

// spoil makes a frame that nothing was written to a damaged one.
func (d *Draft) spoil(frame int64) error {
	for int64(len(d.gens)) <= frame {
		d.gens = append(d.gens, 0)
	}
	_, err := d.f.WriteAt(bytes.Repeat([]byte{0xff}, SlotSize), 2*frame*SlotSize)
	return err
}
