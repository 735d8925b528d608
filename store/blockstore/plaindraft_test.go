package blockstore

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"jsfs/store/internal/vfs"
)

// TestSumsArePutWhileDraftsAreWritten: who writes and who puts sums on disk get on beside each other, and nothing is taken for damaged.
func TestSumsArePutWhileDraftsAreWritten(t *testing.T) {
	mem := vfs.NewMem()
	st, s := draftStream(t, mem, Options{Sync: SyncNever})
	var writers, keeper sync.WaitGroup
	done := make(chan struct{})
	keeper.Go(func() {
		for {
			if err := s.keepSums(0, time.Time{}); err != nil {
				t.Error(err)
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for i := range 3 {
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 9)) //nolint:gosec // faults are no secrets
			name, other := fmt.Sprintf(".d%d", i), fmt.Sprintf(".e%d", i)
			var model []byte
			d, err := s.CreateDraft(t.Context(), name)
			for range 200 {
				off, b := rng.IntN(len(model)+1), bytes.Repeat([]byte{byte(rng.Uint32())}, 1+rng.IntN(6000))
				if err == nil {
					_, err = d.WriteAt(b, int64(off))
				}
				model = append(model, make([]byte, max(0, off+len(b)-len(model)))...)
				copy(model[off:], b)
				if rng.IntN(4) == 0 && err == nil {
					err = s.RenameDraft(t.Context(), name, other)
					name, other = other, name
				}
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := whole(d); err != nil || !bytes.Equal(got, model) {
					t.Errorf("draft %d: read %d bytes of %d, %v", i, len(got), len(model), err)
					return
				}
				if rng.IntN(4) == 0 {
					err = d.Close()
					if err == nil {
						d, err = s.OpenDraft(t.Context(), name)
					}
				}
			}
			if err = errors.Join(err, d.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	close(done)
	keeper.Wait()
	noDamage(t, mem.Kill(), "killed")
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	noDamage(t, mem, "closed")
}
