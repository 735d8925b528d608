package fusefs

import (
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// utimens sets the time of a file by its node.
func (m *writingMount) utimens(node uint64, sec int64, nsec, more uint32) fuse.AttrOut {
	m.t.Helper()
	var out fuse.AttrOut
	in := fuse.SetAttrInCommon{InHeader: m.header(node), Valid: fuse.FATTR_MTIME | more, Mtime: uint64(sec), Mtimensec: nsec}
	wantStatus(m.t, "utimens", m.SetAttr(nil, &fuse.SetAttrIn{SetAttrInCommon: in}, &out), 0)
	return out
}

// Who empties a draft in open(2) changes it, as by truncate(2): a time that was set before is that of what it was.
func TestADraftThatIsEmptiedHasTheTimeOfThat(t *testing.T) {
	for name, flags := range map[string]uint32{"of its own": syscall.O_WRONLY | syscall.O_TRUNC, "that may make it": shellCreate} {
		t.Run("by an open "+name, func(t *testing.T) {
			m := newWritingMount(t)
			wantStatus(t, "write", m.put(".draft", "text", shellCreate), 0)
			node := m.walk("S/.draft").NodeId
			if got := m.utimens(node, 12345, 678, 0); got.Mtime != 12345 {
				t.Fatalf("its time is %d, want what was set", got.Mtime)
			}
			if flags&syscall.O_CREAT == 0 {
				_, fh, st := m.open(".draft", flags, 0o644)
				wantStatus(t, "open", st, 0)
				wantStatus(t, "close", m.close(node, fh), 0)
			} else { // the kernel knew nothing of it
				var out fuse.CreateOut
				wantStatus(t, "create", m.Create(nil, &fuse.CreateIn{InHeader: m.header(m.dir), Flags: flags, Mode: 0o644}, ".draft", &out), 0)
				wantStatus(t, "close", m.close(node, out.Fh), 0)
			}
			if got := m.walk("S/.draft"); got.Mtime == 12345 || got.Size != 0 {
				t.Errorf("it has %d bytes of the time %d, want none of a new one", got.Size, got.Mtime)
			}
		})
	}
}

// A time that nanoseconds can't count is the nearest one that they can, and no other.
func TestTimesThatCanNotBeCounted(t *testing.T) {
	const second = int64(time.Second)
	for name, tt := range map[string]struct {
		sec  int64
		nsec int64
		want int64
	}{
		"in 2300":               {time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), 5, math.MaxInt64},
		"in 1600":               {time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), 5, math.MinInt64},
		"the last one":          {math.MaxInt64 / second, math.MaxInt64 % second, math.MaxInt64},
		"behind the last one":   {math.MaxInt64 / second, math.MaxInt64%second + 1, math.MaxInt64},
		"in the first second":   {math.MinInt64/second - 1, second - 1, math.MinInt64/second*second - 1},
		"before the first one":  {math.MinInt64/second - 1, 0, math.MinInt64},
		"just before the epoch": {-1, 999_999_999, -1},
		"the largest":           {math.MaxInt64, 999_999_999, math.MaxInt64},
		"the smallest":          {math.MinInt64, 0, math.MinInt64},
	} {
		t.Run(name, func(t *testing.T) {
			m := newWritingMount(t)
			for _, file := range []string{".draft", "a.b", "7"} { // a draft, a subject that is written to, a restore
				node, fh, st := m.open(file, shellCreate, 0o644)
				wantStatus(t, "open", st, 0)
				wantStatus(t, "write", m.write(node, fh, "x", 0), 0)
				if got := m.utimens(node, tt.sec, uint32(tt.nsec), 0); got.ModTime().UnixNano() != tt.want || int64(got.Mtime) != floorSecond(tt.want) {
					t.Errorf("%s: its time is %d s, %d ns, want %d ns", file, int64(got.Mtime), got.Mtimensec, tt.want)
				}
				wantStatus(t, "unlink or hide", m.unlinkAny(file), 0)
				_ = m.close(node, fh) // a restore that was unlinked comes to nothing
			}
		})
	}
}

func floorSecond(ns int64) int64 {
	sec := ns / int64(time.Second)
	if ns%int64(time.Second) < 0 {
		sec--
	}
	return sec
}

// unlinkAny is unlink of what is no subject.
func (m *writingMount) unlinkAny(name string) fuse.Status {
	if name == "a.b" {
		return fuse.OK
	}
	return m.unlink(name)
}

// touch(1) of a message that is being restored gives it the time of now, whatever was set before.
func TestARestoreIsTouched(t *testing.T) {
	m := newWritingMount(t)
	node, fh, st := m.open("7", shellCreate, 0o644)
	wantStatus(t, "open", st, 0)
	m.utimens(node, 12345, 0, 0)
	if got := m.utimens(node, 0, 0, fuse.FATTR_MTIME_NOW); int64(got.Mtime) != m.at.Unix() {
		t.Errorf("its time is %d, want %d", got.Mtime, m.at.Unix())
	}
	wantStatus(t, "unlink", m.unlink("7"), 0)
	wantStatus(t, "close", m.close(node, fh), 0)
}
