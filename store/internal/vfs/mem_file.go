package vfs

import (
	"bytes"
	"io"
	"io/fs"
	"slices"
	"syscall"
	"time"
)

const (
	// pageSize is the unit in which Mem keeps and counts bytes.
	pageSize = 4096
	// sectorSize is the unit that a disk writes whole or not at all.
	sectorSize = 512
)

// content is a file's bytes. Copies made by share have their pages in common until
// one of them writes; a nil page is zeros.
type content struct {
	size  int64
	pages []*page
	own   *owner // of the pages that may be written in place
}

type page struct {
	own *owner
	b   [pageSize]byte
}

// owner is an identity; it has a field because pointers to empty structs may be equal.
type owner struct{ _ byte }

// share returns a copy of c, and makes c copy its pages before it writes to them.
func (c *content) share() content {
	c.own = nil
	return content{size: c.size, pages: slices.Clone(c.pages)}
}

func (c *content) space() int64 {
	n := int64(0)
	for _, p := range c.pages {
		if p != nil {
			n += pageSize
		}
	}
	return n
}

// writable returns page i to be written to, and says whether it is new.
func (c *content) writable(i int64) (*page, bool) {
	if c.own == nil {
		c.own = new(owner)
	}
	for int64(len(c.pages)) <= i {
		c.pages = append(c.pages, nil)
	}
	p := c.pages[i]
	switch {
	case p == nil:
		c.pages[i] = &page{own: c.own}
		return c.pages[i], true
	case p.own != c.own:
		c.pages[i] = &page{own: c.own, b: p.b}
	}
	return c.pages[i], false
}

var zeroPage [pageSize]byte

// zeros is the page of everything that was overwritten with zeros; nobody owns it, so nobody writes to it.
var zeros = &page{own: new(owner)}

// put writes the beginning of p to page i, from byte in of that on. It returns how much that was, and whether the page is new.
func (c *content) put(p []byte, i, in int64) (n int, fresh bool) {
	if in == 0 && len(p) >= pageSize && bytes.Equal(p[:pageSize], zeroPage[:]) {
		fresh = c.pageOrNil(i) == nil
		for int64(len(c.pages)) <= i {
			c.pages = append(c.pages, nil)
		}
		c.pages[i] = zeros
		return pageSize, fresh
	}
	pg, fresh := c.writable(i)
	return copy(pg.b[in:], p), fresh
}

// at returns the bytes of page i.
func (c *content) at(i int64) []byte {
	if i < int64(len(c.pages)) && c.pages[i] != nil {
		return c.pages[i].b[:]
	}
	return zeroPage[:]
}

// truncate sets the size, and gives up and zeroes what is beyond it.
func (c *content) truncate(size int64) {
	if size < c.size {
		last := (size + pageSize - 1) / pageSize
		if last < int64(len(c.pages)) {
			c.pages = slices.Clone(c.pages[:last])
		}
		if in := size % pageSize; in != 0 && last <= int64(len(c.pages)) && c.pages[last-1] != nil {
			p, _ := c.writable(last - 1)
			clear(p.b[in:])
		}
	}
	c.size = size
}

// mix returns c with those changes undone, against old, for which keep says no. Sectors are
// kept or not one by one, and the size as a whole.
func (c *content) mix(old *content, keep func() bool) content {
	out := content{size: c.size}
	if c.size != old.size && !keep() {
		out.size = old.size
	}
	n := (out.size + pageSize - 1) / pageSize
	for i := range n {
		now, then := c.at(i), old.at(i)
		if &now[0] == &then[0] || bytes.Equal(now, then) {
			out.pages = append(out.pages, c.pageOrNil(i))
			continue
		}
		p, _ := out.writable(i)
		for s := 0; s < pageSize; s += sectorSize {
			from := now
			if !bytes.Equal(now[s:s+sectorSize], then[s:s+sectorSize]) && !keep() {
				from = then
			}
			copy(p.b[s:s+sectorSize], from[s:])
		}
	}
	if in := out.size % pageSize; in != 0 && c.size != old.size {
		p, _ := out.writable(n - 1)
		clear(p.b[in:])
	}
	return out
}

func (c *content) pageOrNil(i int64) *page {
	if i < int64(len(c.pages)) {
		return c.pages[i]
	}
	return nil
}

// memFile is an open file of a Mem.
type memFile struct {
	m      *Mem
	ino    *inode
	name   string // it had when it was opened, for messages
	closed bool   // guarded by m.mu
}

func (f *memFile) check(op string) error {
	if f.closed {
		return pathError(op, f.name, fs.ErrClosed)
	}
	return nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.check("read"); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathError("read", f.name, syscall.EINVAL)
	}
	c, n := &f.ino.data, 0
	for n < len(p) && off < c.size {
		in := off % pageSize
		end := min(pageSize, in+c.size-off)
		k := copy(p[n:], c.at(off / pageSize)[in:end])
		n, off = n+k, off+int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.m.hook("write %s %d+%d", f.name, off, len(p))
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.check("write"); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, pathError("write", f.name, syscall.EINVAL)
	}
	c, n := &f.ino.data, 0
	for n < len(p) {
		i := off / pageSize
		if f.m.limit > 0 && f.m.used+pageSize > f.m.limit && c.pageOrNil(i) == nil {
			return n, pathError("write", f.name, syscall.ENOSPC)
		}
		k, fresh := c.put(p[n:], i, off%pageSize)
		if fresh {
			f.m.used += pageSize
		}
		n, off = n+k, off+int64(k)
		c.size = max(c.size, off)
	}
	f.ino.mtime = time.Now().UnixNano()
	return n, nil
}

func (f *memFile) Truncate(size int64) error {
	f.m.hook("truncate %s %d", f.name, size)
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.check("truncate"); err != nil {
		return err
	}
	if size < 0 {
		return pathError("truncate", f.name, syscall.EINVAL)
	}
	before := f.ino.data.space()
	f.ino.data.truncate(size)
	f.m.used += f.ino.data.space() - before
	f.ino.mtime = time.Now().UnixNano()
	return nil
}

func (f *memFile) Sync() error {
	f.m.hook("sync %s", f.name)
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.check("sync"); err != nil {
		return err
	}
	f.ino.durable = f.ino.data.share()
	return nil
}

func (f *memFile) Size() (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	return f.ino.data.size, f.check("stat")
}

func (f *memFile) ModTime() (int64, error) {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	return f.ino.mtime, f.check("stat")
}

func (f *memFile) WillNeed(int64, int64) {}

func (f *memFile) Close() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err := f.check("close"); err != nil {
		return err
	}
	f.closed = true
	f.ino.opens--
	if f.ino.links == 0 && f.ino.opens == 0 {
		f.m.used -= f.ino.space()
	}
	return nil
}
