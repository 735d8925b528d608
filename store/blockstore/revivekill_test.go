package blockstore

import (
	"errors"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// A stream that is brought back after a kill in the middle of that is on disk with its messages, whoever wrote that they are back.
func TestAStreamThatIsBroughtBackAgainIsOnDisk(t *testing.T) {
	mem := vfs.NewMem()
	st, err := Open(mem, Options{asked: true})
	fatal(t, err)
	s, err := st.Create(t.Context(), store.Config{Name: "S"})
	fatal(t, err)
	_, err = s.Append(t.Context(), store.Entry{Subject: "x"})
	fatal(t, err)
	_, err = s.Remove(t.Context(), 1)
	fatal(t, err)
	fatal(t, st.Remove(t.Context(), "S"))
	var images []*vfs.Mem
	mem.Hook = func(string) { images = append(images, mem.Kill()) }
	_, err = st.Revive(t.Context(), s.Incarnation())
	mem.Hook = nil
	fatal(t, errors.Join(err, st.Close()))
	revived := 0
	for i, image := range images {
		st, err := Open(image, Options{asked: true})
		fatal(t, err)
		switch _, err = st.Revive(t.Context(), s.Incarnation()); {
		case errors.Is(err, store.ErrNotFound): // it was in its place
		case err != nil:
			t.Errorf("killed before change %d: %v", i, err)
		default:
			revived++
			if n := afterPowerLoss(t, image); n != 1 {
				t.Errorf("killed before change %d, and brought back again: got %d messages after a loss of power, want 1", i, n)
			}
		}
		fatal(t, st.Close())
	}
	if revived == 0 {
		t.Error("nothing was brought back again")
	}
}
