package consume

import (
	"slices"

	"jsfs/store"
)

// Truncated returns what the consumers remember of the messages up to last, for a stream that ends there. Those that can't be
// read are left out.
func (s *Set) Truncated(last store.Seq) ([]Stored, error) {
	var out []Stored
	for _, c := range s.cur.Load().consumers {
		r := c.record()
		r.truncate(last)
		content, err := Encode(&r)
		if err != nil {
			return nil, err
		}
		out = append(out, Stored{ID: c.id, Content: content})
	}
	return out, nil
}

// record returns what the consumer remembers now.
func (c *Consumer) record() Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Record{Config: c.Config(), Created: c.created, Resume: c.resume, Snapshot: c.state.Snapshot()}
}

// truncate makes r what the consumer would remember if the messages above last had never been.
func (r *Record) truncate(last store.Seq) {
	r.Resume = min(r.Resume, last)
	r.Delivered.Stream, r.AckFloor.Stream = min(r.Delivered.Stream, last), min(r.AckFloor.Stream, last)
	r.Pending = slices.DeleteFunc(r.Pending, func(p store.PendingDelivery) bool { return p.Seq > last })
	r.Spent = slices.DeleteFunc(r.Spent, func(g Spent) bool { return g.Seq > last })
	if len(r.Pending) == 0 {
		r.AckFloor = r.Delivered
	}
}
