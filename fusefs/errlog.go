package fusefs

import (
	"context"
	"log/slog"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

const (
	// maxErrors is how many refusals .jsfs/errors holds.
	maxErrors = 10000
	// maxErrorText is up to how many bytes of a path or a reason it holds. Who asks for long names thousands of times must
	// not fill the memory.
	maxErrorText = 512
)

// errorLog keeps the reasons of the last refused calls, a line each, as a file that
// grows at its end: offsets count from the first line ever, and the oldest lines
// go when there are too many.
type errorLog struct {
	log *slog.Logger

	// mu guards all below. It is a leaf.
	mu    sync.Mutex
	lines [maxErrors]errorLine // a ring; line n is at n % maxErrors
	first int                  // number of the oldest line held
	next  int                  // number of the next line
	end   int64                // offset behind the newest line
}

type errorLine struct {
	off  int64
	text string
}

// add enters a refusal, and logs it.
func (l *errorLog) add(now time.Time, op, path string, errno syscall.Errno, reason string) {
	name := unix.ErrnoName(errno)
	if name == "" {
		name = "-"
	}
	level := slog.LevelInfo
	if errno == syscall.EIO {
		level = slog.LevelError
	}
	l.log.Log(context.Background(), level, "refused", "call", op, "path", path, "errno", name, "reason", reason)

	text := strings.Join([]string{
		now.Format("2006-01-02T15:04:05.000Z07:00"), op, printable(shortened(path)), name, printable(shortened(reason)),
	}, " ") + "\n"
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines[l.next%maxErrors] = errorLine{l.end, text}
	l.end += int64(len(text))
	l.next++
	l.first = max(l.first, l.next-maxErrors)
}

// extent returns the offsets at which the oldest line begins and the newest ends.
func (l *errorLog) extent() (start, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.startLocked(), l.end
}

func (l *errorLog) startLocked() int64 {
	if l.first == l.next {
		return l.end
	}
	return l.lines[l.first%maxErrors].off
}

// readAt reads from an offset. What is gone there reads as newlines, so that nobody
// who reads on meets half a line.
func (l *errorLog) readAt(p []byte, off int64) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for start := l.startLocked(); n < len(p) && off+int64(n) < start; n++ {
		p[n] = '\n'
	}
	at := off + int64(n)
	i := l.first + sort.Search(l.next-l.first, func(i int) bool {
		line := &l.lines[(l.first+i)%maxErrors]
		return line.off+int64(len(line.text)) > at
	})
	for ; i < l.next && n < len(p); i++ {
		line := &l.lines[i%maxErrors]
		n += copy(p[n:], line.text[off+int64(n)-line.off:])
	}
	return n
}

// printable returns s in one line: as it is if that is one, else quoted.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) || r == '�' }) {
		return strconv.Quote(s)
	}
	return s
}

// shortened returns the beginning and the end of a text that is too long.
func shortened(s string) string {
	if len(s) <= maxErrorText {
		return s
	}
	head, tail := maxErrorText/2, len(s)-maxErrorText/2
	for head > 0 && !utf8.RuneStart(s[head]) {
		head--
	}
	for tail < len(s) && !utf8.RuneStart(s[tail]) {
		tail++
	}
	return s[:head] + "…" + s[tail:]
}
