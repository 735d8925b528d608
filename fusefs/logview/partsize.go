package logview

import (
	"context"
	"sync"

	"jsfs/store"
)

// partSize is how large the log of a part of a stream is while nobody has it open. It is summed up anew
// only if something was removed since.
type partSize struct {
	// mu guards the rest, and is held while the part is scanned: who asks meanwhile waits for the sum.
	mu    sync.Mutex
	known bool
	st    store.State // at which size is right
	size  int64
}

func (s *partSize) get(ctx context.Context, l *Log) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := l.r.State(ctx)
	if err != nil {
		return 0, err
	}
	size, from := int64(0), store.Seq(0)
	if s.known && st.Rev-s.st.Rev == uint64(st.Appended.Messages-s.st.Appended.Messages) {
		size, from = s.size, s.st.Last+1
	}
	q := l.q
	q.From = max(q.From, from)
	if q.To == 0 || q.To > st.Last {
		q.To = st.Last
	}
	if q.From <= q.To && q.To > 0 {
		for m, err := range l.r.Scan(ctx, q) {
			if err != nil {
				return 0, err
			}
			size += l.framing.size(m)
		}
	}
	s.known, s.st, s.size = true, st, size
	return size, nil
}
