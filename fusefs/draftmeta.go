package fusefs

import (
	"maps"
	"slices"
	"sync"
	"syscall"

	"jsfs/mapping"
)

// draftMeta is what a draft has besides its bytes. The store does not keep it: it is
// for the program that makes a draft and renames it.
type draftMeta struct {
	// mu guards all below. It is a leaf.
	mu      sync.Mutex
	mode    uint32
	modTime *int64 // what utimens asked for since the last write
	xattrs  map[string][]byte
}

func (m *draftMeta) getMode() uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mode
}

func (m *draftMeta) setMode(mode uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mode = mode & 0o777
}

func (m *draftMeta) getModTime() (int64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.modTime == nil {
		return 0, false
	}
	return *m.modTime, true
}

func (m *draftMeta) setModTime(ns *int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.modTime = ns
}

func (m *draftMeta) names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.xattrs))
}

func (m *draftMeta) xattr(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok := m.xattrs[name]
	if !ok {
		return nil, errNoAttr
	}
	return value, nil
}

// Flags of setxattr(2).
const (
	xattrCreate  = 1
	xattrReplace = 2
)

func (m *draftMeta) setXattr(name string, value []byte, flags uint32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.xattrs[name]
	switch {
	case ok && flags&xattrCreate != 0:
		return refuse(syscall.EEXIST, "%s is set", name)
	case !ok && flags&xattrReplace != 0:
		return errNoAttr
	}
	if m.xattrs == nil {
		m.xattrs = map[string][]byte{}
	}
	m.xattrs[name] = slices.Clone(value)
	return nil
}

// header is the header block that the attributes make for a message that is appended. One that acts on
// the stream is refused: whoever copies a message with its attributes does not ask for that.
func (m *draftMeta) header() ([]byte, error) {
	block, err := m.anyHeader()
	if err != nil {
		return nil, err
	}
	if name, ok := mapping.ActingHeader(block); ok {
		return nil, refuse(syscall.EPERM, "header %s would act on the stream: write the message to .jsfs/post, with %s: true as its first line", name, mapping.HeaderApply)
	}
	return block, nil
}

// anyHeader is header for a message that is restored, whose headers act no more.
func (m *draftMeta) anyHeader() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return mapping.HeaderFromXattrs(m.xattrs)
}

// clearXattrs forgets the attributes: they were those of a message that is stored.
func (m *draftMeta) clearXattrs() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.xattrs = nil
}

func (m *draftMeta) removeXattr(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.xattrs[name]; !ok {
		return errNoAttr
	}
	delete(m.xattrs, name)
	return nil
}
