package consume

import "jsfs/store"

// Truncated returns what the consumers remember of the messages up to last, for a stream that ends there. Those that can't be
// read are left out.
func (s *Set) Truncated(last store.Seq) ([]Stored, error) {
	var out []Stored
	for _, c := range s.cur.Load().consumers {
		r := c.record()
		r.Truncate(last)
		content, err := Encode(&r)
		if err != nil {
			return nil, err
		}
		out = append(out, Stored{ID: c.id, Content: content})
	}
	return out, nil
}

// record returns what the consumer remembers now.
func (c *Consumer) record() store.ConsumerState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return store.ConsumerState{Config: c.Config(), Created: c.created, Resume: c.resume, Deliveries: c.state.Snapshot()}
}
