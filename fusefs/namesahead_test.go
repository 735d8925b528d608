package fusefs

import (
	"errors"
	"io/fs"
	"slices"
	"sync"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// dentries is a kernel that knows the names it was told, and the process that reads directories for it.
type dentries struct {
	m       *mounted
	s       *stream
	known   map[store.Seq]bool
	forgets bool // it knows no name any more when it is used
	looked  []store.Seq
	reads   int
	err     error
}

func (d *dentries) Process() int { return 1 << 22 }

func (d *dentries) Close() {}

func (d *dentries) ReadNames(stream string, node, from uint64, names int) (next uint64, err error) {
	d.reads++
	if stream != "S" || node != d.s.node {
		d.m.t.Errorf("names of %s, node %#x, are read", stream, node)
	}
	if d.err != nil {
		return 0, d.err
	}
	next = from
	for msg := range d.s.Scan(d.m.t.Context(), store.Query{From: store.Seq(from-cookieFirst) + 1}) {
		if names--; names < 0 {
			break
		}
		d.known[msg.Seq] = !d.forgets
		next = uint64(msg.Seq) + cookieFirst
	}
	return next, nil
}

// walk opens messages by their names, as a program does, or removes them.
func (d *dentries) walk(remove bool, seqs ...store.Seq) {
	d.m.t.Helper()
	for _, seq := range seqs {
		name := mapping.FormatSeq(seq, mapping.DefaultWidth)
		if !d.known[seq] {
			d.looked = append(d.looked, seq)
			if _, st := d.m.lookupAt(d.s.node, name); !st.Ok() {
				d.m.t.Fatalf("lookup of message %d: %v", seq, st)
			}
		}
		id, _ := d.s.message(seq)
		_, st := d.m.openAt(id, 0)
		if remove {
			h := header(d.s.node)
			st = d.m.Unlink(nil, &h, name)
		}
		if !st.Ok() {
			d.m.t.Fatalf("message %d: %v", seq, st)
		}
		d.m.FS.names.running.Wait()
	}
}

func named(t *testing.T, n int) *dentries {
	m := newMounted(t, Options{})
	d := &dentries{m: m, s: m.stream("S", make([]string, n)...), known: map[store.Seq]bool{}}
	var r NameReader = d
	m.FS.names.reader.Store(&r)
	return d
}

func TestWhoLooksUpInOrderGetsTheNextNames(t *testing.T) {
	for _, remove := range []bool{false, true} {
		d := named(t, 30_000)
		d.walk(remove, seqs(1, 30_000)...)
		if want := seqs(1, namesAheadFrom); !slices.Equal(d.looked, want) {
			t.Errorf("removed %v: looked up were %d, want %d", remove, d.looked, want)
		}
		if d.reads > 10 {
			t.Errorf("removed %v: names were read %d times", remove, d.reads)
		}
	}
}

// Anybody may open a directory while names of it are read.
func TestADirectoryIsOpenedWhileItsNamesAreRead(t *testing.T) {
	d := named(t, 2000)
	d.m.pub.proc = oneThreadEach{}
	done := make(chan struct{})
	var opens sync.WaitGroup
	opens.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				d.m.openDirFlags(d.s.node)
			}
		}
	})
	d.walk(false, seqs(1, 2000)...)
	close(done)
	opens.Wait()
	if d.reads == 0 {
		t.Error("no names were read")
	}
}

// Names are read for what comes next, and not for a whole directory of which somebody wants a part.
func TestNoMoreNamesAreReadThanComeNext(t *testing.T) {
	d := named(t, 30_000)
	for _, part := range []struct{ messages, most int }{{20, 0}, {100, 1000}, {3000, 13_000}} {
		d.walk(false, seqs(1, store.Seq(part.messages))...)
		if got := len(d.known); got > part.most {
			t.Errorf("who wants %d messages gets %d names, want %d at most", part.messages, got, part.most)
		}
	}
}

func TestWhoLooksUpInNoOrderGetsNoNames(t *testing.T) {
	d := named(t, 10_000)
	for seq := store.Seq(1); seq < 10_000; seq += 100 {
		d.walk(false, seq, 10_001-seq, seq+50)
	}
	if d.reads > 0 {
		t.Errorf("names were read %d times", d.reads)
	}
}

func TestSeveralWhoLookUpInOrderGetNames(t *testing.T) {
	d := named(t, 30_000)
	for i := range store.Seq(9000) {
		d.walk(false, 1+i, 10_001+i, 20_001+i)
	}
	if got := len(d.looked); got > 3*2*namesAheadFrom {
		t.Errorf("three looked up %d names", got)
	}
}

// A kernel that has no room for names is not given the same ones again and again.
func TestNamesThatTheKernelForgetsAreReadSeldom(t *testing.T) {
	d := named(t, 20_000)
	d.forgets = true
	d.walk(false, seqs(1, 20_000)...)
	if got := len(d.known); got > 40_000/4 {
		t.Errorf("%d names were read in vain for 20000", got)
	}
}

func TestTheEndOfNamesIsNotLookedForAgainAndAgain(t *testing.T) {
	d := named(t, 1000)
	d.walk(false, seqs(1, 1000)...)
	if d.reads > 4 {
		t.Errorf("names of 1000 messages were read %d times", d.reads)
	}
	reads := d.reads
	d.walk(false, seqs(900, 1000)...)
	if d.reads > reads {
		t.Errorf("though there are no more, names were read %d times", d.reads-reads)
	}
	d.m.append(d.s, make([]string, 1000)...)
	before := len(d.looked)
	d.walk(false, seqs(1001, 2000)...)
	if got := len(d.looked) - before; got > 2*namesAheadFrom {
		t.Errorf("of 1000 names that came later %d were looked up", got)
	}
}

func TestNamesThatCanNotBeReadAheadAreLookedUp(t *testing.T) {
	d := named(t, 1000)
	d.err = errors.New("no mount can be made")
	d.walk(false, seqs(1, 1000)...)
	if d.reads != 1 || len(d.looked) != 1000 {
		t.Errorf("reading was tried %d times, and %d names looked up", d.reads, len(d.looked))
	}
	d = named(t, 1000)
	d.err = fs.ErrNotExist // the stream was removed and made again, for example
	d.walk(false, seqs(1, 500)...)
	d.err = nil
	before := len(d.looked)
	d.walk(false, seqs(501, 1000)...)
	if got := len(d.looked) - before; got > namesAheadFrom {
		t.Errorf("after a directory was not there, %d of 500 names were looked up", got)
	}
}

// self is a reader whose READDIRPLUS a test makes.
type self struct {
	d     *dentries
	pid   int
	open  fuse.OpenOut
	attrs int
}

func (r *self) Process() int { return r.pid }

func (r *self) Close() {}

func (r *self) ReadNames(_ string, node, from uint64, _ int) (uint64, error) {
	m := r.d.m
	in := fuse.OpenIn{InHeader: header(node)}
	in.Pid = uint32(r.pid)
	m.OpenDir(nil, &in, &r.open)
	dir := m.handles.get(r.open.Fh).(*dirHandle)
	dir.given.Store(maxGiven)
	out := fuse.NewDirEntryList(make([]byte, 1<<16), from)
	m.ReadDirPlus(nil, &fuse.ReadIn{InHeader: header(node), Fh: r.open.Fh, Offset: from, Size: 1 << 16}, out)
	entries, outs, err := fuse.ParseDirLookupEntries(out.Bytes())
	if err != nil || len(entries) == 0 {
		return from, err
	}
	for i, e := range entries {
		r.d.known[store.Seq(e.Off-cookieFirst)] = true
		if outs[i].NodeId != 0 {
			r.attrs++
		}
	}
	return entries[len(entries)-1].Off, nil
}

// What is read ahead is read for its attributes, however many nobody used before.
func TestNamesThatAreReadAheadHaveAttributes(t *testing.T) {
	d := named(t, 2000)
	d.m.pub.proc = oneThreadEach{}
	d.m.opt.Unchanging, d.m.protocol = true, keepsNames
	r := &self{d: d, pid: 4711}
	var reader NameReader = r
	d.m.FS.names.reader.Store(&reader)
	for _, seq := range seqs(1, namesAheadFrom) {
		d.m.lookupAt(d.s.node, mapping.FormatSeq(seq, mapping.DefaultWidth))
		d.m.FS.names.running.Wait()
	}
	if r.attrs < 300 || r.attrs != len(d.known) || d.s.bare.Load() != 0 {
		t.Errorf("%d names were read, %d of them with attributes, and %d noted as without", len(d.known), r.attrs, d.s.bare.Load())
	}
	if r.open.OpenFlags != fuse.FOPEN_KEEP_CACHE {
		t.Errorf("the directory is opened with flags %#x", r.open.OpenFlags)
	}
	if got := d.m.openDirFlags(d.s.node); got != fuse.FOPEN_CACHE_DIR|fuse.FOPEN_KEEP_CACHE {
		t.Errorf("by others it is opened with flags %#x", got)
	}
}
