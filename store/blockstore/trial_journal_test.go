package blockstore_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"jsfs/store"
)

// journal is what a workload may rely on: what it was told when a call returned, and what
// may be because a call is under way. It is asked by hooks while the workload waits
// inside of a call, so it knows both at any moment.
type journal struct {
	mu      sync.Mutex // guards everything
	always  bool       // the sync policy makes each append durable
	streams map[string]*jstream
	incs    map[uint64]bool // incarnations that were handed out
	removed []uint64        // incarnations of streams that were removed
}

// view is what may be seen after a kind of stop.
type view int

const (
	afterKill  view = iota // the process was killed: what was acknowledged is there
	afterCrash             // the power was lost: what was synced is there
	views
)

// may is which states may be seen.
type may struct{ yes, no bool }

func (m may) String() string {
	switch m {
	case may{true, false}:
		return "must be there"
	case may{false, true}:
		return "must be gone"
	}
	return "may be there"
}

func only(v bool) may { return may{yes: v, no: !v} }

// fact is something that is or is not, such as a live message. A call that changes it
// makes both possible, its return what it changed to; a barrier makes that durable.
type fact struct {
	now     bool // what the last call that returned made it
	unknown bool // a call failed, and nobody knows what it did
	seen    [views]may
}

func (f *fact) begin(v bool) {
	for i := range f.seen {
		if v {
			f.seen[i].yes = true
		} else {
			f.seen[i].no = true
		}
	}
}

func (f *fact) end(v bool) {
	f.now = v
	f.seen[afterKill] = only(v)
}

func (f *fact) settle() {
	if !f.unknown {
		f.seen[afterCrash] = only(f.now)
	}
}

// jstream is a stream in a journal.
type jstream struct {
	there  fact
	inc    uint64 // 0 while it is being made
	msgs   map[store.Seq]*jmsg
	last   store.Seq // the highest sequence that was handed out or will be
	given  store.Seq // the highest sequence that was handed out
	words  []string  // which descriptions it may have
	drafts []*jdraft
	loose  map[string]bool           // names of drafts that are being made
	extra  map[store.Seq]store.Entry // what goOn stored in the image under test
	purges []*purge                  // that were begun
	// resumed says that goOn may have stored messages before the image under test was made.
	resumed bool
}

// afterFault is the payload of the messages that goOn stores.
const afterFault = "after the fault"

// jmsg is a message in a journal.
type jmsg struct {
	e       store.Entry
	live    fact
	touched int // how often it was removed or brought back: its absence proves nothing then
	// erasing says that it was begun to be erased, erased that it was.
	erasing, erased bool
}

// jdraft is a draft with its content, which no other one has, and the names that it may
// have; "" stands for none.
type jdraft struct {
	content string
	now     string
	names   [views]map[string]bool
	becomes store.Seq // the message that it was made, or was to be; 0 is none
	dropped bool      // it was begun to be removed, or another one to get its name: its absence proves nothing then
}

func newJournal(always bool) *journal {
	return &journal{always: always, streams: map[string]*jstream{}, incs: map[uint64]bool{}}
}

// do runs f with the journal locked.
func (j *journal) do(f func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f()
}

// barrier settles what was acknowledged in a stream: everything in it is durable.
func (js *jstream) barrier() {
	for _, m := range js.msgs {
		m.live.settle()
	}
	for _, d := range js.drafts {
		if m := js.msgs[d.becomes]; m != nil && !m.live.unknown {
			d.names[afterCrash] = map[string]bool{"": true}
		}
	}
}

// refused says that an error means that nothing changed.
func refused(err error) bool {
	for _, e := range []error{store.ErrNoSpace, store.ErrReadOnly, store.ErrClosed, store.ErrNotEmpty, store.ErrExists} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// notStored says that an error means that messages are not there: the stream goes on, and will give others their sequences.
func notStored(st store.Stream, err error) bool {
	return err != nil && (refused(err) || st.Sync(bg) == nil)
}

// image compares the streams of a store with the journal, and returns what is live.
func (j *journal) image(s store.Store, v view) (map[string][]store.Seq, error) {
	names, err := s.Streams(bg)
	if err != nil {
		return nil, fmt.Errorf("list streams: %w", err)
	}
	there := map[string]bool{}
	for _, name := range names {
		there[name] = true
		if j.streams[name] == nil && name != newName {
			return nil, fmt.Errorf("stream %s was never made", name)
		}
	}
	live := map[string][]store.Seq{}
	for name, js := range j.streams {
		if may := js.there.seen[v]; there[name] && !may.yes || !there[name] && !may.no {
			return nil, fmt.Errorf("stream %s is there: %v, but it %v", name, there[name], may)
		}
		if !there[name] {
			continue
		}
		st, err := s.Stream(bg, name)
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		if inc := st.Incarnation(); js.inc != 0 && inc != js.inc || js.inc == 0 && j.incs[inc] {
			return nil, fmt.Errorf("stream %s has the incarnation %d, had %d", name, inc, js.inc)
		}
		if words := st.Config().Description; !slices.Contains(js.words, words) {
			return nil, fmt.Errorf("stream %s is described as %q, may be as %q", name, words, js.words)
		}
		if live[name], err = js.messages(st, v); err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
		if err := js.draftsOf(st, v); err != nil {
			return nil, fmt.Errorf("stream %s: %w", name, err)
		}
	}
	return live, nil
}

// messages compares the messages of a stream with the journal, and returns the live ones.
func (js *jstream) messages(st store.Stream, v view) ([]store.Seq, error) {
	live, sum, order := map[store.Seq]bool{}, store.Totals{}, []store.Seq(nil)
	counts := map[string]store.Count{}
	later, highest := map[store.Seq]bool{}, store.Seq(0) // stored by goOn; the highest of the workload's
	for m, err := range st.Scan(bg, store.Query{}) {
		if err != nil {
			return nil, fmt.Errorf("scan: %w", err)
		}
		live[m.Seq], sum, order = true, sum.Add(m), append(order, m.Seq)
		ours, err := js.message(st, m.Seq)
		if err != nil {
			return nil, err
		}
		if later[m.Seq] = ours; !ours {
			highest = m.Seq
		}
		subject, err := st.SubjectOf(bg, m.Seq)
		if err != nil {
			return nil, fmt.Errorf("subject of %d: %w", m.Seq, err)
		}
		c := counts[subject]
		counts[subject] = store.Count{Messages: c.Messages + 1, First: cmp.Or(c.First, m.Seq), Last: m.Seq}
	}
	if err := sameCounts(st, counts); err != nil {
		return nil, err
	}
	state, err := st.State(bg)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	if state.Live != sum {
		return nil, fmt.Errorf("state says %+v, the scan %+v", state.Live, sum)
	}
	for seq, m := range js.msgs {
		if later[seq] {
			continue
		}
		if may := m.live.seen[v]; live[seq] && !may.yes || !live[seq] && !may.no {
			_, err := st.Load(bg, seq, nil)
			return nil, fmt.Errorf("message %d is live: %v, but it %v (load: %w)", seq, live[seq], may, err)
		}
		if seq < highest && m.touched == 0 && !live[seq] {
			return nil, fmt.Errorf("message %d is missing before %d: not a prefix", seq, highest)
		}
	}
	for _, p := range js.purges {
		if err := p.whole(live); err != nil {
			return nil, err
		}
	}
	return order, js.damage(st, v)
}

// sameCounts demands that a stream counts its subjects as a scan did.
func sameCounts(st store.Stream, want map[string]store.Count) error {
	got := map[string]store.Count{}
	for c, err := range st.Subjects(bg, "", "") {
		if err != nil {
			return fmt.Errorf("subjects: %w", err)
		}
		got[c.Subject] = c.Count
	}
	if !maps.Equal(got, want) {
		return fmt.Errorf("subjects are counted as %+v, the scan met %+v", got, want)
	}
	return nil
}

// message compares one message with what was stored, and says whether goOn stored it.
func (js *jstream) message(st store.Stream, seq store.Seq) (later bool, err error) {
	want, later := js.extra[seq]
	m := js.msgs[seq]
	got, err := st.Load(bg, seq, nil)
	switch {
	case err != nil:
		return later, fmt.Errorf("load of %d, which the scan met: %w", seq, err)
	case js.resumed && string(got.Data) == afterFault:
		return true, nil // stored before the second stop
	case m == nil && !later:
		return later, fmt.Errorf("message %d was never stored", seq)
	case !later:
		want = m.e
	}
	if got.Subject != want.Subject || !bytes.Equal(got.Header, want.Header) || !bytes.Equal(got.Data, want.Data) {
		return later, fmt.Errorf("message %d: got %q %.40q, want %q %.40q", seq, got.Subject, got.Data, want.Subject, want.Data)
	}
	return later, nil
}

// damage demands that no message that must be there is reported as lost.
func (js *jstream) damage(st store.Stream, v view) error {
	list, err := st.Damage(bg)
	if err != nil {
		return fmt.Errorf("damage: %w", err)
	}
	for _, d := range list {
		for seq, m := range js.msgs {
			if d.First <= seq && seq <= d.Last && m.live.seen[v] == only(true) {
				return fmt.Errorf("message %d is reported as damaged: %+v", seq, d)
			}
		}
	}
	return nil
}

// draftsOf compares the drafts of a stream with the journal.
func (js *jstream) draftsOf(st store.Stream, v view) error {
	list, err := st.ListDrafts(bg)
	if err != nil {
		return fmt.Errorf("list drafts: %w", err)
	}
	names := map[string]string{} // by content
	for _, info := range list {
		d, err := st.OpenDraft(bg, info.Name)
		if err != nil {
			return fmt.Errorf("draft %s: %w", info.Name, err)
		}
		b := make([]byte, info.Size)
		n, rerr := d.ReadAt(b, 0)
		if errors.As(rerr, new(*store.CorruptError)) && js.loose[info.Name] {
			_ = d.Close()
			continue // of a sealed draft, what was not synced may be damaged
		}
		if err := d.Close(); n != len(b) || err != nil {
			return fmt.Errorf("draft %s: read %d of %d bytes: %w", info.Name, n, len(b), errors.Join(rerr, err))
		}
		names[string(b)] = info.Name
	}
	if err := js.either(st, names); err != nil {
		return err
	}
	for _, d := range js.drafts {
		name := names[d.content]
		if !d.names[v][name] && (len(d.names[v]) == 1 && d.names[v][""] || !strings.HasPrefix(name, ".unpublished.")) {
			return fmt.Errorf("draft %q has the name %q, may have %v", d.content, name, namesOf(d.names[v]))
		}
		delete(names, d.content)
	}
	for content, name := range names {
		if !js.loose[name] {
			return fmt.Errorf("draft %s has the content %.40q, which was never written", name, content)
		}
	}
	return nil
}

func namesOf(m map[string]bool) (out []string) {
	for k := range maps.Keys(m) {
		out = append(out, k)
	}
	return out
}
