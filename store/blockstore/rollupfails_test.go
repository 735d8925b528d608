package blockstore

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/vfs"
)

// A message whose rollup finds no room at first is stored once, whatever it expects, and one that replaces nothing is not told of it.
func TestARollupThatFailsIsStoredOnce(t *testing.T) {
	const header = "NATS/1.0\r\nNats-Rollup: sub\r\nNats-Expected-Last-Sequence: 2\r\n\r\n"
	rollup := store.Entry{Subject: "x", Header: []byte(header)}
	for how, publish := range map[string]func(s store.Stream) error{
		"append":     func(s store.Stream) error { _, err := s.Append(t.Context(), rollup); return err },
		"append all": func(s store.Stream) error { _, err := s.AppendAll(t.Context(), []store.Entry{rollup}); return err },
		"publish":    func(s store.Stream) error { _, err := s.PublishDraft(t.Context(), ".d", rollup); return err },
	} {
		for _, sync := range []Sync{SyncNever, SyncAlways} {
			for _, room := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %v, room %v", how, sync, room), func(t *testing.T) {
					fail, st, s := failing(t, Options{Sync: sync}, store.Config{AllowRollup: true})
					_, err := s.AppendAll(t.Context(), []store.Entry{{Subject: "x"}, {Subject: "x", Data: make([]byte, 900)}})
					fatal(t, err)
					d, err := s.CreateDraft(t.Context(), ".d")
					fatal(t, err)
					fatal(t, d.Close())
					if room { // there is something to give back
						other, err := st.Create(t.Context(), store.Config{Name: "T"})
						fatal(t, err)
						_, err = other.Append(t.Context(), store.Entry{Subject: "x", Data: make([]byte, 900)})
						fatal(t, err)
						_, err = other.Remove(t.Context(), 1)
						fatal(t, err)
						fatal(t, st.Remove(t.Context(), "T"))
					}
					written := 0 // to blocks, since the disk is full; the first write finds room, and all once something was given back
					fail.Set(vfs.Fault{At: 1, ForGood: true, Err: syscall.ENOSPC, Match: func(call, name string) bool {
						if call == "remove" && strings.HasPrefix(name, "removed/") {
							written = math.MinInt
						}
						if call == "write" && strings.HasSuffix(name, ".blk") {
							written++
							return written > 1
						}
						return false
					}})
					err = publish(s)
					if room && err != nil || !room && (!errors.Is(err, store.ErrNoSpace) || !strings.Contains(err.Error(), "is stored")) {
						t.Errorf("the rollup: %v", err)
					}
					written = 0
					if seq, err := s.Append(t.Context(), store.Entry{Subject: "y"}); err != nil || seq != 4 {
						t.Errorf("one that replaces nothing: got %d, %v, want 4", seq, err)
					}
					fail.Set(vfs.Fault{})
					_, err = s.Append(t.Context(), store.Entry{Subject: "y"})
					fatal(t, err)
					if state, err := s.State(t.Context()); err != nil || state.Last != 5 || state.Live.Messages != 3 {
						t.Errorf("got %+v, %v, want 3 messages of 5", state, err)
					}
				})
			}
		}
	}
}
