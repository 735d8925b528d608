package record

import (
	"encoding/binary"
	"fmt"

	"jsfs/store"
)

// Layout of a stream's state file (FORMAT.md section 7): two slots, written in turn.
const (
	SlotSize  = 4096
	StateSize = 2 * SlotSize
	slotUsed  = 136
)

const stateMagic = "JSFSSTAT"

// State is what a stream keeps to know how it was left.
type State struct {
	Generation  uint64 // one more with each write; the slot is its parity
	Store       ID
	Incarnation uint64
	Boot        ID // of the machine's run in which it was written
	Clean       bool
	Mark        uint64 // no sequence above it was handed out
	Block       uint64 // the number of the newest block; 0 if there is none
	Len         int64  // how much of it was on disk, its header included
	Last        uint64 // the last sequence stored
	LastTime    int64  // its time
}

// Slot returns the bytes of the state's slot and where they go.
func (s *State) Slot() (b []byte, off int64) {
	b = append(b, stateMagic...)
	b = binary.LittleEndian.AppendUint32(b, Version)
	var clean uint32
	if s.Clean {
		clean = 1
	}
	b = binary.LittleEndian.AppendUint32(b, clean)
	b = binary.LittleEndian.AppendUint64(b, s.Generation)
	b = append(b, s.Store[:]...)
	b = append(b, s.Boot[:]...)
	for _, v := range []uint64{s.Incarnation, s.Mark, s.Block, uint64(s.Len), s.Last, uint64(s.LastTime)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = append(b, make([]byte, slotUsed-8-len(b))...)
	b = binary.LittleEndian.AppendUint64(b, sum64(0, b))
	return b, int64(s.Generation%2) * SlotSize
}

// OpenState returns the newest whole state in b, which is a whole state file. damaged
// says that the other slot, which may have been newer, is not whole.
func OpenState(b []byte) (st State, damaged bool, err error) {
	err = fmt.Errorf("no whole slot: %w", ErrBad)
	for i := range 2 {
		one, e := openSlot(b, i)
		switch {
		case IsVersion(e):
			return st, false, e
		case e != nil:
			damaged = true
		case err != nil || one.Generation > st.Generation:
			st, err = one, nil
		}
	}
	return st, damaged, err
}

func openSlot(b []byte, i int) (State, error) {
	var s State
	if len(b) < i*SlotSize+slotUsed {
		return s, ErrShort
	}
	b = b[i*SlotSize:][:slotUsed]
	le := binary.LittleEndian
	if string(b[:8]) != stateMagic || le.Uint64(b[slotUsed-8:]) != sum64(0, b[:slotUsed-8]) {
		return s, ErrBad
	}
	if v := le.Uint32(b[8:]); v != Version {
		return s, fmt.Errorf("state of version %d: %w", v, store.ErrVersion)
	}
	s.Clean = le.Uint32(b[12:]) == 1
	s.Generation = le.Uint64(b[16:])
	copy(s.Store[:], b[24:])
	copy(s.Boot[:], b[40:])
	s.Incarnation, s.Mark, s.Block = le.Uint64(b[56:]), le.Uint64(b[64:]), le.Uint64(b[72:])
	s.Len, s.Last, s.LastTime = int64(le.Uint64(b[80:])), le.Uint64(b[88:]), int64(le.Uint64(b[96:]))
	if s.Generation%2 != uint64(i) {
		return s, ErrBad
	}
	return s, nil
}
