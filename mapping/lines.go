package mapping

import (
	"bytes"
	"fmt"

	"jsfs/store"
)

// AppendFramed appends a message's payload to dst as the log shows it: with a newline
// behind it unless it ends in one. It adds as many bytes as store.Meta.LogSize says.
func AppendFramed(dst, data []byte) []byte {
	dst = append(dst, data...)
	if n := len(data); n == 0 || data[n-1] != '\n' {
		dst = append(dst, '\n')
	}
	return dst
}

// Lines splits a byte stream into lines, however it was cut. A line includes its
// newline. What follows the last newline is carried over to the next call, up to
// the maximum that NewLines was given.
type Lines struct {
	max   int
	carry []byte // begins the next line
	spare []byte // the first line of the last Feed, if it began with a carry
	last  struct {
		carried int // length of the carry before the last Feed
		lines   [][]byte
	}
}

// NewLines returns a Lines that takes lines of at most longest bytes, the newline included.
func NewLines(longest int) *Lines { return &Lines{max: longest} }

// Feed appends to dst the lines that p completes, and returns how many bytes of p
// it took: all, and no error; or those of the lines it returns, and an error that
// wraps store.ErrTooLarge because what follows is longer than a line may be. The lines alias p
// and the Lines' own memory, and are valid until the next call.
func (l *Lines) Feed(dst [][]byte, p []byte) (lines [][]byte, n int, err error) {
	lines = dst
	begin := len(dst)
	l.last.carried = len(l.carry)
	head := l.carry // what the next line begins with
	for {
		i := bytes.IndexByte(p[n:], '\n')
		if size := len(head) + i + 1; i < 0 || size > l.max {
			break
		}
		line := p[n : n+i+1]
		if len(head) > 0 {
			l.spare = append(append(l.spare[:0], head...), line...)
			line, head = l.spare, nil
		}
		lines = append(lines, line)
		n += i + 1
	}
	l.last.lines = lines[begin:]
	if len(lines) > begin {
		l.carry = l.carry[:0]
	}
	rest := p[n:]
	if size := len(l.carry) + len(rest); size > l.max || bytes.IndexByte(rest, '\n') >= 0 {
		return lines, n, fmt.Errorf("line of more than %d bytes: %w", l.max, store.ErrTooLarge)
	}
	l.carry = append(l.carry, rest...)
	return lines, len(p), nil
}

// Refuse takes back the lines from the k-th on that the last Feed returned, because they were
// not stored, and all behind them. It returns how many bytes of that Feed's p stay
// taken. What earlier calls carried over stays, if it was not part of a stored line.
func (l *Lines) Refuse(k int) int {
	if k == 0 {
		if len(l.last.lines) > 0 {
			l.carry = append(l.carry[:0], l.last.lines[0][:l.last.carried]...)
		} else {
			l.carry = l.carry[:l.last.carried]
		}
		return 0
	}
	n := -l.last.carried
	for _, line := range l.last.lines[:k] {
		n += len(line)
	}
	l.carry = l.carry[:0]
	return n
}

// Rest returns the line that has begun and has no newline yet. It is valid until
// the next call.
func (l *Lines) Rest() []byte { return l.carry }

// Reset forgets the line that has begun.
func (l *Lines) Reset() { l.carry = l.carry[:0] }
