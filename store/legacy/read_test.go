package legacy

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"jsfs/store"
)

// b64 is what a line has of bytes.
func b64[T string | []byte](b T) string { return base64.StdEncoding.EncodeToString([]byte(b)) }

// line is a good line with a sequence and a payload.
func line(seq int, payload string) string {
	return fmt.Sprintf(`{"Sequence":%d,"Subject":"a.b","PayloadBase64":"%s","TimestampUtc":"2024-05-06T07:08:09.1234567Z"}`, seq, b64(payload))
}

func readAll(tb testing.TB, text string, keys ...Key) []Line {
	tb.Helper()
	var out []Line
	for l, err := range Read(strings.NewReader(text), "STREAM", keys) {
		if err != nil {
			tb.Fatalf("line %d: %v", l.Number, err)
		}
		l.Msg.Data, l.Msg.Header = bytes.Clone(l.Msg.Data), bytes.Clone(l.Msg.Header)
		out = append(out, l)
	}
	return out
}

func TestAGoodLineIsItsMessage(t *testing.T) {
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC).UnixNano()
	header := "NATS/1.0\r\nA: b\r\n\r\n"
	for _, c := range []struct {
		name, text string
		want       store.Msg
	}{
		{
			"all keys", `{"Sequence":7,"Subject":"a.b","HeadersBase64":"` + b64(header) + `","PayloadBase64":"aGk=","TimestampUtc":"2024-05-06T07:08:09.1234567Z"}`,
			store.Msg{Meta: store.Meta{Seq: 7, Time: at + 123456700}, Subject: "a.b", Header: []byte(header), Data: []byte("hi")},
		},
		{
			"keys in any case and order", `{"TIMESTAMPUTC":"2024-05-06T07:08:09Z","payloadbase64":"","sequence":18446744073709551615}`,
			store.Msg{Meta: store.Meta{Seq: 1<<64 - 1, Time: at}, Subject: "STREAM"},
		},
		{
			"an empty subject is the stream's name", `{"Sequence":1,"Subject":"","PayloadBase64":"aGk=","TimestampUtc":"2024-05-06T07:08:09Z"}`,
			store.Msg{Meta: store.Meta{Seq: 1, Time: at}, Subject: "STREAM", Data: []byte("hi")},
		},
		{
			"null is missing", `{"Sequence":1,"Subject":null,"HeadersBase64":null,"PayloadBase64":"aGk=","TimestampUtc":"2024-05-06T07:08:09Z"}`,
			store.Msg{Meta: store.Meta{Seq: 1, Time: at}, Subject: "STREAM", Data: []byte("hi")},
		},
		{
			"empty headers are none", `{"Sequence":1,"HeadersBase64":"","PayloadBase64":"aGk=","TimestampUtc":"2024-05-06T07:08:09Z"}`,
			store.Msg{Meta: store.Meta{Seq: 1, Time: at}, Subject: "STREAM", Data: []byte("hi")},
		},
		{
			"a time with an offset", `{"Sequence":1,"PayloadBase64":"aGk=","TimestampUtc":"2024-05-06T09:08:09.5+02:00"}`,
			store.Msg{Meta: store.Meta{Seq: 1, Time: at + 5e8}, Subject: "STREAM", Data: []byte("hi")},
		},
		{
			"escapes, as writers of JSON like them", `{"Sequence":1,"Subject":"caf\u00e9.\ud83d\ude00","PayloadBase64":"\u002B\/8=","TimestampUtc":"2024-05-06T07:08:09\u002B00:00"}`,
			store.Msg{Meta: store.Meta{Seq: 1, Time: at}, Subject: "café.😀", Data: []byte{0xfb, 0xff}},
		},
		{
			"white space, a byte order mark and a carriage return", "\xef\xbb\xbf { \"Sequence\" : 1 , \"PayloadBase64\" : \"aGk=\" , \"TimestampUtc\" : \"2024-05-06T07:08:09Z\" } \r",
			store.Msg{Meta: store.Meta{Seq: 1, Time: at}, Subject: "STREAM", Data: []byte("hi")},
		},
		{
			"a payload that begins with a magic", `{"Sequence":1,"PayloadBase64":"` + b64("FSV1 and FSV2 are magics") + `","TimestampUtc":"2024-05-06T07:08:09Z"}`,
			store.Msg{Meta: store.Meta{Seq: 1, Time: at}, Subject: "STREAM", Data: []byte("FSV1 and FSV2 are magics")},
		},
		{
			"a replacement character that is meant", `{"Sequence":1,"Subject":"a.�","PayloadBase64":"","TimestampUtc":"1970-01-01T00:00:00Z"}`,
			store.Msg{Meta: store.Meta{Seq: 1}, Subject: "a.�"},
		},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			for _, end := range []string{"\n", ""} {
				got := readAll(t, c.text+end)
				if len(got) != 1 || got[0].Err != nil {
					t.Fatalf("got %+v", got)
				}
				m := got[0].Msg
				if m.Meta != c.want.Meta || m.Subject != c.want.Subject || !bytes.Equal(m.Header, c.want.Header) || !bytes.Equal(m.Data, c.want.Data) {
					t.Errorf("got %+v, want %+v", m, c.want)
				}
				if got[0].Number != 1 || got[0].Offset != 0 || got[0].Length != int64(len(c.text+end)) {
					t.Errorf("got line %d at %d, %d bytes", got[0].Number, got[0].Offset, got[0].Length)
				}
			}
		})
	}
}

// badLines are lines that are no message, and what the reason says.
var badLines = []struct{ name, text, want string }{
	{"no JSON", `Sequence=1`, "no JSON object"},
	{"an array", `[1]`, "no JSON object"},
	{"zeros", "\x00\x00\x00", "no JSON object"},
	{"a line that ends early", line(5, "x")[:40], "no JSON object"},
	{"something behind the object", line(5, "x") + "{}", "follows"},
	{"no UTF-8", strings.Replace(line(5, "x"), "a.b", "a.\xff", 1), "UTF-8"},
	{"half a character as an escape", strings.Replace(line(5, "x"), "a.b", `a.\ud83d`, 1), "half a character"},
	{"the other half", strings.Replace(line(5, "x"), "a.b", `a.\uDE00`, 1), "half a character"},
	{"halves with something between", strings.Replace(line(5, "x"), "a.b", `a.\ud83d-\ude00`, 1), "half a character"},
	{"a key that no message has", strings.Replace(line(5, "x"), "{", `{"Extra":1,`, 1), `"Extra"`},
	{"a key that only looks like one", strings.Replace(line(5, "x"), "Subject", "\u017fubject", 1), "no message has"},
	{"a key twice", strings.Replace(line(5, "x"), "{", `{"sequence":4,`, 1), "twice"},
	{"a nested value", strings.Replace(line(5, "x"), `"a.b"`, `["a.b"]`, 1), "no single value"},
	{"no sequence", strings.Replace(line(5, "x"), `"Sequence":5,`, ``, 1), "Sequence is missing"},
	{"sequence 0", line(0, "x"), "no sequence number"},
	{"a negative sequence", line(-5, "x"), "no sequence number"},
	{"a fraction as sequence", strings.Replace(line(5, "x"), ":5,", ":5.0,", 1), "no sequence number"},
	{"a sequence that is too large", strings.Replace(line(5, "x"), ":5,", ":18446744073709551616,", 1), "no sequence number"},
	{"a sequence in quotes", strings.Replace(line(5, "x"), ":5,", `:"5",`, 1), "Sequence is missing"},
	{"a sequence that does not rise", line(3, "x"), "does not rise above 3"},
	{"a subject that is a number", strings.Replace(line(5, "x"), `"a.b"`, `7`, 1), "Subject"},
	{"a subject with a wildcard", strings.Replace(line(5, "x"), "a.b", "a.*", 1), "wildcard"},
	{"a subject with a space", strings.Replace(line(5, "x"), "a.b", "a b", 1), "white space"},
	{"a subject that is too long", strings.Replace(line(5, "x"), "a.b", strings.Repeat("s", 5000), 1), "too long"},
	{"no payload", strings.Replace(line(5, "x"), `"PayloadBase64":"eA==",`, ``, 1), "PayloadBase64 is missing"},
	{"a payload that is null", strings.Replace(line(5, "x"), `"eA=="`, `null`, 1), "PayloadBase64 is missing"},
	{"base64 without padding", strings.Replace(line(5, "x"), `eA==`, `eA`, 1), "no base64"},
	{"base64 with a line break", strings.Replace(line(5, "x"), `eA==`, `e\nA==`, 1), "no base64"},
	{"base64 with bits left over", strings.Replace(line(5, "x"), `eA==`, `eB==`, 1), "no base64"},
	{"base64 for URLs", strings.Replace(line(5, "x"), `eA==`, `_-8=`, 1), "no base64"},
	{"headers that are none", strings.Replace(line(5, "x"), "{", `{"HeadersBase64":"eA==",`, 1), "NATS/1.0"},
	{"headers without an end", strings.Replace(line(5, "x"), "{", `{"HeadersBase64":"`+b64("NATS/1.0\r\nA: b\r\n")+`",`, 1), "NATS/1.0"},
	{"headers that are too long", strings.Replace(line(5, "x"), "{", `{"HeadersBase64":"`+b64("NATS/1.0\r\nA: "+strings.Repeat("b", 65535)+"\r\n\r\n")+`",`, 1), "header of"},
	{"no time", strings.Replace(line(5, "x"), `,"TimestampUtc":"2024-05-06T07:08:09.1234567Z"`, ``, 1), "TimestampUtc is missing"},
	{"a time with eight decimals", strings.Replace(line(5, "x"), "1234567", "12345678", 1), "no time"},
	{"a time with a comma", strings.Replace(line(5, "x"), ".1234567", ",5", 1), "no time"},
	{"a time without a zone", strings.Replace(line(5, "x"), "7Z", "7", 1), "no time"},
	{"a day that is none", strings.Replace(line(5, "x"), "05-06", "02-30", 1), "no time"},
	{"a time before 1970", strings.Replace(line(5, "x"), "2024", "0001", 1), "not between"},
	{"a time after 2262", strings.Replace(line(5, "x"), "2024", "9999", 1), "not between"},
	{"a damaged envelope", line(5, damaged(Sealer{}.must([]byte("x")))), "damaged envelope"},
	{"an encrypted envelope that is damaged", line(5, damaged(Sealer{Cipher: AES256GCM, Key: testKey}.must([]byte("x")))), "damaged envelope"},
}

// damaged flips a bit in the last byte.
func damaged(b []byte) string {
	b[len(b)-1] ^= 4
	return string(b)
}

func TestABadLineIsToldAndCostsItselfOnly(t *testing.T) {
	for _, c := range badLines {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			got := readAll(t, line(3, "before")+"\n"+c.text+"\n"+line(9, "behind")+"\n", testKey)
			if len(got) != 3 || got[0].Err != nil || got[2].Err != nil || string(got[2].Msg.Data) != "behind" || got[2].Number != 3 {
				t.Fatalf("got %+v", got)
			}
			l := got[1]
			if l.Err == nil || !strings.Contains(l.Err.Error(), c.want) || l.Torn {
				t.Errorf("got %v, torn %v, want an error with %q", l.Err, l.Torn, c.want)
			}
			if l.Offset != got[0].Length || l.Length != int64(len(c.text)+1) || l.Number != 2 {
				t.Errorf("got line %d at %d, %d bytes", l.Number, l.Offset, l.Length)
			}
		})
	}
}

func TestALastLineThatIsCutAnywhereIsTorn(t *testing.T) {
	first, second := line(1, "first")+"\n", line(2, "second")
	for n := 1; n < len(second); n++ {
		got := readAll(t, first+second[:n])
		if len(got) != 2 || !got[1].Torn || got[1].Err == nil || got[1].Length != int64(n) {
			t.Errorf("cut to %d bytes: got %+v", n, got)
		}
	}
	if got := readAll(t, first+second); len(got) != 2 || got[1].Err != nil {
		t.Errorf("a last line that only lacks its newline: got %+v", got)
	}
	if got := readAll(t, first+line(1, "again")); len(got) != 2 || got[1].Err == nil || got[1].Torn {
		t.Errorf("a last line that parses and is wrong is not torn: got %+v", got)
	}
}

func TestEmptyLinesArePassedOver(t *testing.T) {
	got := readAll(t, "\n \r\n"+line(1, "x")+"\n\n")
	if len(got) != 1 || got[0].Number != 3 || got[0].Offset != 4 {
		t.Errorf("got %+v", got)
	}
}

func TestTimesNeverGoBackwards(t *testing.T) {
	early := strings.Replace(line(2, "x"), "2024", "2023", 1)
	got := readAll(t, line(1, "x")+"\n"+early+"\n"+line(3, "x")+"\n")
	if got[0].Raised || !got[1].Raised || got[2].Raised || got[1].Msg.Time != got[0].Msg.Time {
		t.Errorf("got %+v", got)
	}
}

func TestALineThatIsTooLongIsBad(t *testing.T) {
	long := io.MultiReader(strings.NewReader(line(1, "x")+"\n\""), io.LimitReader(zeros{}, maxLine), strings.NewReader("\"\n"+line(2, "y")))
	var got []Line
	for l, err := range Read(long, "STREAM", nil) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l)
	}
	if len(got) != 3 || got[1].Err == nil || got[1].Length != maxLine+3 || got[2].Err != nil || got[2].Number != 3 {
		t.Errorf("got %+v", got)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func TestAKeyThatIsNotThereEndsTheReading(t *testing.T) {
	text := line(1, "x") + "\n" + line(2, string(Sealer{Cipher: AES256GCM, Key: testKey}.must([]byte("y")))) + "\n" + line(3, "z") + "\n"
	n := 0
	var last error
	for l, err := range Read(strings.NewReader(text), "STREAM", []Key{otherKey}) {
		n, last = l.Number, err
	}
	if n != 2 || !errors.Is(last, store.ErrKey) {
		t.Errorf("got line %d, %v, want line 2, %v", n, last, store.ErrKey)
	}
}

func TestAReadErrorEndsTheReading(t *testing.T) {
	broken := io.MultiReader(strings.NewReader(line(1, "x")+"\n{"), iotest.ErrReader(errors.New("broken disk")))
	good := 0
	var last error
	for _, err := range Read(broken, "STREAM", nil) {
		if last = err; err == nil {
			good++
		}
	}
	if good != 1 || last == nil || !strings.Contains(last.Error(), "broken disk") {
		t.Errorf("got %d lines, %v", good, last)
	}
}

func TestLinesThatAreWrittenAreReadAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var file []byte
		var want []store.Msg
		seq, at := store.Seq(0), int64(0)
		for range rapid.IntRange(0, 5).Draw(t, "messages") {
			seq += store.Seq(rapid.Uint64Range(1, 1<<40).Draw(t, "step"))
			at += rapid.Int64Range(0, 1<<50).Draw(t, "time") / 100 * 100
			m := store.Msg{
				Meta:    store.Meta{Seq: seq, Time: at},
				Subject: rapid.StringMatching(`[a-z<>&"\\é😀�]{1,5}(\.[^\s*>.\x00-\x20\x7f]{1,5})?`).Filter(func(s string) bool { return store.CheckSubject(s) == nil }).Draw(t, "subject"),
				Data:    rapid.SliceOf(rapid.Byte()).Draw(t, "data"),
			}
			if rapid.Bool().Draw(t, "header") {
				m.Header = []byte("NATS/1.0\r\nA: b\r\n\r\n")
			}
			file, want = AppendLine(file, m), append(want, m)
		}
		i := 0
		for l, err := range Read(bytes.NewReader(file), "STREAM", nil) {
			if err != nil || l.Err != nil {
				t.Fatalf("line %d: %v, %v", l.Number, err, l.Err)
			}
			m := want[i]
			if l.Msg.Meta != m.Meta || l.Msg.Subject != m.Subject || !bytes.Equal(l.Msg.Header, m.Header) || !bytes.Equal(l.Msg.Data, m.Data) {
				t.Fatalf("got %+v, want %+v", l.Msg, m)
			}
			i++
		}
		if i != len(want) {
			t.Fatalf("got %d messages, want %d", i, len(want))
		}
	})
}

// FuzzRead reads anything: no panic, every byte belongs to one line, good lines obey the rules and, written
// again, are the same message.
func FuzzRead(f *testing.F) {
	f.Add([]byte(line(1, "x") + "\n" + line(2, "y")))
	for _, c := range badLines {
		if len(c.text) < 1000 {
			f.Add([]byte(c.text + "\n"))
		}
	}
	for _, s := range seals {
		f.Add([]byte(line(1, string(s.seal([]byte("seed"))))))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		var last store.Msg
		end := int64(0)
		for l, err := range Read(bytes.NewReader(file), "STREAM", []Key{testKey}) {
			if err != nil {
				if !errors.Is(err, store.ErrKey) {
					t.Fatal(err)
				}
				return
			}
			text := file[l.Offset : l.Offset+l.Length]
			if l.Offset < end || len(bytes.TrimSpace(file[end:l.Offset])) > 0 && end > 0 {
				t.Fatalf("line %d begins at %d, the one before ended at %d", l.Number, l.Offset, end)
			}
			if bytes.IndexByte(text, '\n') >= 0 && bytes.IndexByte(text, '\n') != len(text)-1 || l.Torn && bytes.HasSuffix(text, []byte("\n")) {
				t.Fatalf("line %d is %q", l.Number, text)
			}
			end = l.Offset + l.Length
			if l.Err != nil {
				continue
			}
			m := l.Msg
			if m.Seq <= last.Seq || m.Time < last.Time || store.CheckSubject(m.Subject) != nil {
				t.Fatalf("%+v behind %+v", m, last)
			}
			last = m
			checkAgain(t, m)
		}
	})
}

// checkAgain writes a message and reads it again.
func checkAgain(t *testing.T, m store.Msg) {
	t.Helper()
	m.Data, m.Header = bytes.Clone(m.Data), bytes.Clone(m.Header)
	wrapped := m
	wrapped.Data = Sealer{}.must(m.Data)
	for l, err := range Read(bytes.NewReader(AppendLine(nil, wrapped)), "STREAM", nil) {
		if err != nil || l.Err != nil || l.Msg.Meta != m.Meta || l.Msg.Subject != m.Subject || !bytes.Equal(l.Msg.Header, m.Header) || !bytes.Equal(l.Msg.Data, m.Data) {
			t.Fatalf("got %+v, %v, want %+v", l, err, m)
		}
	}
}
