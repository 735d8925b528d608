package fusefs

import (
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"jsfs/fusefs/gather"
	"jsfs/mapping"
	"jsfs/store"
	"jsfs/store/memstore"
)

// tableOf returns the cells of the table under a heading of SEMANTICS.md.
func tableOf(t *testing.T, heading string) [][]string {
	t.Helper()
	page, err := os.ReadFile("SEMANTICS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), heading+"\n")
	if !ok {
		t.Fatalf("SEMANTICS.md has no %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var rows [][]string
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---") {
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		rows = append(rows, cells)
	}
	if len(rows) < 2 {
		t.Fatalf("%s has no table", heading)
	}
	return rows[1:]
}

func describeTimeout(d time.Duration) string {
	switch d {
	case fresh:
		return "0"
	case keep:
		return "1h"
	}
	return d.String()
}

func describePages(flags uint32) string {
	switch {
	case flags&fuse.FOPEN_DIRECT_IO != 0:
		return "none"
	case flags&fuse.FOPEN_KEEP_CACHE != 0:
		return "kept"
	}
	return "until the next open"
}

func TestSemanticsSaysForHowLongThingsAreKept(t *testing.T) {
	if keep != time.Hour {
		t.Fatalf("keep: got %v, want the hour that SEMANTICS.md speaks of", keep)
	}
	noon := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	st := memstore.New(memstore.Options{Now: noon.UnixNano})
	t.Cleanup(func() { _ = st.Close() })
	m := mountedOn(t, st, Options{Metrics: func() ([]byte, error) { return []byte("jsfs_x 1\n"), nil }})
	s := m.stream("S", "x")
	m.draft(s, ".draft")
	c, err := s.CreateConsumer(t.Context(), store.ConsumerConfig{Name: "c"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	m.append(s, "y")
	m.remove(s, 2)
	m.stream("R")
	if err := m.st.Remove(t.Context(), "R"); err != nil {
		t.Fatal(err)
	}
	path := regexp.MustCompile("^`([^`]+)`")
	for _, row := range tableOf(t, "## 2. What the kernel keeps, and for how long") {
		p := path.FindStringSubmatch(row[0])[1]
		t.Run(p, func(t *testing.T) {
			if strings.HasSuffix(p, "NONE") {
				out, st := m.lookupAt(s.node, strings.TrimPrefix(p, "S/"))
				if st != fuse.ENOENT || out.EntryTimeout() != fresh {
					t.Errorf("got %v for %v, want ENOENT for 0", st, out.EntryTimeout())
				}
				return
			}
			out := m.walk(p)
			if got := describeTimeout(out.EntryTimeout()); got != row[1] {
				t.Errorf("name: got %s, the page says %s", got, row[1])
			}
			if got := describeTimeout(out.AttrTimeout()); got != row[2] {
				t.Errorf("attributes: got %s, the page says %s", got, row[2])
			}
			if row[3] == "-" {
				return
			}
			open, st := m.openAt(out.NodeId, syscall.O_RDONLY)
			if !st.Ok() {
				t.Fatal(st)
			}
			m.closeFile(out.NodeId, open.Fh)
			if got := describePages(open.OpenFlags); got != row[3] {
				t.Errorf("pages: got %s, the page says %s", got, row[3])
			}
		})
	}
}

func TestSemanticsHasAllErrnos(t *testing.T) {
	page := map[string]string{}
	for _, row := range tableOf(t, "## 4. What a call is refused with") {
		page[row[0]] = row[1]
	}
	want := map[string]string{"damaged": "EIO"}
	for _, e := range errnos {
		want[e.err.Error()] = unix.ErrnoName(e.errno)
	}
	for cause, errno := range want {
		if page[cause] != errno {
			t.Errorf("%s: the page says %q, the code %q", cause, page[cause], errno)
		}
		delete(page, cause)
	}
	for cause := range page {
		t.Errorf("the page has %q, of which the code knows nothing", cause)
	}
}

func TestSemanticsHasTheRightNumbers(t *testing.T) {
	page, err := os.ReadFile("SEMANTICS.md")
	if err != nil {
		t.Fatal(err)
	}
	if maxRetold != 1_048_576 || mapping.MaxN != 1<<42-1 || gather.MaxBytes != 1<<30 || gather.MaxMsgs != 4<<20 || gather.Idle != 5*time.Second {
		t.Error("a number changed that SEMANTICS.md names")
	}
	for _, want := range []string{"1,048,576 a stream", "2^42", "2^18", "1 GiB and 4 Mi messages of a stream are held", "brought nothing for 5 s"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("SEMANTICS.md does not say %q", want)
		}
	}
}

// The page for users has a row for every control, in a table of the directory that it is in.
func TestLayoutHasAllControls(t *testing.T) {
	text, err := os.ReadFile("../docs/layout.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for dir, heading := range map[mapping.Control]string{
		mapping.ControlDir: "## `.jsfs/` of a stream's own directory", mapping.ControlRootDir: "## The root", mapping.ControlMsg: "| in `msg/42/` |",
		mapping.ControlConsumer: "| in `consumers/billing/` |",
	} {
		for _, c := range dir.Children(true) {
			in := heading
			if _, ok := mapping.ControlDir.Child(c.String(), false); ok && dir == mapping.ControlDir {
				in = "## `.jsfs/` of every message directory"
			}
			_, section, ok := strings.Cut(page, in)
			section, _, _ = strings.Cut(section, "\n## ")
			name := regexp.QuoteMeta(c.String())
			if row := regexp.MustCompile("(?m)^\\|[^|]*`(\\.jsfs/)?" + name + "/?`[^|]*\\|"); !ok || !row.MatchString(section) {
				t.Errorf("docs/layout.md has no row for %s under %q", c, in)
			}
		}
	}
}
