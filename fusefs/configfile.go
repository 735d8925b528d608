package fusefs

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// maxControl is the most that can be written to a file that steers something.
const maxControl = 1 << 20

// configContent is what a stream's config file shows.
func configContent(s *stream) []byte {
	return mapping.Indented(s.Config())
}

func (fs *FS) configAttr(content []byte, id uint64, h handle, a *fuse.Attr) {
	size := len(content)
	if w, ok := h.(*configWriter); ok {
		size = w.size()
	}
	fs.fileAttr(a, id, int64(size), fs.started.UnixNano())
}

// openConfig opens a stream's config file.
func (fs *FS) openConfig(s *stream, in *fuse.OpenIn) (handle, uint32, error) {
	return openJudged(configContent(s), fs.judgeConfig(s), in)
}

// openJudged opens a configuration file with that content.
func openJudged(content []byte, j judge, in *fuse.OpenIn) (handle, uint32, error) {
	if !wantsWrite(in.Flags) {
		return &bytesHandle{content: content}, fuse.FOPEN_DIRECT_IO, nil
	}
	if in.Flags&syscall.O_APPEND != 0 {
		return nil, 0, refuse(syscall.EPERM, "a configuration is written as a whole: use >, not >>")
	}
	if in.Flags&syscall.O_TRUNC != 0 {
		content = nil
	}
	return &configWriter{judge: j, content: content}, fuse.FOPEN_DIRECT_IO, nil
}

// judge says whether a configuration that was written is one that there can be, and how it takes effect.
type judge func(c *call, content []byte) (apply func(*call) error, err error)

// judgeConfig is the judge of what is written to a stream's config file.
func (fs *FS) judgeConfig(s *stream) judge {
	return func(c *call, content []byte) (func(*call) error, error) {
		cfg, err := store.ParseConfig(content)
		if err != nil {
			return nil, err
		}
		if cfg.Name == "" {
			cfg.Name = s.name
		}
		if cfg.Name != s.name {
			return nil, fmt.Errorf("name: %w: stream %s can't become %s", store.ErrInvalid, s.name, cfg.Name)
		}
		cfg = cfg.WithDefaults()
		if err := cmp.Or(cfg.Check(), shown(cfg.FirstSeq)); err != nil {
			return nil, err
		}
		state, err := s.State(c)
		if err != nil {
			return nil, err
		}
		return func(c *call) error { return fs.configure(c, s, cfg) }, s.Config().CheckUpdate(cfg, state)
	}
}

// configWriter is a configuration file that is open for writing. What is written is judged as soon as it is
// whole, so that a writer hears of a refusal in write(2), and takes effect when it is closed.
type configWriter struct {
	judge judge

	// mu guards the rest. It is held while the store changes the configuration, and taken
	// before the store's locks.
	mu      sync.Mutex
	content []byte
	dirty   bool
}

func (w *configWriter) size() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.content)
}

func (w *configWriter) read(_ *call, p []byte, off int64) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if off >= int64(len(w.content)) {
		return 0, nil
	}
	return copy(p, w.content[off:]), nil
}

func (w *configWriter) write(c *call, p []byte, off int64, _ bool) (int, error) {
	if off > maxControl-int64(len(p)) {
		return 0, refuse(syscall.EFBIG, "a configuration has at most %d bytes", maxControl)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	inOrder := int(off) == len(w.content)
	w.resizeLocked(max(len(w.content), int(off)+len(p)))
	copy(w.content[off:], p)
	w.dirty = true
	if !json.Valid(w.content) && !(inOrder && malformed(w.content)) {
		return len(p), nil // there is more to come
	}
	if _, err := w.judge(c, w.content); err != nil {
		w.dirty = false // its writer was told
		return 0, err
	}
	return len(p), nil
}

// malformed says that content is not the beginning of any JSON.
func malformed(content []byte) bool {
	var v json.RawMessage
	err := json.NewDecoder(bytes.NewReader(content)).Decode(&v)
	_, wrong := errors.AsType[*json.SyntaxError](err)
	return wrong
}

// resizeLocked sets the size of what was written; what is new is zeros.
func (w *configWriter) resizeLocked(size int) {
	if size <= len(w.content) {
		w.content = w.content[:size]
		return
	}
	old := len(w.content)
	w.content = slices.Grow(w.content, size-old)[:size]
	clear(w.content[old:])
}

func (w *configWriter) flush(c *call) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.dirty {
		return nil
	}
	apply, err := w.judge(c, w.content)
	if err == nil {
		err = apply(c)
	}
	w.dirty = err != nil
	return err
}

func (w *configWriter) fsync(c *call) error { return w.flush(c) }

// release does nothing: what a close refused its writer was told.
func (w *configWriter) release(*call) {}

func (w *configWriter) truncate(size uint64) error {
	if size > maxControl {
		return refuse(syscall.EFBIG, "a configuration has at most %d bytes", maxControl)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.resizeLocked(int(size))
	return nil
}

// setControlAttr answers truncate, chmod and utimens on what can be written and is no log. Its mode and
// times are what they are.
func setControlAttr(h handle, in *fuse.SetAttrIn) error {
	size, ok := in.GetSize()
	if !ok {
		return nil
	}
	switch h := h.(type) {
	case *configWriter:
		return h.truncate(size)
	case *ctlWriter, *postWriter:
		return nil
	}
	return refuse(syscall.EPERM, "truncate it through a descriptor")
}
