package integration

import (
	"path/filepath"
	"strings"
	"testing"
)

// Who reads a log meets a damaged message as an error, never as the end; what stands behind it can be read.
func TestADamagedMessageStandsInALogAsAnError(t *testing.T) {
	t.Parallel()
	m := mount(t)
	m.sh("mkdir S; seq 5000 >> S/.log")
	m.stop()
	blocks, err := filepath.Glob(filepath.Join(m.store, "streams", "*", "*.blk"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("no blocks: %v", err)
	}
	spoil(t, blocks[0], []byte("2321"))
	want := m.sh("seq 2320")
	for _, c := range []struct {
		name  string
		flags []string
		off   int // by how many bytes the error may come earlier: pages are read whole
	}{{"writable", nil, 0}, {"read-only", []string{"-o", "ro"}, 4096}} {
		t.Run(c.name, func(t *testing.T) {
			m.t = t
			m.args = append(m.args, c.flags...)
			m.start()
			defer m.stop()
			for _, file := range []string{"S/.log", "S/.jsfs/range/1-5000/.log"} {
				r := m.try("cat " + file)
				if r.code == 0 || !strings.Contains(r.err, "Input/output error") || !strings.HasPrefix(want, r.out) || len(r.out) < len(want)-c.off {
					t.Errorf("cat %s: got %d bytes, exit code %d, %q; want up to the damage, %d bytes, and EIO", file, len(r.out), r.code, r.err, len(want))
				}
				if got := m.sh("tail -n 2 " + file); got != "4999\n5000\n" {
					t.Errorf("tail %s: got %q", file, got)
				}
			}
			if got, want := m.sh("cat S/.jsfs/range/2322-/.log"), m.sh("seq 2322 5000"); got != want {
				t.Errorf("what is behind it: got %d bytes, want %d", len(got), len(want))
			}
			if r := m.try("cat S/0* > ../all; echo $?"); r.out != "1\n" || strings.Count(r.err, "Input/output error") != 1 {
				t.Errorf("cat of the messages: got %+v, want one error", r)
			}
			if got := m.sh("wc -l < ../all"); got != "4999\n" {
				t.Errorf("cat of the messages gave %s lines, want 4999", got)
			}
		})
	}
}
