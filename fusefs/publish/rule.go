package publish

// verdict is what a FLUSH means for an open.
type verdict uint8

const (
	goesOn verdict = iota // somebody may still write: nothing is due
	closed                // the opener closed its last descriptor
	killed                // the opener, or who wrote after it, was killed
)

// rule decides what a FLUSH means; see the package comment. It is guarded by the
// mutex of the open that it belongs to.
type rule struct {
	proc   Proc
	peers  *peers
	tables *tables // nil if nothing is remembered
	inode  uint64

	thread uint32 // that called open(2); 0 if it is not known. Never changed
	opener int    // its process; 0 if it is not known. Never changed
	gone   bool   // the opener has closed its last descriptor
	place  *place // among its peers; nil if the opener is not known
	killed bool
	wrote  writers // since the last commit
	// leaving says that the caller of the last FLUSH had no descriptors at all any more: it
	// exits, and an error of close(2) reaches nobody.
	leaving bool
}

func newRule(d *Desk, inode uint64, tid uint32) rule {
	proc, ps := d.proc, &d.peers
	r := rule{proc: proc, peers: ps, tables: d.tables, inode: inode, thread: tid}
	r.tables.opened(inode, 1)
	if tid != 0 {
		if pid, err := proc.Process(tid); err == nil {
			r.opener = pid
			p := peer{inode, pid}
			if known, unsure := ps.known(p); unsure {
				if n, _, err := proc.Writable(tid, inode, known); err == nil && n < known {
					ps.dropUnsure(p)
				}
			}
			r.place = ps.enter(p)
		}
	}
	return r
}

// flush decides on a FLUSH by a thread. due says that something was written since the
// last commit; emptyDue that an empty message is due at release.
func (r *rule) flush(tid uint32, due, emptyDue bool) verdict {
	r.leaving = false
	if tid == 0 || r.opener == 0 {
		return r.unknown(due)
	}
	pid := r.opener
	if tid != r.thread || r.gone {
		var err error
		if pid, err = r.proc.Process(tid); err != nil {
			return r.unknown(due)
		}
	}
	if pid != r.opener || r.gone {
		return r.foreign(pid, due)
	}
	others := r.peers.others(peer{r.inode, r.opener}, r.place)
	if !due && !emptyDue && others == 0 {
		r.peers.unsure(r.place) // whether it is the last close makes no difference, but to the next open
		return goesOn
	}
	if k, err := r.proc.Killed(pid); err == nil && k {
		r.killed, r.leaving = true, true
		r.leave()
		return killed
	}
	// Other opens of the same file by the same process look the same in /proc; each of
	// them that is not gone has a descriptor at least.
	n, all, err := r.left(tid, others)
	switch {
	case err != nil:
		return r.unknown(due)
	case n > others:
		return goesOn
	}
	r.leaving = all == 0
	r.leave()
	if r.handedOver() {
		return goesOn
	}
	return closed
}

// left counts the descriptors on the file, as Proc.Writable does, in the table of the thread whose FLUSH this is.
func (r *rule) left(tid uint32, enough int) (n, all int, err error) {
	if n, all, ok := r.tables.writable(tid, r.inode); ok {
		return n, all, nil
	}
	n, all, err = r.proc.Writable(tid, r.inode, enough)
	r.tables.remember(tid, all)
	return n, all, err
}

// handedOver says whether the opener wrote nothing itself, and another process that did still
// has the file open: what it has written so far is no message yet.
func (r *rule) handedOver() bool {
	held := false
	for _, tid := range r.wrote.tids[:r.wrote.n] {
		pid, err := r.proc.Process(tid)
		if err != nil || pid == r.opener {
			return false
		}
		n, _, err := r.proc.Writable(tid, r.inode, 0)
		held = held || err == nil && n > 0
	}
	return held && !r.wrote.more
}

// writers are the threads that wrote, if they are few.
type writers struct {
	tids [4]uint32
	n    int
	more bool // there were others
}

func (w *writers) add(tid uint32) {
	for _, t := range w.tids[:w.n] {
		if t == tid {
			return
		}
	}
	if w.n == len(w.tids) {
		w.more = true
		return
	}
	w.tids[w.n] = tid
	w.n++
}

func (w *writers) reset() { *w = writers{} }

// unknown is the verdict where the processes can't be told apart.
func (r *rule) unknown(due bool) verdict {
	if due {
		return closed
	}
	return goesOn
}

// foreign is the verdict on a FLUSH by a process that inherited a descriptor. Its
// data waits for the opener or for the release; a kill counts if nobody else can have meant
// the rest to be a message.
func (r *rule) foreign(pid int, due bool) verdict {
	if !due {
		return goesOn
	}
	if k, err := r.proc.Killed(pid); err != nil || !k {
		return goesOn
	}
	if !r.gone {
		if n, _, err := r.proc.Writable(uint32(r.opener), r.inode, 0); err == nil && n > 0 {
			return goesOn
		}
		r.leave()
	}
	r.killed = true
	return killed
}

// leave notes that the opener has no descriptor left.
func (r *rule) leave() {
	if !r.gone && r.opener != 0 {
		r.peers.leave(peer{r.inode, r.opener}, r.place)
	}
	r.gone = true
}
