package publish

import "sync"

// Closes is an open of a file of which something else than messages is made, as a control file is. It says by the package's rule whether what
// was written is whole when a descriptor is closed. All methods may be called concurrently.
type Closes struct {
	mu   sync.Mutex
	rule rule
}

// NewCloses returns the Closes of a file that was opened for writing. Release must be called.
func (d *Desk) NewCloses(o Open) *Closes { return &Closes{rule: newRule(d, o.Inode, o.Thread)} }

// Wrote is told that a thread wrote something that waits for its end.
func (c *Closes) Wrote(tid uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rule.wrote.add(tid)
}

// Done is told that nothing waits for its end any more. Who wrote it, and was killed in it, makes no difference to what comes next.
func (c *Closes) Done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rule.wrote.reset()
	c.rule.killed = false
}

// Flush is told that a thread closed a descriptor, and says whether what was written is whole by that. due says that there is something.
func (c *Closes) Flush(tid uint32, due bool) (whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rule.flush(tid, due, false) == closed && due
}

// Release is told that the last descriptor is closed, and says whether what is left is whole: it is unless its writer was killed.
func (c *Closes) Release() (whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rule.tables.opened(c.rule.inode, -1)
	c.rule.leave()
	return !c.rule.killed
}
