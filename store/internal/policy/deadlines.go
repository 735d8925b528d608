package policy

import (
	"container/heap"
	"fmt"
	"math"
	"slices"
	"time"

	"jsfs/store"
)

// Deadlines are the times at which messages with a TTL go, 16 bytes each. It is a heap: unlike in a wheel of
// buckets the next one is known exactly, and time may jump without buckets to be stepped through.
// A message that was removed meanwhile stays in until its time has come, or until Prune.
type Deadlines struct{ h deadlines }

type deadline struct {
	at  int64 // nanoseconds since the Unix epoch
	seq store.Seq
}

type deadlines []deadline

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].at < d[j].at }
func (d deadlines) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }
func (d *deadlines) Push(x any)        { *d = append(*d, x.(deadline)) }
func (d *deadlines) Pop() any {
	last := (*d)[len(*d)-1]
	*d = (*d)[:len(*d)-1]
	return last
}

// Add notes that message seq of the time ns goes after ttl, if that is above 0.
func (d *Deadlines) Add(seq store.Seq, ns int64, ttl time.Duration) {
	if ttl > 0 {
		heap.Push(&d.h, deadline{After(ns, ttl), seq})
	}
}

// After is ns and d later, or the last time that there is.
func After(ns int64, d time.Duration) int64 {
	if ns > math.MaxInt64-int64(d) {
		return math.MaxInt64
	}
	return ns + int64(d)
}

// CheckAge returns nil if neither its Nats-TTL nor max_age would take m away as soon as it is in a stream with cfg.
func CheckAge(cfg *store.Config, m *store.Msg, now int64) error {
	var ttl time.Duration
	if cfg.AllowMsgTTL {
		ttl = TTLOf(m.Header)
	}
	switch {
	case ttl == Never:
	case ttl > 0 && After(m.Time, ttl) <= now:
		return fmt.Errorf("stream %s: %w: the message's Nats-TTL was %v", cfg.Name, store.ErrLimit, ttl)
	case cfg.MaxAge > 0 && After(m.Time, cfg.MaxAge) <= now:
		return fmt.Errorf("stream %s: %w: max_age is %v", cfg.Name, store.ErrLimit, cfg.MaxAge)
	}
	return nil
}

// Len is how many there are.
func (d *Deadlines) Len() int { return len(d.h) }

// Next returns the earliest one, and whether there is any.
func (d *Deadlines) Next() (ns int64, ok bool) {
	if len(d.h) == 0 {
		return 0, false
	}
	return d.h[0].at, true
}

// Due takes out the messages whose time has come at now, in the order of their sequences.
func (d *Deadlines) Due(now int64) []store.Seq {
	var due []store.Seq
	for len(d.h) > 0 && d.h[0].at <= now {
		due = append(due, heap.Pop(&d.h).(deadline).seq)
	}
	slices.Sort(due)
	return slices.Compact(due)
}

// Cut forgets the messages from seq on, which were not stored after all.
func (d *Deadlines) Cut(seq store.Seq) {
	d.keep(func(e deadline) bool { return e.seq < seq })
}

// Prune forgets the messages that isLive does not say are live, when they may be the most, of which there are live so many: so there
// are never many more deadlines than live messages. A message that comes back is to be added again.
func (d *Deadlines) Prune(live int64, isLive func(store.Seq) bool) {
	if int64(len(d.h)) > 2*live+1024 {
		d.keep(func(e deadline) bool { return isLive(e.seq) })
	}
}

func (d *Deadlines) keep(f func(deadline) bool) {
	n := len(d.h)
	d.h = slices.DeleteFunc(d.h, func(e deadline) bool { return !f(e) })
	if len(d.h) < n {
		heap.Init(&d.h)
	}
}
