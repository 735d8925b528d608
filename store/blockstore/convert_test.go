package blockstore_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/vfs"
	"jsfs/store/legacy"
)

var legacyKey = legacy.Key("0123456789abcdef0123456789abcdef")

// at is the time of message seq in the files of these tests.
func at(seq int) int64 {
	return time.Date(2024, 1, 2, 3, 4, 0, 1234567_00, time.UTC).Add(time.Duration(seq) * time.Second).UnixNano()
}

// legacyMsg is a message that can be told from every other one.
func legacyMsg(stream string, seq int) store.Msg {
	m := store.Msg{
		Meta: store.Meta{Seq: store.Seq(seq), Time: at(seq)}, Subject: "sub." + stream,
		Data: []byte(strings.Repeat(fmt.Sprintf("%s %d. ", stream, seq), 10)),
	}
	if seq%3 == 0 {
		m.Header = []byte("NATS/1.0\r\nA: b\r\n\r\n")
	}
	return m
}

// legacyFile is a file of the first generation with those messages.
func legacyFile(ms ...store.Msg) string {
	var b []byte
	for _, m := range ms {
		b = legacy.AppendLine(b, m)
	}
	return string(b)
}

func legacyMsgs(stream string, seqs ...int) (ms []store.Msg) {
	for _, seq := range seqs {
		ms = append(ms, legacyMsg(stream, seq))
	}
	return ms
}

// newLegacy makes a directory of the first generation: name of a file, its content. All of it is durable.
func newLegacy(tb testing.TB, content map[string]string) *vfs.Mem {
	tb.Helper()
	mem := vfs.NewMem()
	for _, name := range slices.Sorted(maps.Keys(content)) {
		if dir, _, in := strings.Cut(name, "/"); in {
			if err := mem.Mkdir(dir); err != nil && !strings.Contains(err.Error(), "exists") {
				tb.Fatal(err)
			}
		}
		put(tb, mem, name, content[name])
	}
	return mem.Crash(seeded(0), 100)
}

// checkStream demands that a stream holds just those messages.
func checkStream(s store.Store, name string, want []store.Msg) error {
	st, err := s.Stream(bg, name)
	if err != nil {
		return err
	}
	i := 0
	for m, err := range st.Scan(bg, store.Query{}) {
		if err != nil {
			return err
		}
		if i == len(want) {
			return fmt.Errorf("stream %s has message %d, which is too much", name, m.Seq)
		}
		got, err := st.Load(bg, m.Seq, nil)
		if err != nil {
			return err
		}
		w := want[i]
		if got.Seq != w.Seq || got.Time != w.Time || got.Subject != w.Subject || string(got.Header) != string(w.Header) || string(got.Data) != string(w.Data) {
			return fmt.Errorf("stream %s: got %+v, want %+v", name, got, w)
		}
		i++
	}
	if i < len(want) {
		return fmt.Errorf("stream %s has %d messages, want %d", name, i, len(want))
	}
	state, err := st.State(bg)
	if err == nil && i > 0 && (state.Last != want[i-1].Seq || state.First != want[0].Seq || state.Lost != 0) {
		err = fmt.Errorf("stream %s: got state %+v, want %d to %d", name, state, want[0].Seq, want[i-1].Seq)
	}
	return err
}

// inQuarantine returns the files there whose names end so.
func inQuarantine(tb testing.TB, f vfs.FS, suffix string) (found []string) {
	tb.Helper()
	names, err := f.List("quarantine")
	must(tb, err)
	for _, name := range names {
		if strings.HasSuffix(name, suffix) {
			found = append(found, readAll(tb, f, "quarantine/"+name))
		}
	}
	return found
}

func TestADirectoryOfTheFirstGenerationIsConverted(t *testing.T) {
	a, b := legacyMsgs("A", 2, 3, 7, 1000), legacyMsgs("B", 1)
	mem := newLegacy(t, map[string]string{
		"A/messages.jsonl": legacyFile(a...), "A/index.manifest.json": "{}", "B/messages.jsonl": legacyFile(b...), "EMPTY/messages.jsonl": "",
	})
	for round := range 3 {
		s, err := blockstore.Open(mem, trialOptions(blockstore.SyncAlways))
		must(t, err)
		for name, want := range map[string][]store.Msg{"A": a, "B": b, "EMPTY": nil} {
			if err := checkStream(s, name, want); err != nil {
				t.Errorf("round %d: %v", round, err)
			}
		}
		got := s.Conversion().Streams
		if round == 0 && (len(got) != 3 || got[0].Name != "A" || got[0].Messages != 4 || got[0].Bad != 0 || got[0].Left != nil) {
			t.Errorf("got %+v", got)
		}
		if round > 0 && len(got) > 0 {
			t.Errorf("round %d: converted again: %+v", round, got)
		}
		must(t, s.Close())
	}
	all := files(t, mem, ".")
	if all["A/messages.jsonl.migrated"] != legacyFile(a...) || all["B/messages.jsonl.migrated"] != legacyFile(b...) || all["A/index.manifest.json"] != "{}" {
		t.Error("the old files are not what they were")
	}
	if _, there := all["A/messages.jsonl"]; there {
		t.Error("the old file is there still")
	}
	report, err := blockstore.CheckFS(bg, mem, nil)
	if err != nil || len(report.Damage) > 0 || len(report.Quarantine) > 0 {
		t.Errorf("check: got %+v, %v", report, err)
	}
}

func TestAConvertedStreamGoesOn(t *testing.T) {
	mem := newLegacy(t, map[string]string{"A/messages.jsonl": legacyFile(legacyMsgs("A", 2, 5)...)})
	s, err := blockstore.Open(mem, trialOptions(blockstore.SyncAlways))
	must(t, err)
	st, err := s.Stream(bg, "A")
	must(t, err)
	seq, err := st.Append(bg, store.Entry{Subject: "x", Data: []byte("new")})
	if err != nil || seq != 6 {
		t.Errorf("got sequence %d, %v, want 6", seq, err)
	}
	for seq, want := range map[store.Seq]error{1: store.ErrNotFound, 3: store.ErrNotFound, 7: store.ErrBeyond} {
		if _, err := st.Load(bg, seq, nil); !errors.Is(err, want) {
			t.Errorf("message %d: got %v, want %v", seq, err, want)
		}
	}
	must(t, s.Close())
}

// sealedPayloads returns a payload in each form in which FSV2 has it.
func sealedPayloads(tb testing.TB, payload string) (out []string) {
	tb.Helper()
	for _, s := range []legacy.Sealer{
		{}, {Compress: true}, {Cipher: legacy.AES256GCM, Key: legacyKey}, {Compress: true, Cipher: legacy.ChaCha20Poly1305, Key: legacyKey},
	} {
		b, err := s.Seal([]byte(payload))
		must(tb, err)
		out = append(out, string(b))
	}
	return out
}

func TestEnvelopesAreOpened(t *testing.T) {
	payload := strings.Repeat("payload ", 20)
	var sealed, want []store.Msg
	for i, b := range sealedPayloads(t, payload) {
		m := legacyMsg("A", i+1)
		m.Data = []byte(b)
		sealed = append(sealed, m)
		m.Data = []byte(payload)
		want = append(want, m)
	}
	mem := newLegacy(t, map[string]string{"A/messages.jsonl": legacyFile(sealed...)})
	for name, keys := range map[string][]legacy.Key{"no key": nil, "another key": {legacy.Key(strings.Repeat("k", 32))}} {
		opt := trialOptions(blockstore.SyncAlways)
		opt.LegacyKeys = keys
		var changes []string
		mem.Hook = func(change string) { changes = append(changes, change) }
		_, err := blockstore.Open(mem, opt)
		if !errors.Is(err, store.ErrKey) || !strings.Contains(err.Error(), "A/messages.jsonl:3") {
			t.Errorf("%s: got %v, want %v with the line", name, err, store.ErrKey)
		}
		if len(changes) > 0 {
			t.Errorf("%s: it was refused, and changed %q", name, changes)
		}
	}
	mem.Hook = nil
	opt := trialOptions(blockstore.SyncAlways)
	opt.LegacyKeys = []legacy.Key{legacy.Key("another"), legacyKey}
	s, err := blockstore.Open(mem, opt)
	must(t, err)
	if err := checkStream(s, "A", want); err != nil {
		t.Error(err)
	}
	if got := s.Conversion().Streams; !got[0].Sealed {
		t.Errorf("got %+v, want that payloads were encrypted", got)
	}
	must(t, s.Close())
}

// badFile has two good messages, bad lines between them and a torn one behind.
func badFile() (file, bad string, good []store.Msg) {
	good = legacyMsgs("A", 4, 9)
	damaged := legacyMsg("A", 5)
	damaged.Data = []byte("FSV2\x00\x00\x00\x00\x00checksumdamaged")
	bad = "{\"Sequence\":3}\n" + legacyFile(legacyMsg("A", 4)) + legacyFile(damaged) + "not\x00JSON\r\n"
	torn := legacyFile(legacyMsg("A", 10))[:50]
	return legacyFile(good[0]) + bad + legacyFile(good[1]) + torn, bad + torn, good
}

func TestBadLinesAreKeptAsideAndTold(t *testing.T) {
	file, bad, good := badFile()
	mem := newLegacy(t, map[string]string{"A/messages.jsonl": file})
	s, err := blockstore.Open(mem, trialOptions(blockstore.SyncAlways))
	must(t, err)
	if err := checkStream(s, "A", good); err != nil {
		t.Error(err)
	}
	c := s.Conversion().Streams[0]
	must(t, s.Close())
	if c.Messages != 2 || c.Bad != 5 || !c.Torn || c.Left != nil {
		t.Errorf("got %+v", c)
	}
	if got := readAll(t, mem, c.Kept); got != bad {
		t.Errorf("kept aside: got %q, want %q", got, bad)
	}
	why := strings.Split(strings.TrimSuffix(readAll(t, mem, c.Why), "\n"), "\n")
	for i, want := range []string{":2: ", ":3: ", ":4: ", ":5: ", ":7: 50 bytes at offset"} {
		if i >= len(why) || !strings.HasPrefix(why[i], "A/messages.jsonl"+want) {
			t.Errorf("reasons: got %q, want one that begins with %q", why, want)
		}
	}
	if !strings.Contains(why[len(why)-1], "cut off by a crash") {
		t.Errorf("the torn line: got %q", why[len(why)-1])
	}
}

func TestTimesThatGoBackwardsAreRaised(t *testing.T) {
	ms := legacyMsgs("A", 1, 2, 3)
	ms[1].Time = at(0)
	mem := newLegacy(t, map[string]string{"A/messages.jsonl": legacyFile(ms...)})
	s, err := blockstore.Open(mem, trialOptions(blockstore.SyncAlways))
	must(t, err)
	ms[1].Time = at(1)
	if err := checkStream(s, "A", ms); err != nil {
		t.Error(err)
	}
	if c := s.Conversion().Streams[0]; c.Raised != 1 || c.Left != nil {
		t.Errorf("got %+v", c)
	}
	must(t, s.Close())
}

func TestOpeningForReadingConvertsNothing(t *testing.T) {
	mem := newLegacy(t, map[string]string{"A/messages.jsonl": legacyFile(legacyMsgs("A", 1)...)})
	opt := trialOptions(blockstore.SyncAlways)
	opt.ReadOnly = true
	err := unchanged(mem, func() error {
		_, err := blockstore.Open(mem, opt)
		return err
	})
	if !errors.Is(err, blockstore.ErrUnconverted) {
		t.Errorf("got %v, want %v", err, blockstore.ErrUnconverted)
	}
	s, err := blockstore.Open(mem, trialOptions(blockstore.SyncAlways))
	must(t, err)
	must(t, s.Close())
	put(t, mem, "B", "not a directory")
	must(t, mem.Mkdir("C"))
	put(t, mem, "C/messages.jsonl", legacyFile(legacyMsgs("C", 1)...))
	if _, err := blockstore.Open(mem, opt); !errors.Is(err, blockstore.ErrUnconverted) {
		t.Errorf("one that was not there before: got %v, want %v", err, blockstore.ErrUnconverted)
	}
}

func TestAFileThatIsNotWhatTheStreamIsStays(t *testing.T) {
	for name, file := range map[string]string{
		"another payload":   strings.Replace(legacyFile(legacyMsgs("A", 1)...), "Subject\":\"s", "Subject\":\"t", 1),
		"one message more":  legacyFile(legacyMsgs("A", 1, 2, 3)...),
		"one between them":  legacyFile(legacyMsgs("A", 2)...),
		"the highest there": legacyFile(legacyMsg("A", 1000)),
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			mem := newLegacy(t, map[string]string{"A/messages.jsonl": legacyFile(legacyMsgs("A", 1, 3)...)})
			s, err := blockstore.Open(mem, trialOptions(blockstore.SyncAlways))
			must(t, err)
			must(t, s.Close())
			put(t, mem, "A/messages.jsonl", file)
			for _, readOnly := range []bool{false, true} {
				opt := trialOptions(blockstore.SyncAlways)
				opt.ReadOnly = readOnly
				s, err = blockstore.Open(mem, opt)
				must(t, err)
				if err := checkStream(s, "A", legacyMsgs("A", 1, 3)); err != nil {
					t.Error(err)
				}
				if c := s.Conversion().Streams; !readOnly && (len(c) != 1 || c[0].Left == nil) {
					t.Errorf("got %+v, want that the file was left", c)
				}
				must(t, s.Close())
			}
			if got := readAll(t, mem, "A/messages.jsonl"); got != file {
				t.Errorf("the file is %q, want %q", got, file)
			}
		})
	}
}

func TestAFileThatTheStreamHasAlreadyIsSetAsideBesideTheFirst(t *testing.T) {
	file, bad, good := badFile()
	mem := newLegacy(t, map[string]string{"A/messages.jsonl": file})
	for i := range 2 {
		s, err := blockstore.Open(mem, trialOptions(blockstore.SyncAlways))
		must(t, err)
		if err := checkStream(s, "A", good); err != nil {
			t.Error(err)
		}
		must(t, s.Close())
		if i == 0 {
			put(t, mem, "A/messages.jsonl", file)
		}
	}
	if a, b := readAll(t, mem, "A/messages.jsonl.migrated"), readAll(t, mem, "A/messages.jsonl.migrated.2"); a != file || b != file {
		t.Errorf("got %q and %q", a, b)
	}
	if got := inQuarantine(t, mem, ".bad"); len(got) != 1 || got[0] != bad {
		t.Errorf("kept aside: got %q, want one file with %q", got, bad)
	}
}

func TestAConversionTellsHowFarItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := newLegacy(t, map[string]string{"A/messages.jsonl": legacyFile(legacyMsgs("A", 1, 2, 3)...)})
		mem.Hook = func(string) { time.Sleep(10 * time.Second) } // a slow disk
		told := map[string]bool{}
		opt := trialOptions(blockstore.SyncAlways)
		opt.Converting = func(stream, step string, done, total int64) {
			if stream != "A" || done < 0 || done > total || total != int64(len(legacyFile(legacyMsgs("A", 1, 2, 3)...))) {
				t.Errorf("got %s, %d of %d", stream, done, total)
			}
			told[step] = true
		}
		s, err := blockstore.Open(mem, opt)
		must(t, err)
		must(t, s.Close())
		if !told["stored"] || !told["compared"] {
			t.Errorf("got %v", told)
		}
	})
}
