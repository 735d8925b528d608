package record

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

// exampleHeader is the block that FORMAT.md's examples are in.
func exampleHeader() *Header {
	h := &Header{Store: ID{1, 2, 3}, Incarnation: 3, Block: 1, First: 1, Mark: 65536, Time: 1_700_000_000_000_000_000}
	for i := range h.Salt {
		h.Salt[i] = byte(i)
	}
	return h
}

func exampleMessage() *Message {
	return &Message{
		Seq: 1, Time: 1_700_000_000_000_001_000, Durable: DataStart, JSON: 100,
		Subject: "orders.new", Data: []byte("hello\n"),
	}
}

func exampleCompressed() *Message {
	m := exampleMessage()
	m.Header = []byte("NATS/1.0\r\nNumber: 1\r\n\r\n")
	m.Data, m.Compress, m.JSON = bytes.Repeat([]byte("hello "), 20), true, 300
	return m
}

func exampleRemoval() *Control {
	return &Control{
		Kind: FlagRemove, Seq: 2, Time: 1_700_000_000_000_001_000,
		Ranges: []Range{{First: 1, Count: 1, Sums: store.Totals{Messages: 1, Payload: 6, Log: 6, JSON: 100}}},
	}
}

// examplePurge has one range with a gap, and a skip.
func examplePurge() *Control {
	r := Range{Sums: store.Totals{Messages: 4, Payload: 600, Log: 604, JSON: 900}}
	r.Add(1, 3)
	r.Add(7, 1)
	return &Control{Kind: FlagRemove, Seq: 20, Time: 1_700_000_000_000_001_000, Skip: 12, Ranges: []Range{r}}
}

func TestFormatExamplesAreWhatTheCodecWrites(t *testing.T) {
	text, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	c := exampleHeader().Coder()
	message := c.AppendMessage(nil, DataStart, exampleMessage())
	off := int64(DataStart + len(message))
	for name, want := range map[string][]byte{
		"message":    message,
		"compressed": c.AppendMessage(nil, DataStart, exampleCompressed()),
		"remove":     c.AppendControl(nil, off, DataStart, exampleRemoval()),
		"purge":      c.AppendControl(nil, off, DataStart, examplePurge()),
	} {
		m := regexp.MustCompile("(?s)```hex " + name + "\n(.*?)```").FindSubmatch(text)
		if m == nil {
			t.Errorf("FORMAT.md has no example %s; it would be\n% x", name, want)
			continue
		}
		got, err := hex.DecodeString(strings.Join(strings.Fields(string(m[1])), ""))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got % x, want % x (%v)", name, got, want, err)
		}
	}
}

func TestMessagesAreReadAsWritten(t *testing.T) {
	h := exampleHeader()
	c := h.Coder()
	for name, m := range map[string]Message{
		"the smallest":              {Seq: 1, Time: h.Time, Durable: DataStart, Subject: "x", JSON: 80},
		"a newline at the end":      {Seq: 2, Time: h.Time + 5, Durable: DataStart, Subject: "x", Data: []byte("a\n"), JSON: 80},
		"a header block":            {Seq: 3, Time: h.Time, Durable: DataStart, Subject: "x.y", Header: []byte("NATS/1.0\r\n\r\n"), JSON: 99},
		"the largest numbers":       {Seq: math.MaxUint64, Time: math.MaxInt64, Durable: DataStart, Subject: strings.Repeat("s", store.MaxSubject), Header: make([]byte, store.MaxHeader), Data: make([]byte, 1<<20), JSON: 1<<20 + 400_000},
		"compressed":                {Seq: 5, Time: h.Time, Durable: DataStart, Subject: "x", Header: []byte("NATS/1.0\r\n\r\n"), Data: bytes.Repeat([]byte("abc"), 1000), JSON: 4000, Compress: true},
		"not to be compressed":      {Seq: 6, Time: h.Time, Durable: DataStart, Subject: "x", Data: []byte("abc"), JSON: 80, Compress: true},
		"a time before the block's": {Seq: 4, Time: math.MinInt64, Durable: DataStart, Subject: "x", JSON: 80},
	} {
		const off = 5_000_000
		rec := c.AppendMessage([]byte("before"), off, &m)[6:]
		head, err := c.Head(rec[:min(MaxHead, len(rec))], off)
		if err != nil {
			t.Errorf("%s: head: %v", name, err)
			continue
		}
		if err := c.Check(rec, off); err != nil || head.Size != int64(len(rec)) {
			t.Errorf("%s: got size %d and %v, want %d", name, head.Size, err, len(rec))
		}
		subject, header, data, err := c.Open(&head, rec, off)
		if err != nil || (head.Flags&FlagCompressed != 0) != (name == "compressed") {
			t.Errorf("%s: opened with %v, flags %#x", name, err, head.Flags)
		}
		got := Message{Seq: head.Seq, Time: head.Time, Durable: head.Durable, JSON: head.JSON, Subject: string(subject), Header: header, Data: data}
		if !bytes.Equal(got.Header, m.Header) || !bytes.Equal(got.Data, m.Data) {
			t.Errorf("%s: header or payload differ", name)
		}
		got.Header, got.Data, m.Header, m.Data, m.Compress = nil, nil, nil, nil, false
		if d := cmp.Diff(m, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		sum := c.Sum(&head, off)
		for p := rec; len(p) > 0; p = p[min(7, len(p)):] {
			_, _ = sum.Write(p[:min(7, len(p))])
		}
		if err := sum.Check(); err != nil {
			t.Errorf("%s: checked in pieces: %v", name, err)
		}
	}
}

func TestSmallMessagesCostAtMost30Bytes(t *testing.T) {
	h := exampleHeader()
	c := h.Coder()
	m := Message{Seq: 60_000, Time: h.Time + 1_000_000_000_000, Durable: 6 << 20, JSON: 128 + 100, Subject: "orders.new", Data: make([]byte, 128)}
	if got := len(c.AppendMessage(nil, 7<<20, &m)) - len(m.Subject) - len(m.Data); got > 30 {
		t.Errorf("got %d bytes, want at most 30", got)
	}
}

func TestNoChangedByteIsAccepted(t *testing.T) {
	c := exampleHeader().Coder()
	rec := c.AppendMessage(nil, DataStart, exampleMessage())
	for i := range rec {
		for bit := range 8 {
			bad := bytes.Clone(rec)
			bad[i] ^= 1 << bit
			h, err := c.Head(append(bytes.Clone(bad), make([]byte, MaxHead)...), DataStart)
			if err == nil && h.Size == int64(len(rec)) && c.Check(bad, DataStart) == nil {
				t.Errorf("byte %d, bit %d: accepted", i, bit)
			}
			if headLen := len(rec) - 10 - 6 - 8; i < headLen && err == nil {
				t.Errorf("byte %d, bit %d: head accepted", i, bit)
			}
		}
	}
}

func TestARecordIsValidOnlyInItsPlace(t *testing.T) {
	h := exampleHeader()
	c := h.Coder()
	rec := c.AppendMessage(nil, DataStart, exampleMessage())
	if _, err := c.Head(rec, DataStart+1); !errors.Is(err, ErrBad) {
		t.Errorf("at another offset: got %v, want ErrBad", err)
	}
	if err := c.Check(rec, DataStart+1); !errors.Is(err, ErrBad) {
		t.Errorf("sum at another offset: got %v, want ErrBad", err)
	}
	h.Salt[31]++
	other := h.Coder()
	if err := other.Check(rec, DataStart); !errors.Is(err, ErrBad) {
		t.Errorf("sum in another block: got %v, want ErrBad", err)
	}
	h.Salt[31]--
	h.Incarnation++
	other = h.Coder()
	if _, err := other.Head(rec, DataStart); !errors.Is(err, ErrBad) {
		t.Errorf("in another stream: got %v, want ErrBad", err)
	}
}

func TestZerosAreNoRecord(t *testing.T) {
	c := exampleHeader().Coder()
	if _, err := c.Head(make([]byte, 100), DataStart); !errors.Is(err, ErrBad) {
		t.Errorf("got %v, want ErrBad", err)
	}
}

func TestReservedFlagsAreALaterVersion(t *testing.T) {
	c := exampleHeader().Coder()
	for _, flag := range []byte{FlagRemove | FlagUndelete, FlagUndelete | FlagSkip, flagsControl, FlagRemove | FlagSkip | FlagDraft} {
		rec := c.appendHead(nil, DataStart, 20, &Head{Flags: flag, Seq: 1, Durable: DataStart, Time: c.time, Subject: 1, JSON: 50})
		if _, err := c.Head(rec, DataStart); !errors.Is(err, store.ErrVersion) {
			t.Errorf("flag %#x: got %v, want ErrVersion", flag, err)
		}
	}
}

func TestACompressedRecordNeverGrowsBeyondWhatItsHeadSays(t *testing.T) {
	c := exampleHeader().Coder()
	big := Message{Seq: 1, Durable: DataStart, Time: c.time, Subject: "x", Data: make([]byte, 1<<20), JSON: 1<<20 + 80, Compress: true}
	rec := c.AppendMessage(nil, DataStart, &big)
	h, err := c.Head(rec, DataStart)
	if err != nil || len(rec) > 1000 {
		t.Fatalf("got %d bytes, %v", len(rec), err)
	}
	for name, lie := range map[string]Head{
		"a payload that is too large":    {Flags: FlagCompressed, Subject: 1, Data: store.MaxMsgSize + 1},
		"a payload that is no larger":    {Flags: FlagCompressed, Subject: 1, Data: 10},
		"more than the block unpacks to": {Flags: FlagCompressed, Subject: 1, Data: 1<<20 + 1},
		"less than the block unpacks to": {Flags: FlagCompressed, Subject: 1, Data: 1<<20 - 1},
	} {
		lie.Seq, lie.Durable, lie.Time, lie.JSON = 1, DataStart, c.time, 80
		body := rec[h.Len : len(rec)-sumSize]
		bad := c.appendSum(append(c.appendHead(nil, DataStart, len(body), &lie), body...), 0, DataStart)
		got, err := c.Head(bad, DataStart)
		if err == nil {
			allocs := testing.AllocsPerRun(5, func() { _, _, _, err = c.Open(&got, bad, DataStart) })
			if allocs > 0 {
				t.Errorf("%s: got %v allocations", name, allocs)
			}
		}
		if !errors.Is(err, ErrBad) {
			t.Errorf("%s: got %v, want ErrBad", name, err)
		}
	}
}

func TestControlsAreReadAsWritten(t *testing.T) {
	c := exampleHeader().Coder()
	for name, want := range map[string]Control{
		"a removal":            *exampleRemoval(),
		"an undeletion":        {Kind: FlagUndelete, Seq: 9, Time: c.time, Ranges: []Range{{First: 3, Count: 1, Sums: store.Totals{Messages: 1}}}},
		"several ranges":       {Kind: FlagRemove, Seq: 100, Time: c.time, Ranges: []Range{{First: 3, Count: 7}, {First: 50, Count: 50}}},
		"a removal at the top": {Kind: FlagRemove, Seq: 0, Time: c.time, Ranges: []Range{{First: math.MaxUint64, Count: 1, Sums: store.Totals{Messages: 1}}}},
		"a skip":               {Kind: FlagSkip, Seq: 4, Time: c.time, Skip: 1 << 40, Why: SkipReserved},
		"a skip to the top":    {Kind: FlagSkip, Seq: 5, Time: c.time, Skip: math.MaxUint64 - 5, Why: SkipUnused},
	} {
		b := c.AppendControl(nil, DataStart, DataStart, &want)
		for off := int64(DataStart); len(b) > 0; {
			h, err := c.Head(b, off)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got, err := h.ControlOf(b[:h.Size])
			if err != nil || c.Check(b[:h.Size], off) != nil || !got.Same(&want) {
				t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
			}
			b, off = b[h.Size:], off+h.Size
		}
	}
}

func TestHeadersAreReadAsWritten(t *testing.T) {
	want := exampleHeader()
	b := want.Start()
	for _, off := range []int{0, HeaderCopy} {
		if got, err := ParseHeader(b[off:]); err != nil || got != *want {
			t.Errorf("copy at %d: got %+v, %v, want %+v", off, got, err, want)
		}
	}
	for i := range HeaderSize {
		bad := bytes.Clone(b[:HeaderSize])
		bad[i] ^= 0x10
		if _, err := ParseHeader(bad); !errors.Is(err, ErrBad) {
			t.Errorf("byte %d changed: got %v, want ErrBad", i, err)
		}
	}
}

func exampleFooter() *Footer {
	return &Footer{
		Trailer: Trailer{DataEnd: 9000, Next: 12, FirstTime: 5, LastTime: 6, All: store.Totals{Messages: 3, Payload: 10, Log: 12, JSON: 400}},
		Offsets: []uint32{DataStart, 5000, 8000}, Runs: []Run{{1, 0}, {10, 2}}, Controls: []Control{*exampleRemoval()},
		Subjects: []Subject{{"orders.eu.new", []uint32{0, 2}}, {"orders.us.new", []uint32{1}}}, Bad: []Span{{6000, 100}},
	}
}

func TestFootersAreReadAsWritten(t *testing.T) {
	h := exampleHeader()
	want := exampleFooter()
	b := want.Append(nil, h)
	size := want.DataEnd + int64(len(b))
	trailer, hdr, err := ParseTrailer(b[len(b)-TrailerSize:], size, nil)
	if err != nil || hdr != *h || !IsFooter(b) {
		t.Fatalf("got %+v, %v", hdr, err)
	}
	section := func(s Section) []byte {
		off, n := trailer.Place(s)
		return b[off-want.DataEnd:][:n]
	}
	got := &Footer{Trailer: trailer}
	var errs [5]error
	got.Offsets, errs[0] = trailer.Offsets(h, section(Offsets))
	got.Runs, errs[1] = trailer.Runs(h, section(Runs))
	got.Controls, errs[2] = trailer.Controls(h, section(Controls))
	var table *SubjectTable
	if table, errs[3] = trailer.Subjects(h, section(Subjects), section(Places), true); errs[3] == nil {
		got.Subjects = walkTable(table)
	}
	got.Bad, errs[4] = trailer.Bad(h, section(Bad))
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(Trailer{}, part{}, Range{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for i := len(b) - TrailerSize; i < len(b); i++ {
		b[i] ^= 4
		if _, _, err := ParseTrailer(b[len(b)-TrailerSize:], size, nil); err == nil {
			t.Errorf("byte %d of the trailer changed: accepted", i-len(b)+TrailerSize)
		}
		b[i] ^= 4
	}
}

func TestEnvelopesSurviveDamageToOneCopy(t *testing.T) {
	for _, size := range []int{0, 10, copyAlign - 24, copyAlign - 23, 3*copyAlign + 17} {
		content := bytes.Repeat([]byte("x"), size)
		b := Envelope(MagicConfig, content)
		if got, damaged, err := OpenEnvelope(MagicConfig, b); err != nil || damaged || !bytes.Equal(got, content) {
			t.Errorf("%d bytes: got %d bytes, %v, %v", size, len(got), damaged, err)
		}
		one := envelopeHead + size + 8
		second := (one + copyAlign - 1) / copyAlign * copyAlign
		for _, at := range []int{0, 8, 12, one - 1, second, second + 9, second + one - 1} {
			bad := bytes.Clone(b)
			bad[at] ^= 0x40
			if got, damaged, err := OpenEnvelope(MagicConfig, bad); err != nil || !damaged || !bytes.Equal(got, content) {
				t.Errorf("%d bytes, byte %d changed: got %d bytes, %v, %v", size, at, len(got), damaged, err)
			}
		}
	}
	if _, _, err := OpenEnvelope(MagicConfig, Envelope(MagicStore, nil)); !errors.Is(err, ErrBad) {
		t.Errorf("another magic: got %v, want ErrBad", err)
	}
}

func TestALaterVersionIsNoDamage(t *testing.T) {
	b := Envelope(MagicStore, []byte("{}"))
	one := envelopeHead + 2
	b[8] = Version + 1
	copy(b[one:], leSum(b[:one]))
	if _, _, err := OpenEnvelope(MagicStore, b); !errors.Is(err, store.ErrVersion) {
		t.Errorf("envelope: got %v, want ErrVersion", err)
	}
	h := exampleHeader().Append(nil)
	h[8] = Version + 1
	copy(h[120:], leSum(h[:120]))
	if _, err := ParseHeader(h); !errors.Is(err, store.ErrVersion) {
		t.Errorf("header: got %v, want ErrVersion", err)
	}
	s, _ := (&State{}).Slot()
	s[8] = Version + 1
	copy(s[slotUsed-8:], leSum(s[:slotUsed-8]))
	if _, _, err := OpenState(append(s, make([]byte, StateSize)...)); !errors.Is(err, store.ErrVersion) {
		t.Errorf("state: got %v, want ErrVersion", err)
	}
}

func leSum(b []byte) []byte {
	s := sum64(0, b)
	return []byte{byte(s), byte(s >> 8), byte(s >> 16), byte(s >> 24), byte(s >> 32), byte(s >> 40), byte(s >> 48), byte(s >> 56)}
}

func TestTheNewestWholeSlotCounts(t *testing.T) {
	file := make([]byte, StateSize)
	put := func(s State) {
		b, off := s.Slot()
		copy(file[off:], b)
	}
	put(State{Generation: 7, Last: 70})
	put(State{Generation: 8, Last: 80, Clean: true})
	if got, damaged, err := OpenState(file); err != nil || damaged || got.Last != 80 || !got.Clean {
		t.Errorf("got %+v, %v, %v", got, damaged, err)
	}
	file[20] ^= 1 // of generation 8
	if got, damaged, err := OpenState(file); err != nil || !damaged || got.Last != 70 {
		t.Errorf("newest damaged: got %+v, %v, %v", got, damaged, err)
	}
	file[SlotSize+100] ^= 1
	if _, damaged, err := OpenState(file); !errors.Is(err, ErrBad) || !damaged {
		t.Errorf("both damaged: got %v, %v", damaged, err)
	}
}
