package sealeddraft

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/seal"
	"jsfs/store/internal/vfs"
)

// Layout of a sealed draft (FORMAT.md section 11.4): frames of two slots each.
const (
	SlotSize  = 4096                                   // of a slot, in bytes
	IDSize    = 16                                     // of a draft's id, which each slot begins with
	slotHead  = IDSize + 8                             // id, generation
	frameText = SlotSize - slotHead - seal.Overhead    // what is sealed in a slot
	frameSize = frameText - 4                          // of it, what is the draft's; its length is before it
	maxFill   = store.MaxMsgSize + store.MaxMsgSize/64 // more zeros than that are never written to fill a gap
)

// Draft is the content of an encrypted draft, shared by all who have it open. It may be used concurrently; who reads or
// writes waits for the disk under its lock.
type Draft struct {
	f     vfs.File
	name  string // in error messages
	boxes Boxes
	box   *seal.Box
	id    [IDSize]byte

	mu     sync.Mutex // guards the rest, and is held while the disk works
	size   int64
	gens   []uint64 // of each frame, its newest generation; 0 is not known yet
	dirty  map[int64]bool
	stale  []int64 // slots that were replaced since the last sync
	unsure bool    // what is there may not be on disk
	failed error   // the first sync that failed; sticky
}

// Boxes returns what seals the slots of the draft with an id.
type Boxes func(id [IDSize]byte) *seal.Box

// New returns the content of a draft whose file, f, is empty, and which keeps it. name is the file's.
func New(f vfs.File, name string, boxes Boxes) *Draft {
	d := &Draft{f: f, name: name, boxes: boxes, dirty: map[int64]bool{}}
	_, _ = rand.Read(d.id[:]) // never fails
	d.box = boxes(d.id)
	return d
}

// Open returns the content of the draft in f. The draft keeps f if there is no error.
func Open(f vfs.File, name string, boxes Boxes) (*Draft, error) {
	d := New(f, name, boxes)
	d.unsure = true
	n, err := f.Size()
	if err != nil {
		return nil, err
	}
	frames := (n + 2*SlotSize - 1) / (2 * SlotSize)
	if err := d.findID(frames); err != nil {
		return nil, err
	}
	// The last frame that has anything says how long the draft is.
	for i := frames - 1; i >= 0; i-- {
		text, empty, err := d.read(i)
		if empty {
			continue
		}
		var corrupt *store.CorruptError
		switch {
		case err == nil:
			d.size = i*frameSize + int64(len(text))
		case errors.As(err, &corrupt):
			d.size = (i + 1) * frameSize
		default:
			return nil, err
		}
		break
	}
	d.gens = make([]uint64, (d.size+frameSize-1)/frameSize)
	return d, nil
}

// findID takes the id of the first slot that can be opened: those with another one are not this draft's.
func (d *Draft) findID(frames int64) error {
	fresh := d.id
	for at := int64(0); at < 2*frames; at++ {
		b, err := d.slot(at)
		if err != nil {
			return err
		}
		if len(bytes.Trim(b, "\x00")) == 0 {
			continue
		}
		d.id = [IDSize]byte(b[:IDSize])
		d.box = d.boxes(d.id)
		if _, _, ok := d.open(at, b); ok {
			return nil
		}
	}
	d.id, d.box = fresh, d.boxes(fresh)
	return nil
}

// slot reads a slot; what the file lacks of it is zeros.
func (d *Draft) slot(at int64) ([]byte, error) {
	b := make([]byte, SlotSize)
	if _, err := d.f.ReadAt(b, at*SlotSize); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b, nil
}

// bindFrame is what binds a slot to its place.
func bindFrame(frame int64, gen uint64) []byte {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 16), uint64(frame))
	return binary.LittleEndian.AppendUint64(b, gen)
}

// slotOf is where a frame's generation stands.
func slotOf(frame int64, gen uint64) int64 { return 2*frame + int64((gen-1)%2) }

// open returns what slot at, with the bytes b, has of the draft.
func (d *Draft) open(at int64, b []byte) (text []byte, gen uint64, ok bool) {
	gen = binary.LittleEndian.Uint64(b[IDSize:])
	if [IDSize]byte(b[:IDSize]) != d.id || gen == 0 || slotOf(at/2, gen) != at {
		return nil, 0, false
	}
	plain, err := d.box.Open(nil, b[slotHead:], bindFrame(at/2, gen))
	if err != nil {
		return nil, 0, false
	}
	n := binary.LittleEndian.Uint32(plain)
	if n > frameSize {
		return nil, 0, false
	}
	return plain[4 : 4+n], gen, true
}

// read returns the newest generation of a frame; empty says that there never was one.
func (d *Draft) read(frame int64) (text []byte, empty bool, err error) {
	empty = true
	var newest uint64
	for at := 2 * frame; at < 2*frame+2; at++ {
		if frame < int64(len(d.gens)) && d.gens[frame] > 0 && slotOf(frame, d.gens[frame]) != at {
			continue
		}
		b, err := d.slot(at)
		if err != nil {
			return nil, false, err
		}
		if len(bytes.Trim(b, "\x00")) == 0 {
			continue
		}
		empty = false
		if t, gen, ok := d.open(at, b); ok && gen > newest {
			text, newest = t, gen
		}
	}
	if newest == 0 {
		return nil, empty, &store.CorruptError{File: d.name, Offset: 2 * frame * SlotSize, Err: record.ErrBad}
	}
	if frame < int64(len(d.gens)) {
		d.gens[frame] = newest
	}
	return text, false, nil
}

// write replaces a frame. The generation that was synced last stays until the new one is.
func (d *Draft) write(frame int64, text []byte) error {
	for int64(len(d.gens)) <= frame {
		d.gens = append(d.gens, 0)
	}
	gen := d.gens[frame]
	old := gen
	if gen == 0 || !d.dirty[frame] {
		gen++
	}
	plain := make([]byte, frameText)
	binary.LittleEndian.PutUint32(plain, uint32(len(text)))
	copy(plain[4:], text)
	b := append(make([]byte, 0, SlotSize), d.id[:]...)
	b = binary.LittleEndian.AppendUint64(b, gen)
	b = d.box.Seal(b, plain, bindFrame(frame, gen))
	if _, err := d.f.WriteAt(b, slotOf(frame, gen)*SlotSize); err != nil {
		return err
	}
	if old > 0 && gen != old {
		d.stale = append(d.stale, slotOf(frame, old))
	}
	d.gens[frame], d.dirty[frame] = gen, true
	return nil
}

// begin sees to it that what is there is on disk before any of it is replaced.
func (d *Draft) begin() error {
	if d.failed == nil && d.unsure {
		if d.failed = d.f.Sync(); d.failed == nil {
			d.unsure = false
		}
	}
	return d.failed
}

// ReadAt implements [store.Draft].
func (d *Draft) ReadAt(p []byte, off int64) (n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if off < 0 {
		return 0, store.ErrInvalid
	}
	for n < len(p) && off < d.size {
		text, err := d.frame(off / frameSize)
		if err != nil {
			return n, err
		}
		at := off % frameSize
		if at >= int64(len(text)) {
			return n, &store.CorruptError{File: d.name, Offset: 2 * (off / frameSize) * SlotSize, Err: record.ErrBad}
		}
		k := copy(p[n:], text[at:])
		n, off = n+k, off+int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// frame returns a frame that the draft has.
func (d *Draft) frame(i int64) ([]byte, error) {
	text, _, err := d.read(i)
	return text, err
}

// WriteAt implements [store.Draft].
func (d *Draft) WriteAt(p []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if off < 0 {
		return 0, store.ErrInvalid
	}
	if len(p) == 0 {
		return 0, nil // as pwrite(2): it does not fill up to off
	}
	if err := d.begin(); err != nil {
		return 0, err
	}
	if off > d.size {
		if err := d.fill(off); err != nil {
			return 0, err
		}
	}
	return d.put(p, off)
}

// fill appends zeros up to size.
func (d *Draft) fill(size int64) error {
	if size-d.size > maxFill {
		return fmt.Errorf("draft of %d bytes: %w", size, store.ErrTooLarge)
	}
	zeros := make([]byte, frameSize)
	for d.size < size {
		n := min(size-d.size, frameSize-d.size%frameSize)
		if _, err := d.put(zeros[:n], d.size); err != nil {
			return err
		}
	}
	return nil
}

// put writes p at off, which is not behind the end.
func (d *Draft) put(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		i, at := off/frameSize, off%frameSize
		k := min(len(p)-n, int(frameSize-at))
		text := make([]byte, 0, frameSize)
		if have := min(d.size-i*frameSize, frameSize); at > 0 || int64(k) < have {
			old, err := d.frame(i)
			if err != nil {
				return n, err
			}
			text = append(text, old...)
		} else if i < int64(len(d.gens)) && d.gens[i] == 0 && have > 0 {
			// Only to know the generation: what is damaged is replaced.
			if _, _, err := d.read(i); err != nil && !errors.As(err, new(*store.CorruptError)) {
				return n, err
			}
		}
		text = append(text, make([]byte, max(0, int(at)+k-len(text)))...)
		copy(text[at:], p[n:n+k])
		if err := d.write(i, text); err != nil {
			return n, err
		}
		n, off = n+k, off+int64(k)
		d.size = max(d.size, off)
	}
	return n, nil
}

// Truncate implements [store.Draft].
func (d *Draft) Truncate(size int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if size < 0 {
		return store.ErrInvalid
	}
	if err := d.begin(); err != nil {
		return err
	}
	if size >= d.size {
		return d.fill(size)
	}
	frames := (size + frameSize - 1) / frameSize
	if rest := size % frameSize; rest > 0 {
		text, err := d.frame(frames - 1)
		if err != nil {
			return err
		}
		if int64(len(text)) < rest {
			return &store.CorruptError{File: d.name, Offset: 2 * (frames - 1) * SlotSize, Err: record.ErrBad}
		}
		if err := d.write(frames-1, text[:rest]); err != nil {
			return err
		}
	}
	if err := d.f.Truncate(2 * frames * SlotSize); err != nil {
		return err
	}
	d.size, d.gens = size, d.gens[:min(frames, int64(len(d.gens)))]
	d.stale = slices.DeleteFunc(d.stale, func(at int64) bool { return at >= 2*frames })
	for i := range d.dirty {
		if i >= frames {
			delete(d.dirty, i)
		}
	}
	return nil
}

// Size implements [store.Draft].
func (d *Draft) Size() (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.size, nil
}

// Sync implements [store.Draft]. What was replaced is overwritten afterwards: a newer generation that
// is damaged must not let an older one be taken for it.
func (d *Draft) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed != nil {
		return d.failed
	}
	if d.failed = d.f.Sync(); d.failed != nil {
		return d.failed
	}
	d.unsure = false
	clear(d.dirty)
	stale := d.stale
	d.stale = nil
	for _, at := range stale {
		if _, err := d.f.WriteAt(make([]byte, SlotSize), at*SlotSize); err != nil {
			return err
		}
	}
	return nil
}

// ModTime implements [store.Draft].
func (d *Draft) ModTime() (int64, error) { return d.f.ModTime() }

// Close frees the file. It syncs nothing.
func (d *Draft) Close() error { return d.f.Close() }
