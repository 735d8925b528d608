package fusefs

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
	"jsfs/store/memstore"
)

// newViews mounts a stream S with messages on several subjects, a minute apart, from 2026-11-22T00:00Z on.
func newViews(t *testing.T, opt Options) (*mounted, *stream) {
	t.Helper()
	at := viewsBegin.Add(-time.Minute) // making the stream takes one
	st := memstore.New(memstore.Options{Now: func() int64 { at = at.Add(time.Minute); return at.UnixNano() }})
	t.Cleanup(func() { _ = st.Close() })
	m := mountedOn(t, st, opt)
	m.now = func() time.Time { return at }
	s := m.stream("S")
	for i, subject := range []string{"orders.eu.new", "orders.us.new", "bills", "orders.eu.old", "orders.eu.new"} {
		m.appendTo(s, subject, fmt.Sprintf("payload %d", i+1))
	}
	return m, s
}

var viewsBegin = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func (m *mounted) appendTo(s *stream, subject, payload string) {
	m.t.Helper()
	if _, err := s.Append(m.t.Context(), store.Entry{Subject: subject, Data: []byte(payload)}); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mounted) names(path string) string {
	m.t.Helper()
	return strings.Join(m.list(m.walk(path).NodeId, 4096, false, nil), " ")
}

// The directory of a subject whose name ends in a hash is there as long as the subject has a message: the kernel asks each time.
func TestNamesOfMessageDirectoriesAreKeptWhereTheyStay(t *testing.T) {
	m, s := newViews(t, Options{})
	long := "a." + strings.Repeat("x", 300)
	m.appendTo(s, long, "x")
	for name, kept := range map[string]bool{"orders.eu.new": true, "none": true, "orders.>": true, mapping.EscapeSubject(long): false} {
		out, st := m.lookupAt(m.walk("S/.jsfs/subjects").NodeId, name)
		if !st.Ok() || (out.EntryValid > 0) != kept {
			t.Errorf("%s: %v, kept for %d s", name, st, out.EntryValid)
		}
	}
}

func TestMessageDirectoriesShowTheirMessages(t *testing.T) {
	m, _ := newViews(t, Options{SeqWidth: 1})
	for path, want := range map[string]string{
		"subjects":                         "bills orders.eu.new orders.eu.old orders.us.new",
		"subjects/orders.eu.new":           "1 5",
		"subjects/orders.*.new":            "1 2 5",
		"subjects/orders.>":                "1 2 4 5",
		"subjects/>":                       "1 2 3 4 5",
		"subjects/none":                    "",
		"range/2-4":                        "2 3 4",
		"range/4-":                         "4 5",
		"range/-2":                         "1 2",
		"range/9-":                         "",
		"since/2026-11-22T00:04:00Z":       "4 5",
		"since/2026-11-22":                 "1 2 3 4 5",
		"since/2026-11-23":                 "",
		"since":                            "",
		"range":                            "",
		"msg":                              "",
		"msg/3":                            "data headers json raw subject time",
		"subjects/orders.>/.jsfs/subjects": "orders.eu.new orders.eu.old orders.us.new",
		"subjects/orders.>/.jsfs/subjects/*.eu.*":        "1 4 5",
		"range/2-4/.jsfs/subjects":                       "bills orders.eu.old orders.us.new",
		"range/2-/.jsfs/range/-4/.jsfs/subjects/bills":   "3",
		"since/2026-11-22T00:05:00Z/.jsfs/subjects":      "orders.eu.new",
		"since/2026-11-22T00:04:00Z/.jsfs/range/1-4":     "4",
		"since/2026-11-23/.jsfs/subjects":                "",
		"subjects/orders.>/.jsfs":                        "first info last last-by-subject log log.jsonl msg post range since subjects",
		"subjects/none/.jsfs":                            "info last-by-subject log log.jsonl msg post range since subjects",
		"last-by-subject":                                "bills orders.eu.new orders.eu.old orders.us.new",
		"range/1-2/.jsfs/last-by-subject":                "orders.eu.new orders.us.new",
		"subjects/*.*.new/.jsfs/last-by-subject":         "orders.eu.new orders.us.new",
		"subjects/bills/.jsfs/subjects/bills/.jsfs/msg/": "",
	} {
		if got := m.names("S/.jsfs/" + strings.TrimSuffix(path, "/")); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestNamesThatNoViewHas(t *testing.T) {
	m, _ := newViews(t, Options{SeqWidth: 1})
	for _, path := range []string{
		"subjects/a..b", "subjects/.hidden", "subjects/a%zz", "subjects/orders.>/.jsfs/subjects/bills", "range/5", "range/4-2",
		"range/2-3/.jsfs/range/5-9", "since/yesterday", "since/0s", "msg/9", "msg/x", "msg/0", "range/1-2/.jsfs/msg/3", "msg/3/nothing",
		"subjects/bills/1", "subjects/bills/9", "subjects/orders.>/orders.eu.new", "range/1-2/3", "last-by-subject/none",
		"last-by-subject/orders.*.new", "range/1-2/.jsfs/last-by-subject/bills", "subjects/bills/.jsfs/config", "subjects/none/.first",
		"subjects/bills/a.pdf",
	} {
		dir, name := "S/.jsfs", path
		if i := strings.LastIndexByte(path, '/'); i >= 0 {
			dir, name = dir+"/"+path[:i], path[i+1:]
		}
		out, st := m.lookupAt(m.walk(dir).NodeId, name)
		if st != fuse.ENOENT || out.EntryTimeout() != 0 {
			t.Errorf("%s: got %v for %v, want ENOENT for 0", path, st, out.EntryTimeout())
		}
	}
	reasons := strings.Join(m.reasons(), "\n")
	for _, want := range []string{"a time is 2026", "a range of sequences is 100-200", "named by its sequence"} {
		if !strings.Contains(reasons, want) {
			t.Errorf("errors does not say %q:\n%s", want, reasons)
		}
	}
}

func TestFilesOfViews(t *testing.T) {
	m, _ := newViews(t, Options{SeqWidth: 1})
	for path, want := range map[string]string{
		"subjects/orders.eu.new/5":                     "payload 5",
		"subjects/orders.>/000004":                     "payload 4",
		"last-by-subject/orders.eu.new":                "payload 5",
		"range/-4/.jsfs/last-by-subject/orders.eu.new": "payload 1",
		"msg/3/data":    "payload 3",
		"msg/3/subject": "bills\n",
		"msg/3/time":    "2026-11-22T00:03:00.000000000Z\n",
		"msg/3/headers": "",
		"msg/03/json":   `{"seq":3,"time":"2026-11-22T00:03:00.000000000Z","subject":"bills","data":"payload 3"}` + "\n",
	} {
		if got := m.cat("S/.jsfs/" + path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
		if size := m.walk("S/.jsfs/" + path).Size; size != uint64(len(want)) {
			t.Errorf("%s: its size is %d, want %d", path, size, len(want))
		}
	}
	for path, want := range map[string]string{
		"subjects/orders.*.new/.first":      "1",
		"subjects/orders.*.new/.last":       "5",
		"subjects/bills/.jsfs/first":        "../3",
		"since/2026-11-22T00:04:00Z/.first": "4",
		"since/2m":                          "2026-11-22T00:03:00Z",
		"range/-2/.jsfs/last":               "../2",
	} {
		h := header(m.walk("S/.jsfs/" + path).NodeId)
		got, st := m.Readlink(nil, &h)
		if !st.Ok() || string(got) != want {
			t.Errorf("%s: got %q, %v, want %q", path, got, st, want)
		}
	}
	info := m.cat("S/.jsfs/subjects/orders.>/.jsfs/range/2-/.info")
	for _, want := range []string{`"messages": 3`, `"filter_subject": "orders.>"`, `"from_seq": 2`, `"first_seq": 2`, `"last_seq": 5`, `"last_ts": "2026-11-22T00:05`} {
		if !strings.Contains(info, want) {
			t.Errorf("info has no %s:\n%s", want, info)
		}
	}
}

// The kernel wants a directory in one place, and may have what is no directory in many.
func TestNodesOfViews(t *testing.T) {
	m, _ := newViews(t, Options{SeqWidth: 1})
	same := func(a, b string, want bool) {
		t.Helper()
		x, y := m.walk("S/.jsfs/"+a), m.walk("S/.jsfs/"+b)
		// What a name of last-by-subject stands for in turn shows one inode.
		if (x.NodeId == y.NodeId) != want || (x.Ino == y.Ino) != want || x.NodeId != x.Ino && !strings.HasPrefix(a, "last-by-subject/") {
			t.Errorf("%s is node %x, inode %x, %s is node %x: the same should be %v", a, x.NodeId, x.Ino, b, y.NodeId, want)
		}
	}
	same("subjects/bills", "subjects/bill%73", true)
	same("subjects/bills", "subjects/bills/.jsfs/subjects/bills", false)
	same("subjects/bills", "subjects/bills/.jsfs", false)
	same("subjects/bills", "subjects/>", false)
	same("range/1-2", "range/01-002", true)
	same("since/2026-11-22", "since/2026-11-22T01:00:00+01:00", true)
	same("subjects/bills/.info", "subjects/bills/.jsfs/info", true)
	same("subjects/bills/.info", "subjects/>/.jsfs/subjects/bills/.info", true)
	same("subjects/bills/.info", "subjects/orders.>/.info", false)
	same("subjects/bills/.first", "subjects/bills/.jsfs/first", false)
	same("subjects/bills/3", "msg/3/data", true)
	same("msg/3/json", "range/2-/.jsfs/msg/3/json", true)
	same("last-by-subject/bills", "subjects/bills/.jsfs/last-by-subject/bills", true)
	same("last-by-subject/bills", "last-by-subject/orders.eu.new", false)
	if got, want := m.walk("S/.jsfs/subjects/bills/3").NodeId, m.walk("S/3").NodeId; got != want {
		t.Errorf("a message in a view is node %x, want %x", got, want)
	}
	before := m.walk("S/.jsfs/subjects/orders.>").Ino
	m.views = views{byID: map[uint64]*viewEntry{}, byKey: map[viewKey]*viewEntry{}} // as after another mount
	if got := m.walk("S/.jsfs/subjects/orders.>").Ino; got != before {
		t.Errorf("its inode is %x now, was %x", got, before)
	}
	other := m.stream("T")
	m.appendTo(other, "bills", "x")
	if m.walk("S/.jsfs/subjects/bills").Ino == m.walk("T/.jsfs/subjects/bills").Ino {
		t.Error("views of two streams have one inode")
	}
}

func TestViewsAreForgottenWithTheirStream(t *testing.T) {
	m, s := newViews(t, Options{SeqWidth: 1})
	dir := m.walk("S/.jsfs/subjects/orders.>")
	entered := m.views.count()
	again := m.walk("S/.jsfs/subjects/orders.>")
	m.Forget(dir.NodeId, 1)
	if m.views.count() != entered {
		t.Error("it was forgotten although the kernel knows it from a second lookup")
	}
	m.streams.drop(s.Incarnation())
	if _, st := m.lookupAt(again.NodeId, "1"); st != fuse.Status(syscall.ESTALE) {
		t.Errorf("in a removed stream: got %v, want ESTALE", st)
	}
	m.Forget(dir.NodeId, 1)
	if m.views.count() != entered-1 {
		t.Errorf("%d views are known, want %d", m.views.count(), entered-1)
	}
}

func TestManySubjectsAreListedInPieces(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S")
	var want []string
	for i := range 1000 {
		subject := fmt.Sprintf("s.%04d", i*7%1000)
		m.appendTo(s, subject, "x")
		want = append(want, subject)
	}
	slices.Sort(want)
	for _, name := range []string{"subjects", "last-by-subject"} {
		dir := m.walk("S/.jsfs/" + name).NodeId
		for _, plus := range []bool{false, true} {
			if got := m.list(dir, 512, plus, nil); !slices.Equal(got, want) {
				t.Fatalf("%s, plus %v: got %d names, the first %q", name, plus, len(got), got[:3])
			}
		}
	}
	known := m.views.count()
	// What was there all the time is met once, whatever comes and goes meanwhile.
	dir := m.walk("S/.jsfs/subjects").NodeId
	gone := 0
	got := m.list(dir, 512, false, func(names []string) {
		if gone++; gone <= 30 {
			if _, err := s.Remove(t.Context(), store.Seq(gone*3)); err != nil {
				t.Fatal(err)
			}
			m.appendTo(s, fmt.Sprintf("a.%d", gone), "new")
		}
	})
	if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) || len(got) < 900 {
		t.Errorf("%d names, sorted %v", len(got), slices.IsSorted(got))
	}
	if m.views.count() != known {
		t.Errorf("a listing left %d views", m.views.count()-known)
	}
}

func TestSeekingInAListingOfSubjects(t *testing.T) {
	m := newMounted(t, Options{})
	s := m.stream("S")
	for i := range 500 {
		m.appendTo(s, fmt.Sprintf("s.%03d", i), "x")
	}
	dir := m.walk("S/.jsfs/subjects").NodeId
	var opened fuse.OpenOut
	if st := m.OpenDir(nil, &fuse.OpenIn{InHeader: header(dir)}, &opened); !st.Ok() {
		t.Fatal(st)
	}
	read := func(off uint64) []fuse.DirEntry {
		t.Helper()
		out := fuse.NewDirEntryList(make([]byte, 1024), off)
		if st := m.ReadDir(nil, &fuse.ReadIn{InHeader: header(dir), Fh: opened.Fh, Offset: off, Size: 1024}, out); !st.Ok() {
			t.Fatal(st)
		}
		entries, err := fuse.ParseDirEntries(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		return entries
	}
	first := read(0)
	middle := first[len(first)/2]
	if got := read(middle.Off)[0].Name; got != first[len(first)/2+1].Name {
		t.Errorf("behind %q comes %q", middle.Name, got)
	}
	if got := read(400 + cookieParent)[0].Name; got != "s.400" {
		t.Errorf("behind the 400th comes %q", got)
	}
	if got := read(10 + cookieParent)[0].Name; got != "s.010" {
		t.Errorf("back behind the 10th comes %q", got)
	}
}

func TestRemovingInAView(t *testing.T) {
	m, s := newViews(t, Options{SeqWidth: 1})
	rec := newRecorder(s)
	sub := m.st.Watch()
	dir := m.walk("S/.jsfs/subjects/orders.*.new")
	unlink := func(name string) fuse.Status {
		h := header(dir.NodeId)
		return m.Unlink(nil, &h, name)
	}
	if st := unlink("3"); st != fuse.ENOENT {
		t.Errorf("a message that is not in the view: got %v, want ENOENT", st)
	}
	if st := unlink("2"); !st.Ok() {
		t.Fatal(st)
	}
	if got := m.names("S/.jsfs/subjects/orders.*.new"); got != "1 5" {
		t.Errorf("left: %s", got)
	}
	<-sub.C()
	events, _ := sub.Take(nil)
	(&notifier{fs: m.FS, kernel: rec}).tell(events)
	want := []string{"delete S/2 S/2", "inode S/2 0 0", "inode S -1 0"}
	if !slices.Equal(rec.told, want) {
		t.Errorf("the kernel, which may know the message in the stream's directory, was told %q, want %q", rec.told, want)
	}
	for _, name := range []string{".info", ".jsfs"} {
		if st := unlink(name); st != fuse.EPERM {
			t.Errorf("%s: got %v, want EPERM", name, st)
		}
	}
}
