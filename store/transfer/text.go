package transfer

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"jsfs/store"
)

// text reads the lines of a file that may be compressed.
type text struct {
	f    io.ReaderAt
	size int64
	zstd *zstd.Decoder // nil if the file is not compressed
	off  int64         // behind the frame that is being read; of a file that is not compressed, behind the last line
	br   *bufio.Reader
	line []byte
	over bool // the frame that is being read is at its end
	hold bool // the next frame is not begun
}

// errHold says that a frame is at its end.
var errHold = errors.New("end of a frame")

var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

func newText(f io.ReaderAt, size int64) (*text, error) {
	t := &text{f: f, size: size, over: true}
	var magic [4]byte
	if n, err := f.ReadAt(magic[:], 0); err != nil && !errors.Is(err, io.EOF) || n == 0 {
		return nil, fmt.Errorf("it is empty, or can't be read: %w", err)
	}
	if !bytes.Equal(magic[:], zstdMagic) {
		t.br = bufio.NewReaderSize(io.NewSectionReader(f, 0, size), 256<<10)
		return t, nil
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
	if err != nil {
		return nil, err
	}
	t.zstd = dec
	t.br = bufio.NewReaderSize(readerFunc(t.decode), 256<<10)
	return t, nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func (t *text) close() {
	if t.zstd != nil {
		t.zstd.Close()
	}
}

// decode reads the frames one after another, and never from two at once.
func (t *text) decode(p []byte) (int, error) {
	for {
		if t.over {
			switch {
			case t.hold:
				return 0, errHold
			case t.off >= t.size:
				return 0, io.EOF
			}
			start := t.off
			stop, err := frameEnd(t.f, start, t.size)
			if err != nil {
				return 0, err
			}
			if err := t.zstd.Reset(io.NewSectionReader(t.f, start, stop-start)); err != nil {
				return 0, err
			}
			t.off, t.over = stop, false
		}
		n, err := t.zstd.Read(p)
		if errors.Is(err, io.EOF) {
			t.over, err = true, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// next returns the next line, with its newline, which is good until the next call. A file that
// ends inside of one gives io.ErrUnexpectedEOF, one that ends before it io.EOF.
func (t *text) next(limit int) ([]byte, error) {
	t.line = t.line[:0]
	for {
		piece, err := t.br.ReadSlice('\n')
		if t.zstd == nil {
			t.off += int64(len(piece))
		}
		if err == nil && len(t.line) == 0 {
			return piece, nil
		}
		t.line = append(t.line, piece...)
		switch {
		case err == nil:
			return t.line, nil
		case errors.Is(err, io.EOF) && len(t.line) > 0:
			return nil, io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(t.line) > limit:
			return nil, fmt.Errorf("%w: a line of more than %d bytes", store.ErrInvalid, limit)
		}
	}
}

// boundary says whether a line has just been read that ends a frame. What stands before offset off
// of the file is then all that was read.
func (t *text) boundary() bool {
	if t.zstd == nil {
		return true
	}
	t.hold = true
	_, err := t.br.Peek(1)
	t.hold = false
	return errors.Is(err, errHold)
}

// frameEnd returns where the zstd frame at off ends (RFC 8878, section 3.1.1).
func frameEnd(f io.ReaderAt, off, size int64) (int64, error) {
	b := make([]byte, min(zstd.HeaderMaxSize, size-off))
	if _, err := f.ReadAt(b, off); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	var h zstd.Header
	if err := h.Decode(b); err != nil {
		return 0, fmt.Errorf("no zstd frame begins there: %w", err)
	}
	off += int64(h.HeaderSize)
	if h.Skippable {
		off += int64(h.SkippableSize)
		return off, within(off, size)
	}
	for last := false; !last; {
		var b [4]byte
		if _, err := f.ReadAt(b[:3], off); err != nil {
			return 0, cutShort(err)
		}
		n := binary.LittleEndian.Uint32(b[:])
		last = n&1 != 0
		off += 3
		switch kind := n >> 1 & 3; kind {
		case 1: // one byte, repeated
			off++
		default:
			off += int64(n >> 3)
		}
	}
	if h.HasCheckSum {
		off += 4
	}
	return off, within(off, size)
}

func within(off, size int64) error {
	if off > size {
		return io.ErrUnexpectedEOF
	}
	return nil
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
