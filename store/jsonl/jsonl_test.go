package jsonl_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jsfs/store"
	"jsfs/store/jsonl"
)

func msg(seq store.Seq, t int64, subject, header, data string) store.Msg {
	return store.Msg{Meta: store.Meta{Seq: seq, Time: t}, Subject: subject, Header: []byte(header), Data: []byte(data)}
}

func TestLines(t *testing.T) {
	const at = 1767323045_000000006 // 2026-01-02T03:04:05.000000006Z
	rows := []struct {
		name string
		m    store.Msg
		want string
	}{
		{"text", msg(1, at, "orders.new", "", "hi"), `{"seq":1,"time":"2026-01-02T03:04:05.000000006Z","subject":"orders.new","data":"hi"}`},
		{"no payload", msg(2, at, "x", "", ""), `{"seq":2,"time":"2026-01-02T03:04:05.000000006Z","subject":"x","data":""}`},
		{"a header", msg(3, at, "x", "NATS/1.0\r\n\r\n", "d\n"), `{"seq":3,"time":"2026-01-02T03:04:05.000000006Z","subject":"x","headers":"NATS/1.0\r\n\r\n","data":"d\n"}`},
		{"bytes that are no UTF-8 are base64", msg(4, at, "x", "\xff", "\x80a"), `{"seq":4,"time":"2026-01-02T03:04:05.000000006Z","subject":"x","headers_b64":"/w==","data_b64":"gGE="}`},
		{"only what must be escaped is", msg(5, at, "x", "", "\"\\\b\f\n\r\t\x00\x1f\x7f<>&/\u2028é"), `{"seq":5,"time":"2026-01-02T03:04:05.000000006Z","subject":"x","data":"\"\\\b\f\n\r\t\u0000\u001f` + "\x7f<>&/\u2028é" + `"}`},
		{"the epoch and the highest sequence", msg(math.MaxUint64, 0, "x", "", ""), `{"seq":18446744073709551615,"time":"1970-01-01T00:00:00.000000000Z","subject":"x","data":""}`},
		{"the last time there is", msg(1, math.MaxInt64, "x", "", ""), `{"seq":1,"time":"2262-04-11T23:47:16.854775807Z","subject":"x","data":""}`},
	}
	for _, r := range rows {
		t.Run(strings.ReplaceAll(r.name, " ", "_"), func(t *testing.T) {
			got := string(jsonl.Append([]byte("before "), r.m))
			if got != "before "+r.want+"\n" {
				t.Errorf("got %s, want %s", got, r.want)
			}
			checkLine(t, r.m)
		})
	}
}

// checkLine demands all that holds for the line of any message.
func checkLine(t interface{ Errorf(string, ...any) }, m store.Msg) {
	b := jsonl.Append(nil, m)
	if got := jsonl.Size(m.Seq, m.Subject, m.Header, m.Data); got != int64(len(b)) {
		t.Errorf("Size says %d, the line has %d bytes: %s", got, len(b), b)
	}
	if bytes.Count(b, []byte("\n")) != 1 || !bytes.HasSuffix(b, []byte("}\n")) {
		t.Errorf("not one line: %s", b)
	}
	back, err := jsonl.Parse(b)
	if err != nil || !equal(back, m) || back.JSON != int64(len(b)) || back.Size != int64(len(m.Data)) {
		t.Errorf("Parse gave %+v and %v for %s", back, err, b)
	}
	var plain map[string]any
	if err := json.Unmarshal(b, &plain); err != nil {
		t.Errorf("encoding/json: %v in %s", err, b)
		return
	}
	data, isText := plain["data"].(string)
	if !isText {
		raw, _ := plain["data_b64"].(string)
		decoded, err := base64.StdEncoding.DecodeString(raw)
		if err != nil {
			t.Errorf("base64: %v", err)
		}
		data = string(decoded)
	}
	at, err := time.Parse(time.RFC3339Nano, plain["time"].(string))
	if data != string(m.Data) || plain["subject"] != m.Subject || err != nil || at.UnixNano() != m.Time {
		t.Errorf("encoding/json reads %v, want %+v", plain, m)
	}
}

func equal(a, b store.Msg) bool {
	return a.Seq == b.Seq && a.Time == b.Time && a.Subject == b.Subject && bytes.Equal(a.Header, b.Header) && bytes.Equal(a.Data, b.Data)
}

func TestEveryMessageComesBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("a\"\\\n\x00\u2028é"))))
		raw := rapid.OneOf(rapid.Map(text, func(s string) []byte { return []byte(s) }), rapid.SliceOf(rapid.Byte()))
		checkLine(rt, store.Msg{
			Meta:    store.Meta{Seq: store.Seq(rapid.Uint64().Draw(rt, "seq")), Time: rapid.Int64().Draw(rt, "time")},
			Subject: text.Draw(rt, "subject"), Header: raw.Draw(rt, "header"), Data: raw.Draw(rt, "data"),
		})
	})
}

// TestSizeSeesEveryByteAtEveryPlace has each byte, beside others that may hide it, in each place of a few words.
func TestSizeSeesEveryByteAtEveryPlace(t *testing.T) {
	for _, fill := range "a \x00\"\\!#[]\x7f" {
		for n := range 20 {
			for at := range n {
				for c := range 256 {
					data := bytes.Repeat([]byte{byte(fill)}, n)
					data[at] = byte(c)
					m := msg(1, 0, "x", "", string(data))
					if got, want := jsonl.Size(1, "x", nil, data), int64(len(jsonl.Append(nil, m))); got != want {
						t.Fatalf("%q: Size says %d, the line has %d bytes", data, got, want)
					}
				}
			}
		}
	}
}

func TestSizeKnowsHowManyDigitsASequenceHas(t *testing.T) {
	for n := uint64(1); ; n *= 10 {
		for _, seq := range []uint64{n - 1, n, n + 1} {
			m := msg(store.Seq(seq), 0, "x", "", "")
			if got, want := jsonl.Size(m.Seq, "x", nil, nil), int64(len(jsonl.Append(nil, m))); got != want {
				t.Errorf("size for %d: got %d, want %d", seq, got, want)
			}
		}
		if n > math.MaxUint64/10 {
			return
		}
	}
}

func TestParseRefusesEveryOtherForm(t *testing.T) {
	const good = `{"seq":1,"time":"2026-01-02T03:04:05.000000006Z","subject":"x","data":"hi"}`
	if _, err := jsonl.Parse([]byte(good)); err != nil {
		t.Fatalf("the good line: %v", err)
	}
	change := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	rows := map[string]string{
		"nothing":                 "",
		"no JSON":                 "hello",
		"an array":                "[]",
		"null":                    "null",
		"a cut line":              good[:len(good)-1],
		"two objects":             good + good,
		"two newlines":            good + "\n\n",
		"white space":             change(":1", ": 1"),
		"another order":           `{"time":"2026-01-02T03:04:05.000000006Z","seq":1,"subject":"x","data":"hi"}`,
		"a key twice":             change(`"data"`, `"data":"ho","data"`),
		"an unknown key":          change(`"data"`, `"other":1,"data"`),
		"another case":            change(`"data"`, `"Data"`),
		"no data":                 change(`,"data":"hi"`, ""),
		"a sequence with zeros":   change(":1", ":01"),
		"a negative sequence":     change(":1", ":-1"),
		"a fraction":              change(":1", ":1.0"),
		"a sequence beyond all":   change(":1", ":18446744073709551616"),
		"a time without nanos":    change(".000000006Z", "Z"),
		"another time zone":       change("006Z", "006+00:00"),
		"a time beyond all":       change("2026", "2263"),
		"an impossible date":      change("01-02", "02-30"),
		"needless escapes":        change(`"hi"`, `"\u0068i"`),
		"a surrogate":             change(`"hi"`, `"\ud800"`),
		"broken UTF-8":            change(`"hi"`, "\"\xff\""),
		"base64 of text":          change(`"data":"hi"`, `"data_b64":"aGk="`),
		"base64 without padding":  change(`"data":"hi"`, `"data_b64":"gGE"`),
		"loose bits in base64":    change(`"data":"hi"`, `"data_b64":"gGF="`),
		"data twice":              change(`"data":"hi"`, `"data":"hi","data_b64":"gGE="`),
		"an empty header":         change(`"data"`, `"headers":"","data"`),
		"a control character":     change(`"hi"`, "\"h\ti\""),
		"a number for the text":   change(`"hi"`, "1"),
		"bytes behind the object": good + " ",
	}
	for name, line := range rows {
		if m, err := jsonl.Parse([]byte(line)); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: got %+v and error %v, want %v", name, m, err, store.ErrInvalid)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"seq":1,"time":"2026-01-02T03:04:05.000000006Z","subject":"x","data":"hi"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := jsonl.Parse(b)
		if err != nil {
			return
		}
		again := jsonl.Append(nil, m)
		if string(again) != strings.TrimSuffix(string(b), "\n")+"\n" {
			t.Errorf("parsed %q, wrote %q", b, again)
		}
		checkLine(t, m)
	})
}

func FuzzAppend(f *testing.F) {
	f.Add(uint64(1), int64(0), "x", []byte("h"), []byte("d"))
	f.Add(uint64(math.MaxUint64), int64(math.MinInt64), "é", []byte{}, []byte("\xff\x00"))
	f.Fuzz(func(t *testing.T, seq uint64, at int64, subject string, header, data []byte) {
		if strings.ToValidUTF8(subject, "") != subject {
			return // a subject is valid UTF-8
		}
		checkLine(t, store.Msg{Meta: store.Meta{Seq: store.Seq(seq), Time: at}, Subject: subject, Header: header, Data: data})
	})
}

func BenchmarkAppend(b *testing.B) {
	m := msg(123456, 1767323045_000000006, "orders.new", "", strings.Repeat("payload ", 16))
	buf := make([]byte, 0, 512)
	b.SetBytes(128)
	for b.Loop() {
		buf = jsonl.Append(buf[:0], m)
	}
}

func BenchmarkSize(b *testing.B) {
	data := bytes.Repeat([]byte("payload "), 16)
	b.SetBytes(128)
	for b.Loop() {
		jsonl.Size(123456, "orders.new", nil, data)
	}
}
