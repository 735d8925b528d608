package vfs

import (
	"maps"
	"math/rand/v2"
	"slices"
	"syscall"
)

// Crash returns the file system as it may be after a loss of power now. What was synced is
// there. Of what was not, each sector of 512 bytes, each file's size and each change of a
// directory is there with a chance of keep percent: 0 and 100 are certain. A
// rename inside one directory is there whole or not at all. Nothing is locked in
// the copy, no file is open, everything in it is durable, and it has another BootID.
//
// The copy has no Hook. It and the original go on independently.
func (m *Mem) Crash(rng *rand.Rand, keep int) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	chance := func() bool { return keep >= 100 || keep > 0 && rng.IntN(100) < keep }
	c := copier{
		made: map[*inode]*inode{},
		file: func(i *inode) (now, durable content) {
			i.data.own = nil // pages get into the copy
			now = i.data.mix(&i.durable, chance)
			return now, now.share()
		},
		dir: func(i *inode) (map[string]*inode, []dirOp) {
			entries := maps.Clone(i.synced)
			for _, op := range i.pending {
				if chance() {
					op.apply(entries)
				}
			}
			return entries, nil
		},
	}
	return m.copyLocked(&c, m.boot+1)
}

// Kill returns the file system as it is after the end of the process that used it,
// with SIGKILL say: everything that was written is there, and what was not
// durable still isn't. Nothing is locked, no file is open; BootID is the same.
func (m *Mem) Kill() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := copier{
		made: map[*inode]*inode{},
		file: func(i *inode) (now, durable content) {
			return i.data.share(), content{size: i.durable.size, pages: slices.Clone(i.durable.pages)}
		},
		dir: func(i *inode) (map[string]*inode, []dirOp) { return i.synced, i.pending },
	}
	return m.copyLocked(&c, m.boot)
}

func (m *Mem) copyLocked(c *copier, boot int) *Mem {
	out := &Mem{root: c.copy(m.root), locks: map[string]bool{}, boot: boot, limit: m.limit}
	counted := map[*inode]bool{}
	var count func(i *inode)
	count = func(i *inode) {
		if i.links++; counted[i] {
			return
		}
		counted[i] = true
		if i != out.root {
			out.used += i.space()
		}
		for _, e := range i.entries {
			count(e)
		}
	}
	count(out.root)
	return out
}

// copier makes one copy of each inode it meets. Which bytes and names of it are
// copied, dir and file say.
type copier struct {
	made map[*inode]*inode
	file func(*inode) (now, durable content)
	// dir returns the durable names and the changes since; the copies are
	// the names that result from both.
	dir func(*inode) (synced map[string]*inode, pending []dirOp)
}

func (c *copier) copy(i *inode) *inode {
	if i == nil {
		return nil
	}
	if n := c.made[i]; n != nil {
		return n
	}
	n := &inode{mtime: i.mtime}
	c.made[i] = n
	if i.entries == nil {
		n.data, n.durable = c.file(i)
		return n
	}
	synced, pending := c.dir(i)
	n.synced = make(map[string]*inode, len(synced))
	for _, name := range slices.Sorted(maps.Keys(synced)) { // sorted: the same rng gives the same copy
		n.synced[name] = c.copy(synced[name])
	}
	n.entries = maps.Clone(n.synced)
	for _, op := range pending {
		op.ino = c.copy(op.ino)
		n.pending = append(n.pending, op)
		op.apply(n.entries)
	}
	return n
}

// Damage puts b at off into a file, as a disk does that loses bits: nobody is told, and the file's time stays. It fails if the file does not
// reach so far.
func (m *Mem) Damage(name string, b []byte, off int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	ino, err := m.findLocked("damage", name)
	if err != nil {
		return err
	}
	if ino.entries != nil || off < 0 || off+int64(len(b)) > ino.data.size {
		return pathError("damage", name, syscall.EINVAL)
	}
	for i, x := range b {
		at := off + int64(i)
		ino.data.put([]byte{x}, at/pageSize, at%pageSize)
	}
	return nil
}
