package fusefs

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"pgregory.net/rapid"

	"jsfs/mapping"
	"jsfs/store"
	"jsfs/store/memstore"
)

// modelMsg is a live message as a test remembers it.
type modelMsg struct {
	seq     store.Seq
	at      int64
	subject string
}

// viewStep is a directory below a .jsfs, and which messages it lets through.
type viewStep struct {
	name  string
	shows func(modelMsg) bool
}

func drawStep(rt *rapid.T) viewStep {
	switch rapid.IntRange(0, 3).Draw(rt, "kind of view") {
	case 0:
		pattern := rapid.SampledFrom([]string{">", "a.>", "*.x", "a.*", "a.x", "b.y", "b.*.z", "*.y.>", "none"}).Draw(rt, "pattern")
		return viewStep{"subjects/" + pattern, func(m modelMsg) bool { return store.MatchSubject(pattern, m.subject) }}
	case 1:
		from := store.Seq(rapid.IntRange(1, 30).Draw(rt, "from"))
		to := from + store.Seq(rapid.IntRange(0, 20).Draw(rt, "length"))
		return viewStep{fmt.Sprintf("range/%d-%d", from, to), func(m modelMsg) bool { return from <= m.seq && m.seq <= to }}
	case 2:
		from := store.Seq(rapid.IntRange(1, 30).Draw(rt, "from"))
		return viewStep{fmt.Sprintf("range/%d-", from), func(m modelMsg) bool { return from <= m.seq }}
	}
	since := viewsBegin.Add(time.Duration(rapid.IntRange(0, 60).Draw(rt, "minutes")) * time.Minute)
	return viewStep{"since/" + since.Format(time.RFC3339), func(m modelMsg) bool { return m.at >= since.UnixNano() }}
}

// Whatever is appended and removed, and however views are combined, each shows just the messages that all of its steps
// let through: listed, found by name, counted, by subject, and first and last.
func TestViewsShowWhatTheirStepsLetThrough(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		at := viewsBegin
		st := memstore.New(memstore.Options{Now: func() int64 { at = at.Add(time.Minute); return at.UnixNano() }})
		defer func() { _ = st.Close() }()
		m := mountedOn(t, st, Options{SeqWidth: 1})
		s := m.stream("S")
		var live []modelMsg
		for range rapid.IntRange(1, 40).Draw(rt, "changes") {
			if len(live) > 0 && rapid.IntRange(0, 3).Draw(rt, "remove") == 0 {
				i := rapid.IntRange(0, len(live)-1).Draw(rt, "which")
				if _, err := s.Remove(t.Context(), live[i].seq); err != nil {
					rt.Fatal(err)
				}
				live = slices.Delete(live, i, i+1)
				continue
			}
			subject := rapid.SampledFrom([]string{"a.x", "a.y", "b.x", "b.y", "b.y.z", "a"}).Draw(rt, "subject")
			seq, err := s.Append(t.Context(), store.Entry{Subject: subject, Data: []byte("x")})
			if err != nil {
				rt.Fatal(err)
			}
			live = append(live, modelMsg{seq, at.UnixNano(), subject})
		}
		checkView(rt, m, live, rapid.SliceOfN(rapid.Custom(drawStep), 1, 3).Draw(rt, "view"))
	})
}

// checkView compares a view with the model. A view that can't have any message may not be found.
func checkView(rt *rapid.T, m *mounted, live []modelMsg, steps []viewStep) {
	path := "S"
	shown := slices.Clone(live)
	for _, step := range steps {
		path += "/.jsfs/" + step.name
		shown = slices.DeleteFunc(shown, func(msg modelMsg) bool { return !step.shows(msg) })
	}
	dir := fuse.EntryOut{NodeId: mapping.Root}
	for name := range strings.SplitSeq(path, "/") {
		var st fuse.Status
		if dir, st = m.lookupAt(dir.NodeId, name); !st.Ok() {
			if st == fuse.ENOENT && len(shown) == 0 {
				return
			}
			rt.Fatalf("%s in %s: %v", name, path, st)
		}
	}
	var names, subjects []string
	for _, msg := range shown {
		names = append(names, fmt.Sprint(msg.seq))
		subjects = append(subjects, msg.subject)
	}
	slices.Sort(subjects)
	subjects = slices.Compact(subjects)
	same := func(what string, got, want []string) {
		if !slices.Equal(got, want) {
			rt.Errorf("%s%s: got %q, want %q", path, what, got, want)
		}
	}
	same("", m.list(dir.NodeId, 256, true, nil), names)
	same("/.jsfs/subjects", m.list(m.walk(path+"/.jsfs/subjects").NodeId, 256, false, nil), subjects)
	same("/.jsfs/last-by-subject", m.list(m.walk(path+"/.jsfs/last-by-subject").NodeId, 256, true, nil), subjects)
	newest := m.walk(path + "/.jsfs/last-by-subject").NodeId
	for _, msg := range live {
		if _, st := m.lookupAt(newest, msg.subject); st.Ok() != slices.Contains(subjects, msg.subject) {
			rt.Errorf("%s/.jsfs/last-by-subject/%s: %v, with a message %v", path, msg.subject, st, !st.Ok())
		}
		if _, st := m.lookupAt(dir.NodeId, fmt.Sprint(msg.seq)); st.Ok() != slices.Contains(shown, msg) {
			rt.Errorf("%s/%d: %v, shown %v", path, msg.seq, st, slices.Contains(shown, msg))
		}
	}
	if info := m.cat(path + "/.info"); !strings.Contains(info, fmt.Sprintf(`"messages": %d,`, len(shown))) {
		rt.Errorf("%s has %d messages; info says %s", path, len(shown), info)
	}
	if len(names) > 0 {
		for link, want := range map[string]string{".first": names[0], ".last": names[len(names)-1]} {
			h := header(m.walk(path + "/" + link).NodeId)
			if got, st := m.Readlink(nil, &h); !st.Ok() || string(got) != want {
				rt.Errorf("%s/%s is %q, %v, want %s", path, link, got, st, want)
			}
		}
	}
}

// The table of views is right while many look up, and the kernel forgets.
func TestViewsAreLookedUpByMany(t *testing.T) {
	m, _ := newViews(t, Options{SeqWidth: 1})
	m.prune.kernel = &recorder{}
	jsfs := m.walk("S/.jsfs")
	before := m.views.count()
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 300 {
				ranges, _ := m.lookupAt(jsfs.NodeId, "range")
				dir, st := m.lookupAt(ranges.NodeId, fmt.Sprintf("%d-", (i+worker)%50+1))
				if !st.Ok() {
					t.Errorf("lookup: %v", st)
					return
				}
				info, st := m.lookupAt(dir.NodeId, ".info")
				if !st.Ok() {
					t.Errorf("info of a view that is known: %v", st)
				}
				m.Forget(info.NodeId, 1)
				m.Forget(dir.NodeId, 1)
			}
		})
	}
	all.Wait()
	if n := m.views.count(); n != before {
		t.Errorf("%d views are left", n-before)
	}
}
