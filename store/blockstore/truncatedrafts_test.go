package blockstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

func noErr(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// badChunks reads a draft in chunks, demands that each has what was written or is damaged, and returns those that are.
func badChunks(t *testing.T, s store.Stream, name string, want []byte) (bad []int) {
	t.Helper()
	d, err := s.OpenDraft(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if size, err := d.Size(); err != nil || size != int64(len(want)) {
		t.Fatalf("it has %d bytes, %v, want %d", size, err, len(want))
	}
	const chunk = 500
	for i := 0; i < len(want); i += chunk {
		got := make([]byte, min(chunk, len(want)-i))
		n, err := d.ReadAt(got, int64(i))
		if !bytes.Equal(got[:n], want[i:i+n]) {
			t.Fatalf("other bytes at %d", i)
		}
		if errors.As(err, new(*store.CorruptError)) {
			bad = append(bad, i)
		} else if n < len(got) || err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("at %d: got %d bytes, %v", i, n, err)
		}
	}
	return bad
}

// TestAStreamIsTruncatedWithDamagedDrafts damages a draft in one place: the stream is truncated, and the draft is damaged
// there and nowhere else, in the stream that takes the place, also after a restart. Another draft is as it was.
func TestAStreamIsTruncatedWithDamagedDrafts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // faults are no secrets
	want := make([]byte, 200_000)
	for i := range want {
		want[i] = byte(rng.Uint32())
	}
	for _, opt := range []Options{{}, {Secret: testSecret}} {
		for _, at := range []int{0, 9_000, 100_000, 199_000} {
			for _, open := range []bool{false, true} {
				what := fmt.Sprintf("sealed %v, at %d, open %v", opt.Secret != nil, at, open)
				mem := vfs.NewMem()
				st, s := draftStream(t, mem, opt)
				for i := range 4 {
					if _, err := s.Append(t.Context(), store.Entry{Subject: "a", Data: []byte{byte(i)}}); err != nil {
						t.Fatal(err)
					}
				}
				putDraft(t, s, ".bad", want)
				putDraft(t, s, ".good", want)
				if err := st.Close(); err != nil {
					t.Fatal(err)
				}
				damageDraft(t, mem, opt, at)
				st, s = draftStream(t, mem, opt)
				var held store.Draft
				var err error
				if open {
					if held, err = s.OpenDraft(t.Context(), ".bad"); err != nil {
						t.Fatal(err)
					}
				}
				bad := badChunks(t, s, ".bad", want)
				if len(bad) == 0 || len(bad) > 10 {
					t.Fatalf("%s: damaged is %v", what, bad)
				}
				next, err := st.Truncate(t.Context(), "S", 2)
				if err != nil {
					t.Errorf("%s: %v", what, err)
					continue
				}
				if open {
					noErr(t, held.Close())
				}
				crashed, lost := draftStream(t, mem.Crash(nil, 0), opt) // the power is lost
				if got := badChunks(t, lost, ".bad", want); !slices.Equal(got, bad) {
					t.Errorf("%s, after a loss of power: damaged was %v, and is %v", what, bad, got)
				}
				if got := badChunks(t, lost, ".good", want); len(got) > 0 {
					t.Errorf("%s, after a loss of power: the other one is damaged at %v", what, got)
				}
				noErr(t, crashed.Close())
				if !slices.ContainsFunc(s.damage.List(), func(d store.Damage) bool { return strings.Contains(d.Cause, "of a draft") }) {
					t.Errorf("%s: the damage is not told", what)
				}
				for _, how := range []string{"at once", "opened again"} {
					if got := badChunks(t, next, ".bad", want); !slices.Equal(got, bad) {
						t.Errorf("%s, %s: damaged was %v, and is %v", what, how, bad, got)
					}
					if got := badChunks(t, next, ".good", want); len(got) > 0 {
						t.Errorf("%s, %s: the other one is damaged at %v", what, how, got)
					}
					noErr(t, st.Close())
					st, s = draftStream(t, mem, opt)
					next = s
				}
				d, err := next.OpenDraft(t.Context(), ".bad")
				noErr(t, err)
				_, err = d.WriteAt(want, 0)
				noErr(t, errors.Join(err, d.Close()))
				if got := badChunks(t, next, ".bad", want); len(got) > 0 {
					t.Errorf("%s: written anew it is damaged at %v", what, got)
				}
				noErr(t, st.Close())
			}
		}
	}
}

// damageDraft flips a byte of the file of the draft .bad that has the draft's byte at.
func damageDraft(t *testing.T, mem *vfs.Mem, opt Options, at int) {
	t.Helper()
	const dir = "streams/0000000000000001/drafts/"
	names, err := mem.List(strings.TrimSuffix(dir, "/"))
	noErr(t, err)
	for _, name := range names {
		if opt.Secret == nil && name != "d.bad" || opt.Secret != nil && !nameIs(t, mem, name, ".bad") {
			continue
		}
		f, err := mem.Open(dir + name)
		noErr(t, err)
		place := at
		if opt.Secret != nil {
			place = at/5000*2*4096 + 1000 // somewhere in the frame's first slot
		}
		var b [1]byte
		_, err = f.ReadAt(b[:], int64(place))
		b[0] ^= 4
		noErr(t, errors.Join(err, mem.Damage(dir+name, b[:], int64(place)), f.Close()))
		return
	}
	t.Fatalf("the draft is not among %q", names)
}
