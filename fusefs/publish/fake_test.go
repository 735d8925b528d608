package publish

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"jsfs/mapping"
	"jsfs/store"
)

// fakeProc is a table of processes.
type fakeProc struct {
	blind   bool            // nothing can be read
	process map[uint32]int  // thread to process, where they differ
	killed  map[int]bool    // processes
	fds     map[uint32]int  // writable descriptors left, by process
	exiting map[uint32]bool // processes without any descriptor
}

var errBlind = errors.New("no /proc here")

func (f *fakeProc) Process(tid uint32) (int, error) {
	if f.blind {
		return 0, errBlind
	}
	if pid, ok := f.process[tid]; ok {
		return pid, nil
	}
	return int(tid), nil
}

func (f *fakeProc) Writable(tid uint32, _ uint64, _ int) (n, all int, err error) {
	if f.blind {
		return 0, 0, errBlind
	}
	pid, _ := f.Process(tid)
	if f.exiting[uint32(pid)] {
		return 0, 0, nil
	}
	return f.fds[uint32(pid)], f.fds[uint32(pid)] + 3, nil
}

func (f *fakeProc) Killed(pid int) (bool, error) {
	if f.blind {
		return false, errBlind
	}
	return f.killed[pid], nil
}

// fakeStream keeps messages and drafts in memory, and refuses when told.
type fakeStream struct {
	store.Stream // nil: what the package does not use

	cfg store.Config

	mu      sync.Mutex
	msgs    []store.Msg           // guarded by mu, as are all below
	drafts  map[string]*fakeDraft // by name
	scratch int                   // open scratch drafts
	syncs   int
	calls   int         // of AppendAll
	refuse  error       // what Append gives
	from    int         // the message, counted from 1, from which refuse holds
	stored  func(n int) // called with how many messages there are, for each, unless nil
	onWrite func(n int) // called for each write to a draft, unless nil
	noDraft error       // what CreateDraft gives
}

func newFakeStream() *fakeStream {
	return &fakeStream{cfg: store.Config{Name: "S"}.WithDefaults(), drafts: map[string]*fakeDraft{}}
}

func (s *fakeStream) Config() store.Config { return s.cfg }

func (s *fakeStream) Append(ctx context.Context, e store.Entry) (store.Seq, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := s.cfg.CheckEntry(&e); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil && len(s.msgs)+1 >= s.from {
		return 0, s.refuse
	}
	seq := store.Seq(len(s.msgs) + 1)
	m := store.Msg{Subject: e.Subject, Header: slices.Clone(e.Header), Data: slices.Clone(e.Data)}
	m.Seq = seq
	s.msgs = append(s.msgs, m)
	if s.stored != nil {
		s.stored(len(s.msgs))
	}
	return seq, nil
}

func (s *fakeStream) AppendAll(ctx context.Context, es []store.Entry) (int, error) {
	s.calls++
	for i, e := range es {
		if _, err := s.Append(ctx, e); err != nil {
			return i, err
		}
	}
	return len(es), nil
}

func (s *fakeStream) State(context.Context) (store.State, error) {
	var st store.State
	for _, m := range s.msgs {
		st.Live.Messages, st.Live.JSON = st.Live.Messages+1, st.Live.JSON+int64(len(m.Data))
	}
	return st, nil
}

func (s *fakeStream) Count(_ context.Context, q store.Query) (store.Count, error) {
	var n store.Count
	for _, m := range s.msgs {
		if m.Subject == q.Subject {
			n.Messages++
		}
	}
	return n, nil
}

func (s *fakeStream) Sync(context.Context) error { s.syncs++; return nil }

func (s *fakeStream) ListDrafts(context.Context) ([]store.DraftInfo, error) {
	var list []store.DraftInfo
	for name, d := range s.drafts {
		list = append(list, store.DraftInfo{Name: name, Size: int64(len(d.b))})
	}
	return list, nil
}

func (s *fakeStream) CreateDraft(_ context.Context, name string) (store.Draft, error) {
	if s.noDraft != nil {
		return nil, s.noDraft
	}
	if s.drafts[name] != nil {
		return nil, store.ErrExists
	}
	d := &fakeDraft{s: s}
	s.drafts[name] = d
	return d, nil
}

func (s *fakeStream) RemoveDraft(_ context.Context, name string) error {
	delete(s.drafts, name)
	return nil
}

func (s *fakeStream) ScratchDraft(context.Context) (store.Draft, error) {
	s.scratch++
	return &fakeDraft{s: s, scratch: true}, nil
}

// messages returns the payloads, quoted.
func (s *fakeStream) messages() []string {
	var out []string
	for _, m := range s.msgs {
		text := fmt.Sprintf("%q", m.Data)
		if v, ok := mapping.HeaderValue(m.Header, mapping.HeaderMtime); ok {
			text += " at " + v
		}
		out = append(out, text)
	}
	for _, name := range []string{".killed.1", ".killed.2", ".refused.1", ".refused.2"} {
		if d := s.drafts[name]; d != nil {
			out = append(out, fmt.Sprintf("%s %q", name, d.b))
		}
	}
	return out
}

// fakeDraft is a byte slice.
type fakeDraft struct {
	s       *fakeStream
	scratch bool
	b       []byte
}

func (d *fakeDraft) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(d.b)) {
		return 0, io.EOF
	}
	n := copy(p, d.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (d *fakeDraft) WriteAt(p []byte, off int64) (int, error) {
	if d.s.onWrite != nil {
		d.s.onWrite(len(p))
	}
	if end := int(off) + len(p); end > len(d.b) {
		d.b = append(d.b, make([]byte, end-len(d.b))...)
	}
	return copy(d.b[off:], p), nil
}

func (d *fakeDraft) Truncate(size int64) error {
	if n := int(size); n > len(d.b) {
		d.b = append(d.b, make([]byte, n-len(d.b))...)
	} else {
		d.b = d.b[:n]
	}
	return nil
}

func (d *fakeDraft) Size() (int64, error)    { return int64(len(d.b)), nil }
func (d *fakeDraft) ModTime() (int64, error) { return 0, nil }
func (d *fakeDraft) Sync() error             { return nil }

func (d *fakeDraft) Close() error {
	if d.scratch {
		d.s.scratch--
	}
	return nil
}
