package blockstore

import (
	"fmt"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// TestDeadlinesOfRemovedMessagesAreForgotten stores messages with a TTL that are removed long before it ends, while an older one
// stays: what is remembered does not grow with them, and goes on for one that comes back.
func TestDeadlinesOfRemovedMessagesAreForgotten(t *testing.T) {
	st, err := Open(vfs.NewMem(), Options{Sync: SyncNever, Now: func() int64 { return 1_700_000_000_000_000_000 }})
	fatal(t, err)
	made, err := st.Create(t.Context(), store.Config{Name: "S", AllowMsgTTL: true})
	fatal(t, err)
	s := made.(*Stream)
	const n = 20_000
	for i := range n {
		ttl := "1h"
		if i == 0 {
			ttl = "never"
		}
		seq, err := s.Append(t.Context(), store.Entry{Subject: "x", Header: fmt.Appendf(nil, "NATS/1.0\r\nNats-TTL: %s\r\n\r\n", ttl)})
		fatal(t, err)
		if i > 0 {
			_, err := s.Remove(t.Context(), seq)
			fatal(t, err)
		}
	}
	if k := s.lim.ttls.Len(); k > 2000 {
		t.Errorf("%d deadlines are remembered for one live message", k)
	}
	before := s.lim.ttls.Len()
	fatal(t, s.Undelete(t.Context(), 2))
	if k := s.lim.ttls.Len(); k != before+1 {
		t.Errorf("a message that came back has no deadline: %d, before %d", k, before)
	}
	fatal(t, st.Close())
}
