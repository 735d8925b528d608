package transfer_test

import (
	"fmt"
	"testing"

	"jsfs/store"
	"jsfs/store/transfer"
)

// TestLimitsAreSetWhenAllIsThere copies streams that could not take their own messages any more.
func TestLimitsAreSetWhenAllIsThere(t *testing.T) {
	rows := []struct {
		name string
		to   store.Config // what the stream becomes when it has its messages
	}{
		{"sealed", store.Config{Sealed: true}},
		{"other subjects", store.Config{Subjects: []string{"other"}}},
		{"smaller messages", store.Config{MaxMsgSize: 3}},
		{"denied removals", store.Config{DenyDelete: true, DenyPurge: true}},
		{"a mirror", store.Config{Mirror: &store.Source{Name: "O"}}},
		{"a stream with sources", store.Config{Sources: []store.Source{{Name: "O"}}}},
		{"a mirror", store.Config{Mirror: &store.Source{Name: "ORIGIN"}}},
		{"sources", store.Config{Subjects: []string{"x.*"}, Sources: []store.Source{{Name: "ORIGIN"}}}},
		{"limits", store.Config{MaxMsgs: 5, MaxBytes: 10_000, MaxMsgsPerSubject: 5, Discard: store.DiscardNew, DiscardNewPerSubject: true, MaxAge: 1 << 60}},
	}
	for _, r := range rows {
		mem, block := newMem(), newBlock(t, t.TempDir())
		t.Cleanup(func() { must(t, mem.Close()) }) // it may follow others
		r.to.Name = "S"
		st, err := mem.Create(t.Context(), store.Config{Name: "S", Subjects: []string{"x.*"}})
		must(t, err)
		for i := range 5 {
			_, err := st.Append(t.Context(), store.Entry{Subject: fmt.Sprintf("x.%d", i%3), Data: []byte("hello\n")})
			must(t, err)
		}
		must(t, mem.Update(t.Context(), r.to))
		for range 2 {
			_, err = transfer.Copy(t.Context(), st, block, "S", transfer.Options{Verify: true})
			if err != nil {
				t.Errorf("%s: %v", r.name, err)
				break
			}
			sameStream(t, imageOf(t, block, "S"), imageOf(t, mem, "S"))
		}
	}
}
