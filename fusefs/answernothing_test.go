package fusefs

import (
	"encoding/binary"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// releasing counts the RELEASEs that reach a file system.
type releasing struct {
	fuse.RawFileSystem
	released chan uint64 // their handles
}

func (r *releasing) Release(_ <-chan struct{}, in *fuse.ReleaseIn) { r.released <- in.Fh }

func releaseBody(fh uint64) []byte {
	return append(binary.NativeEndian.AppendUint64(nil, fh), make([]byte, 16)...)
}

func TestAReleaseWithoutAHandleIsAnsweredAtOnce(t *testing.T) {
	fs := &releasing{fuse.NewDefaultRawFileSystem(), make(chan uint64, 10)}
	w := connectTo(t, fs)
	for i, fh := range []uint64{0, 5, 0, waitsBit} {
		w.send(opRelease, uint64(10+i), 7, releaseBody(fh))
		if unique, code := w.receive(); unique != uint64(10+i) || code != 0 {
			t.Fatalf("handle %d: got %d for %d, want 0 for %d", fh, code, unique, 10+i)
		}
	}
	if got := []uint64{<-fs.released, <-fs.released}; got[0] != 5 || got[1] != waitsBit || len(fs.released) != 0 {
		t.Errorf("released: got %d and %d more, want 5 and %d alone", got, len(fs.released), uint64(waitsBit))
	}
}

// A request may come in parts, as over io_uring. What is no RELEASE, too short, or to be logged, is left to the server.
func TestOnlyAReleaseWithoutAHandleIsAnsweredAtOnce(t *testing.T) {
	request := func(op uint32, body []byte) (header, rest []byte) {
		b := binary.NativeEndian.AppendUint32(nil, uint32(40+len(body)))
		b = binary.NativeEndian.AppendUint32(b, op)
		b = binary.NativeEndian.AppendUint64(b, 77)
		return append(b, make([]byte, 24)...), body
	}
	for _, tt := range []struct {
		name  string
		op    uint32
		body  []byte
		debug bool
		want  int
	}{
		{"no handle", opRelease, releaseBody(0), false, 16},
		{"a handle", opRelease, releaseBody(1), false, 0},
		{"a high handle", opRelease, releaseBody(1 << 63), false, 0},
		{"cut short", opRelease, releaseBody(0)[:23], false, 0},
		{"without a body", opRelease, nil, false, 0},
		{"another request", opFlush, releaseBody(0), false, 0},
		{"to be logged", opRelease, releaseBody(0), true, 0},
	} {
		tr := &transport{debug: tt.debug}
		header, body := request(tt.op, tt.body)
		for _, in := range [][][]byte{{header, body, nil}, {append(append([]byte{}, header...), body...)}} {
			out := make([]byte, 16)
			if got := tr.answerNothing(in, [][]byte{out, nil}); got != tt.want {
				t.Errorf("%s, in %d parts: got an answer of %d bytes, want %d", tt.name, len(in), got, tt.want)
			} else if got > 0 && (binary.NativeEndian.Uint32(out) != 16 || binary.NativeEndian.Uint32(out[4:]) != 0 || binary.NativeEndian.Uint64(out[8:]) != 77) {
				t.Errorf("%s, in %d parts: got the answer %x, want success for request 77", tt.name, len(in), out)
			}
		}
	}
	if got := (&transport{}).answerNothing([][]byte{make([]byte, 10)}, [][]byte{make([]byte, 16)}); got != 0 {
		t.Errorf("half a header: got an answer of %d bytes, want none", got)
	}
}
