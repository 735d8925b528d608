package gather

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"jsfs/store"
	"jsfs/store/jsonl"
)

// file is a draft that holds messages as JSON lines, in the order in which they came. Lines of white space are notes: who reads the draft as JSON
// lines passes over them.
type file struct {
	d     store.Draft
	end   int64 // of the last line
	at    map[store.Seq]span
	notes []int64 // where it is noted that messages are being stored, see noteStoring
	// refused are those that were held, and have no place in the stream.
	refused map[store.Seq]bool
}

// largeSize is from which size on, in bytes, of its payload or of its line a message is written and read in pieces, so that it is not in memory several times.
const largeSize = 1 << 20

// The notes, of the same length.
const (
	storing = "\t\n" // what stands before is being stored, and nothing of it was refused
	void    = " \n"  // that is so no more
)

// span is where a message's line stands.
type span struct{ off, size int64 }

func newFile(d store.Draft) *file {
	return &file{d: d, at: map[store.Seq]span{}, refused: map[store.Seq]bool{}}
}

func (f *file) has(seq store.Seq) bool {
	_, ok := f.at[seq]
	return ok
}

// add writes a message's line. If that fails the file is as it was.
func (f *file) add(m store.Msg) error {
	var n int64
	var err error
	if w := io.NewOffsetWriter(f.d, f.end); len(m.Data) < largeSize {
		line := jsonl.Append(nil, m)
		n = int64(len(line))
		_, err = w.Write(line)
	} else {
		n, err = jsonl.Write(w, m)
	}
	if err != nil {
		return errors.Join(err, f.d.Truncate(f.end))
	}
	f.at[m.Seq] = span{f.end, n}
	f.end += n
	return nil
}

// drop takes back the message that was added last.
func (f *file) drop(seq store.Seq) error {
	f.end = f.at[seq].off
	delete(f.at, seq)
	return f.d.Truncate(f.end)
}

// noteStoring notes that all messages are being stored from now on. So who finds one of them missing after a crash knows
// that it was stored, and taken by a limit, if the stream got beyond it. Where it can't be noted nobody knows, which costs nothing but a
// refusal too many.
func (f *file) noteStoring() {
	if n := len(f.notes); n > 0 && f.notes[n-1]+int64(len(storing)) == f.end {
		return // nothing came since
	}
	if _, err := f.d.WriteAt([]byte(storing), f.end); err != nil {
		_ = f.d.Truncate(f.end) // what is behind the end is nobody's
		return
	}
	f.notes = append(f.notes, f.end)
	f.end += int64(len(storing))
	_ = f.d.Sync()
}

// voidNotes takes back what was noted, before something is refused.
func (f *file) voidNotes() error {
	for _, off := range f.notes {
		if _, err := f.d.WriteAt([]byte(void), off); err != nil {
			return err
		}
	}
	if len(f.notes) > 0 {
		if err := f.d.Sync(); err != nil {
			return err
		}
	}
	f.notes = nil
	return nil
}

// noted says whether it is noted that a message is being stored.
func (f *file) noted(seq store.Seq) bool {
	l, ok := f.at[seq]
	return ok && len(f.notes) > 0 && l.off < f.notes[len(f.notes)-1]
}

// load reads a message.
func (f *file) load(seq store.Seq) (store.Msg, error) {
	m, err := f.read(f.at[seq])
	if err == nil && m.Seq != seq {
		err = fmt.Errorf("%w: message %d stands there", store.ErrInvalid, m.Seq)
	}
	if err != nil {
		return store.Msg{}, fmt.Errorf("message %d in %s: %w", seq, Draft, err)
	}
	return m, nil
}

// read reads the message of a line.
func (f *file) read(l span) (store.Msg, error) {
	if l.size >= largeSize {
		return jsonl.Read(io.NewSectionReader(f.d, l.off, l.size), l.size)
	}
	b := make([]byte, l.size)
	if n, err := f.d.ReadAt(b, l.off); n < len(b) {
		return store.Msg{}, err
	}
	return jsonl.Parse(b)
}

// batchSize is how many bytes of payloads are stored with one call, more or less.
const batchSize = 1 << 20

// batch reads the next messages. With an error they are those before what can't be read.
func (f *file) batch(seqs []store.Seq) (ms []store.Msg, err error) {
	for size := 0; len(ms) < len(seqs) && size < batchSize; {
		m, err := f.load(seqs[len(ms)])
		if err != nil {
			return ms, err
		}
		ms, size = append(ms, m), size+len(m.Data)
	}
	return ms, nil
}

// pageSize is how much of a draft is lost at once where the disk is damaged.
const pageSize = 4 << 10

// recover finds the lines of a draft that was made before. whole is false if there is something else in it: damage, or what is no
// message. A last line without its end is neither: it was not acknowledged.
func (f *file) recover() (whole bool, err error) {
	size, err := f.d.Size()
	if err != nil {
		return false, err
	}
	whole = true
	var line []byte    // what was read of the line that begins at f.end, unless it is large
	length := int64(0) // of what was read of it
	lost := false      // its beginning could not be read
	page := make([]byte, pageSize)
	for off := int64(0); off < size; off += pageSize {
		p := page[:min(pageSize, size-off)]
		if n, err := f.d.ReadAt(p, off); n < len(p) && (err == nil || !errors.Is(err, io.EOF)) {
			line, length, lost, whole = nil, 0, true, false
			f.end = off + int64(len(p))
			continue
		}
		for len(p) > 0 {
			i := bytes.IndexByte(p, '\n') + 1
			ended := i > 0
			if !ended {
				i = len(p)
			}
			if length += int64(i); length < largeSize {
				line = append(line, p[:i]...)
			}
			p = p[i:]
			if !ended {
				break
			}
			if !lost && !f.recoverLine(line, length) { // the end of a line is no message, whatever it looks like
				whole = false
			}
			f.end += length
			line, length, lost = line[:0], 0, false
		}
	}
	return whole, nil
}

// recoverLine takes a line that begins at f.end, and says whether it is one of this draft's. Of a large one it gets the length only.
func (f *file) recoverLine(line []byte, length int64) bool {
	switch string(line) {
	case storing:
		f.notes = append(f.notes, f.end)
		return true
	case void:
		return true
	}
	l := span{f.end, length}
	var m store.Msg
	var err error
	if length < largeSize {
		m, err = jsonl.Parse(line)
	} else {
		m, err = f.read(l)
	}
	if err != nil || f.has(m.Seq) {
		return false
	}
	f.at[m.Seq] = l
	return true
}
