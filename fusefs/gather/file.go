package gather

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"jsfs/store"
	"jsfs/store/jsonl"
)

// file is a draft that holds messages as JSON lines, in the order in which they came.
type file struct {
	d   store.Draft
	end int64 // of the last line
	at  map[store.Seq]span
}

// span is where a message's line stands.
type span struct{ off, size int64 }

func newFile(d store.Draft) *file { return &file{d: d, at: map[store.Seq]span{}} }

func (f *file) has(seq store.Seq) bool {
	_, ok := f.at[seq]
	return ok
}

// add writes a message's line. If that fails the file is as it was.
func (f *file) add(m store.Msg) error {
	line := jsonl.Append(nil, m)
	if _, err := f.d.WriteAt(line, f.end); err != nil {
		return errors.Join(err, f.d.Truncate(f.end))
	}
	f.at[m.Seq] = span{f.end, int64(len(line))}
	f.end += int64(len(line))
	return nil
}

// drop takes back the message that was added last.
func (f *file) drop(seq store.Seq) error {
	f.end = f.at[seq].off
	delete(f.at, seq)
	return f.d.Truncate(f.end)
}

// load reads a message.
func (f *file) load(seq store.Seq) (store.Msg, error) {
	l := f.at[seq]
	b := make([]byte, l.size)
	if n, err := f.d.ReadAt(b, l.off); n < len(b) {
		return store.Msg{}, fmt.Errorf("message %d in %s: %w", seq, Draft, err)
	}
	m, err := jsonl.Parse(b)
	if err == nil && m.Seq != seq {
		err = fmt.Errorf("%w: message %d stands there", store.ErrInvalid, m.Seq)
	}
	if err != nil {
		return store.Msg{}, fmt.Errorf("message %d in %s: %w", seq, Draft, err)
	}
	return m, nil
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
	var line []byte // what was read of the line that begins at f.end
	lost := false   // its beginning could not be read
	page := make([]byte, pageSize)
	for off := int64(0); off < size; off += pageSize {
		p := page[:min(pageSize, size-off)]
		if n, err := f.d.ReadAt(p, off); n < len(p) && (err == nil || !errors.Is(err, io.EOF)) {
			line, lost, whole = nil, true, false
			f.end = off + int64(len(p))
			continue
		}
		for len(p) > 0 {
			i := bytes.IndexByte(p, '\n')
			if i < 0 {
				line = append(line, p...)
				break
			}
			line, p = append(line, p[:i+1]...), p[i+1:]
			m, err := jsonl.Parse(line)
			switch {
			case lost: // the end of a line is no message, whatever it looks like
			case err != nil || f.has(m.Seq):
				whole = false
			default:
				f.at[m.Seq] = span{f.end, int64(len(line))}
			}
			f.end += int64(len(line))
			line, lost = line[:0], false
		}
	}
	return whole, nil
}
