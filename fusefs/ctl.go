package fusefs

import (
	"bytes"
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/fusefs/publish"
	"jsfs/store"
)

// ctlHelp is what is read from a ctl file.
const ctlHelp = `Write a command here, one a line:

  purge [subject=PATTERN] [seq=N] [keep=N]   remove messages: all, or those on a subject, below sequence N,
                                             but the newest N; all conditions hold together
  compact SEQ                                remove all below SEQ; above the last, the next message gets SEQ
  erase SEQ                                  remove message SEQ, and overwrite its bytes on the disk; also if it was
                                             removed before, and in what the stream was before it was truncated. Nothing brings it back
  truncate SEQ force                         remove all above SEQ, so that the next message gets SEQ+1; 0 is all. As numbers are
                                             used again, the directory is another one then; what uses the old one ends. The old
                                             one is in .jsfs/deleted of the root, as a stream that was removed
  sync                                       wait until everything is on disk
  seal                                       the stream can't be changed any more, for ever
  remove force                               remove a sealed stream with its messages: mv of .jsfs/deleted/NAME@TIME brings it back

What purge and compact remove is removed as by rm, in one step, however much it is. Who has this file open for reading
and writing reads at its beginning how many messages purge, compact or erase removed.
`

// openCtl opens a stream's ctl file.
func (fs *FS) openCtl(c *call, s *stream, in *fuse.OpenIn) (handle, uint32, error) {
	if !wantsWrite(in.Flags) {
		return &bytesHandle{content: []byte(ctlHelp)}, fuse.FOPEN_DIRECT_IO, nil
	}
	closes := fs.pub.begin().NewCloses(publish.Open{Inode: c.hdr.NodeId, Thread: c.hdr.Pid})
	return &ctlWriter{fs: fs, stream: s, closes: closes, answer: ctlHelp}, fuse.FOPEN_DIRECT_IO, nil
}

// ctlWriter is a ctl file that is open for writing. A line is done when its newline is written, or
// at the close, so that its writer hears what came of it. A child that ends, or a program that is killed, closes the
// file in the middle of a line: the beginning of a command may be another one.
type ctlWriter struct {
	fs     *FS
	stream *stream
	closes *publish.Closes

	// mu guards line, and is held while a command is done: they are done one after the other.
	mu   sync.Mutex
	line []byte // what was written of a line without a newline yet
	// failed is why a command was refused. Until the next close nothing more is done: bash's printf goes on after an error.
	failed error
	told   bool // its writer had the error from write(2), which tells of what was done before it first
	// answer is what is read: how many messages the last command that removes some has removed, and before that
	// the help.
	answer string
}

func (w *ctlWriter) read(_ *call, p []byte, off int64) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if off >= int64(len(w.answer)) {
		return 0, nil
	}
	return copy(p, w.answer[off:]), nil
}

// write does the commands whose lines end in p. Offsets say nothing.
func (w *ctlWriter) write(c *call, p []byte, _ int64, _ bool) (n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		w.told = true
		return 0, w.failed
	}
	for n < len(p) {
		i := bytes.IndexByte(p[n:], '\n')
		end := n + i
		if i < 0 {
			end = len(p)
		}
		if len(w.line)+end-n > maxControl {
			w.takeLocked() // the beginning of a command may be another one
			w.failed, w.told = refuse(syscall.EFBIG, "a command has at most %d bytes", maxControl), n == 0
			return n, w.failed
		}
		if i < 0 {
			w.line = append(w.line, p[n:]...)
			w.closes.Wrote(c.hdr.Pid)
			return len(p), nil
		}
		line := w.takeLocked() + string(p[n:end])
		if w.failed = w.do(c, line); w.failed != nil {
			w.told = n == 0
			return n, w.failed
		}
		n = end + 1
	}
	return n, nil
}

func (w *ctlWriter) flush(c *call) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	whole := w.closes.Flush(c.hdr.Pid, len(w.line) > 0)
	if err := w.failed; err != nil {
		w.failed = nil
		if w.told {
			return nil
		}
		return err
	}
	if !whole {
		return nil
	}
	return w.doLeftLocked(c)
}

func (w *ctlWriter) fsync(c *call) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return w.failed
	}
	return w.doLeftLocked(c)
}

// doLeftLocked does the command that has no newline.
func (w *ctlWriter) doLeftLocked(c *call) error { return w.do(c, w.takeLocked()) }

// takeLocked returns what was written of a line, which waits for its end no more.
func (w *ctlWriter) takeLocked() string {
	line := string(w.line)
	w.line = nil
	w.closes.Done()
	return line
}

// release does a line that is left, as who inherited the file from its opener closed it last. Nobody hears of an error but by its report.
func (w *ctlWriter) release(c *call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	whole := w.closes.Release()
	if len(w.line) == 0 {
		return
	}
	err := refuse(syscall.EINTR, "command %q is not done: its writer was killed, or the mount ended, before its end", w.line)
	if whole && w.fs.ending.Err() == nil {
		err = w.doLeftLocked(c)
	}
	if err != nil {
		errno, _ := errnoOf(err)
		c.report(errno, err)
	}
}

// do does one command.
func (w *ctlWriter) do(c *call, line string) error {
	// A subject may have white space in it that is not ASCII.
	words := strings.FieldsFunc(line, func(r rune) bool { return r <= ' ' })
	if len(words) == 0 {
		return nil
	}
	args, s := words[1:], w.stream
	switch words[0] {
	case "purge":
		p, err := parsePurge(args)
		if err != nil {
			return err
		}
		n, err := s.Purge(c, p)
		return w.removed(c, line, n, err)
	case "compact":
		if len(args) != 1 {
			return refuse(syscall.EINVAL, "compact takes one sequence: compact 42")
		}
		seq, err := parseBelow("compact", args[0])
		if err != nil {
			return err
		}
		n, err := s.Compact(c, seq)
		return w.removed(c, line, n, err)
	case "erase":
		return w.erase(c, line, args)
	case "truncate":
		return w.truncate(c, line, args)
	case "remove":
		return w.remove(c, args)
	case "sync", "seal":
		if len(args) != 0 {
			return refuse(syscall.EINVAL, "%s takes nothing", words[0])
		}
		if words[0] == "sync" {
			return s.Sync(c)
		}
		return w.fs.seal(c, s)
	}
	return refuse(syscall.EINVAL, "%q is no command: purge, compact, erase, truncate, sync, seal and remove are (cat %s/.jsfs/ctl tells more)", words[0], s.name)
}

// erase erases one message.
func (w *ctlWriter) erase(c *call, line string, args []string) error {
	if len(args) != 1 {
		return refuse(syscall.EINVAL, "erase takes one sequence: erase 42")
	}
	seq, err := parseSeq("erase", args[0])
	if err != nil {
		return err
	}
	n := int64(0)
	m, _, _ := statOpen(c, w.stream, seq) // what is not there any more is erased nowhere
	w.stream.erasing.add(seq)
	live, err := w.stream.Erase(c, seq)
	if err == nil {
		w.fs.erased(w.stream, seq, m.Time)
	}
	if live {
		n = 1
	} else {
		w.stream.erasing.take(seq) // nobody is told that it was removed
	}
	return w.removed(c, line, n, err)
}

// truncate makes the stream end at a message.
func (w *ctlWriter) truncate(c *call, line string, args []string) error {
	if len(args) != 2 || args[1] != "force" {
		return refuse(syscall.EINVAL, "truncate takes a sequence, and force, as its numbers are used again: truncate 42 force")
	}
	seq, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return fmt.Errorf("truncate: %w: %q is no sequence", store.ErrInvalid, args[0])
	}
	now, err := w.fs.st.Stream(c, w.stream.name)
	if err != nil || now.Incarnation() != w.stream.Incarnation() {
		return errStale
	}
	if err := w.stream.copied.change(); err != nil {
		return err
	}
	err = w.stream.restores.Settled(c, func() error { // what is held from now on would be in a draft of the stream that takes its place
		if err := w.fs.endCopy(c, w.stream); err != nil { // or that one lacks the configuration
			return err
		}
		_, err := w.fs.st.Truncate(c, w.stream.name, store.Seq(seq))
		return err
	})
	if err != nil {
		return err
	}
	w.fs.opt.Logger.Info("stream truncated", "stream", w.stream.name, "command", line)
	return nil
}

// remove removes the stream, if it is sealed, with its messages.
func (w *ctlWriter) remove(c *call, args []string) error {
	s := w.stream
	switch {
	case len(args) != 1 || args[0] != "force":
		return refuse(syscall.EINVAL, "remove takes the whole stream away, and force: remove force")
	case !s.Config().Sealed:
		return refuse(syscall.EPERM, "only a sealed stream is removed so: rm -r %s removes this one", s.name)
	}
	now, err := w.fs.st.Stream(c, s.name)
	if err != nil || now.Incarnation() != s.Incarnation() {
		return errStale
	}
	if err := w.fs.endCopy(c, s); err != nil { // only then is it sealed in the store
		return err
	}
	if err := w.fs.st.RemoveSealed(c, s.name); err != nil {
		w.fs.streams.renew(c, s)
		return err
	}
	w.fs.streams.dropOnly(s)
	w.fs.changed.Store(w.fs.now().UnixNano())
	w.fs.opt.Logger.Info("sealed stream removed", "stream", s.name)
	return nil
}

// removed notes that a command removed n messages, and answers so.
func (w *ctlWriter) removed(c *call, line string, n int64, err error) error {
	if err == nil {
		w.answer = strconv.FormatInt(n, 10) + "\n"
		w.fs.removedNow(c, w.stream)
		w.fs.opt.Logger.Info("messages removed", "stream", w.stream.name, "command", line, "messages", n)
	}
	return err
}

// parsePurge reads the arguments of a purge.
func parsePurge(args []string) (p store.Purge, err error) {
	given := map[string]bool{}
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		if given[name] {
			return p, refuse(syscall.EINVAL, "purge: %s= is there twice", name)
		}
		given[name] = true
		switch name {
		case "subject":
			p.Subject, err = value, store.CheckPattern(value)
		case "seq":
			p.Below, err = parseBelow(name, value)
		case "keep":
			p.Keep, err = strconv.ParseUint(value, 10, 64)
			if err != nil {
				err = fmt.Errorf("keep: %w: %q is no number", store.ErrInvalid, value)
			}
		default:
			err = refuse(syscall.EINVAL, "purge: %q is not subject=, seq= or keep=", arg)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

// parseBelow reads a sequence that what is left begins with. Above the last one it is the next message's, which must be shown.
func parseBelow(what, s string) (store.Seq, error) {
	seq, err := parseSeq(what, s)
	return seq, cmp.Or(err, shown(seq))
}

// parseSeq reads a sequence from 1 on.
func parseSeq(what, s string) (store.Seq, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%s: %w: %q is no sequence", what, store.ErrInvalid, s)
	}
	return store.Seq(n), nil
}
