package blockstore_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
)

// TestATruncatedStreamKeepsItsNameWhereTheDiskForgetsWhomItReplaced opens a store in which a crash left a stream and the one that takes its place,
// while it can't be read that it does. Whoever writes to it writes to the new one: the other one is set aside once that can be read.
func TestATruncatedStreamKeepsItsNameWhereTheDiskForgetsWhomItReplaced(t *testing.T) {
	mem, opt := vfs.NewMem(), trialOptions(blockstore.SyncAlways)
	s, _ := truncatable(t, mem, opt)
	var image *vfs.Mem
	mem.Hook = func(string) {
		names, err := mem.List("streams")
		if image == nil && err == nil && slices.Equal(names, []string{"0000000000000001", "0000000000000002"}) {
			image = mem.Kill()
		}
	}
	_, err := s.Truncate(bg, "S", truncateTo)
	mem.Hook = nil
	must(t, errors.Join(err, s.Close()))
	if image == nil {
		t.Fatal("there is no crash that leaves both")
	}
	const replaces = "streams/0000000000000002/replaces"
	for name, how := range map[string]func(f *vfs.Fail){
		"an error of the disk": func(f *vfs.Fail) {
			f.Set(vfs.Fault{At: 1, ForGood: true, Match: func(call, name string) bool { return call == "open" && name == replaces }})
		},
		"damage": func(f *vfs.Fail) { put(t, f, replaces, string(make([]byte, 200))) },
	} {
		mem := image.Kill()
		disk := vfs.NewFail(mem)
		how(disk)
		s, err := blockstore.Open(disk, opt)
		must(t, err)
		st, err := s.Stream(bg, "S")
		must(t, err)
		if st.Incarnation() != 2 {
			t.Errorf("%s: stream S is incarnation %d, want the one that was truncated", name, st.Incarnation())
		}
		seq, err := st.Append(bg, store.Entry{Subject: "late", Data: []byte("acknowledged")})
		must(t, errors.Join(err, s.Close()))
		if disk.Set(vfs.Fault{}); strings.Contains(name, "disk") {
			s, err = blockstore.Open(disk, opt)
			must(t, err)
			names, err := s.Streams(bg)
			must(t, err)
			st, err = s.Stream(bg, "S")
			must(t, err)
			if m, err := st.Load(bg, seq, nil); err != nil || string(m.Data) != "acknowledged" || !slices.Equal(names, []string{"S"}) {
				t.Errorf("%s: later the streams are %q, and the message is %q, %v", name, names, m.Data, err)
			}
			must(t, s.Close())
		}
	}
}
