package fusefs

import (
	"sync"
	"syscall"

	"jsfs/store"
)

// namesHandle is an open directory that is sorted by names. The cookie of a name is how many were given before it since
// the directory's beginning; of the last answer the names are kept, as the kernel comes back in the middle
// of it.
type namesHandle struct {
	readHandle
	begun

	// mu guards given. It is a leaf.
	mu    sync.Mutex
	given []givenName // ascending
}

type givenName struct {
	cookie uint64
	name   string
}

func (*namesHandle) read(*call, []byte, int64) (int, error) {
	return 0, refuse(syscall.EISDIR, "it is a directory")
}

// begin forgets what was given before.
func (h *namesHandle) begin(c *call, s *stream) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.given = nil
	return h.begun.begin(c, s)
}

// nameAt returns the name that has a cookie, if it is remembered; "" for the beginning.
func (h *namesHandle) nameAt(cookie uint64) (string, bool) {
	if cookie <= cookieParent {
		return "", true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, g := range h.given {
		if g.cookie == cookie {
			return g.name, true
		}
	}
	return "", false
}

func (h *namesHandle) remember(given []givenName) {
	if len(given) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.given = given
}

// listSubjects calls add for the subjects of a filter behind an offset, each with its cookie, until that says that no
// more fit. A seekdir(3) to what is not in the last answer counts from the beginning.
func (fs *FS) listSubjects(c *call, s *stream, at place, h *namesHandle, off uint64, add func(subject string, cookie uint64) bool) error {
	q, err := fs.query(c, s, at.filter())
	if err != nil {
		return err
	}
	after, ok := h.nameAt(off)
	cookie := max(off, cookieParent)
	if !ok {
		cookie = cookieParent
	}
	var given []givenName
	for sc, err := range s.Subjects(c, q.Subject, after) {
		if err != nil {
			return err
		}
		in, err := subjectIn(c, s, q, sc)
		if err != nil {
			return err
		}
		if !in {
			continue
		}
		if cookie++; cookie <= off {
			continue
		}
		if !add(sc.Subject, cookie) {
			break
		}
		given = append(given, givenName{cookie, sc.Subject})
	}
	h.remember(given)
	return nil
}

// subjectIn says whether a subject has a live message in the range of q.
func subjectIn(c *call, s *stream, q store.Query, sc store.SubjectCount) (bool, error) {
	within := func(seq store.Seq) bool { return seq >= q.From && (q.To == 0 || seq <= q.To) }
	switch {
	case within(sc.First) || within(sc.Last):
		return true, nil
	case sc.Last < q.From || q.To != 0 && sc.First > q.To:
		return false, nil
	}
	q.Subject = sc.Subject
	n, err := s.Count(c, q)
	return n.Messages > 0, err
}
