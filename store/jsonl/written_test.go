package jsonl_test

import (
	"bytes"
	"errors"
	"testing"

	"jsfs/store"
	"jsfs/store/jsonl"
)

func TestParseWritten(t *testing.T) {
	const at = 1767323045_000000006
	for _, c := range []struct {
		name, line string
		want       store.Msg
		has        [3]bool // seq, time, subject
	}{
		{"what Append writes", string(jsonl.Append(nil, msg(7, at, "a.b", "NATS/1.0\r\n\r\n", "x\n"))), msg(7, at, "a.b", "NATS/1.0\r\n\r\n", "x\n"), [3]bool{true, true, true}},
		{"data alone", `{"data":"x"}`, msg(0, 0, "", "", "x"), [3]bool{}},
		{"white space and another order", "  {\n\"data\" : \"x\",\t\"subject\":\"s\", \"seq\" : 3 } ", msg(3, 0, "s", "", "x"), [3]bool{true, false, true}},
		{"a time in another zone", `{"data":"","time":"2026-01-02T04:04:05.000000006+01:00"}`, msg(0, at, "", "", ""), [3]bool{false, true, false}},
		{"escapes", `{"data":"\u0041\ud83d\ude00\ufffd\/"}`, msg(0, 0, "", "", "A\U0001F600\uFFFD/"), [3]bool{}},
		{"base64", `{"data_b64":"/wA=","headers_b64":"eA=="}`, msg(0, 0, "", "x", "\xff\x00"), [3]bool{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := jsonl.ParseWritten([]byte(c.line))
			if err != nil || !equal(got.Msg, c.want) || [3]bool{got.HasSeq, got.HasTime, got.HasSubject} != c.has {
				t.Errorf("got %+v, %v, want %+v, %v", got, err, c.want, c.has)
			}
		})
	}
}

func TestParseWrittenRefuses(t *testing.T) {
	for name, line := range map[string]string{
		"nothing":                     "",
		"no JSON":                     "hello",
		"an array":                    `["data"]`,
		"null":                        "null",
		"a cut line":                  `{"data":"x"`,
		"two objects":                 `{"data":"x"}{"data":"y"}`,
		"no data":                     `{"seq":1}`,
		"a key twice":                 `{"data":"x","data":"y"}`,
		"a key in both forms":         `{"data":"x","data_b64":""}`,
		"an unknown key":              `{"data":"x","datum":"y"}`,
		"another case":                `{"Data":"x"}`,
		"sequence 0":                  `{"seq":0,"data":"x"}`,
		"a negative sequence":         `{"seq":-1,"data":"x"}`,
		"a fraction":                  `{"seq":1.5,"data":"x"}`,
		"a sequence as text":          `{"seq":"a","data":"x"}`,
		"a sequence beyond all":       `{"seq":18446744073709551616,"data":"x"}`,
		"null data":                   `{"data":null}`,
		"a number for the text":       `{"data":1}`,
		"a time that is none":         `{"data":"x","time":"yesterday"}`,
		"a time beyond all":           `{"data":"x","time":"2263-01-01T00:00:00Z"}`,
		"half of a surrogate pair":    `{"data":"\ud83d"}`,
		"broken UTF-8":                "{\"data\":\"\xff\"}",
		"base64 that is none":         `{"data_b64":"?"}`,
		"base64 with loose bits":      `{"data_b64":"gGF="}`,
		"null for base64":             `{"data_b64":null}`,
		"a control character in text": "{\"data\":\"\t\"}",
	} {
		if w, err := jsonl.ParseWritten([]byte(line)); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: got %+v, %v, want %v", name, w, err, store.ErrInvalid)
		}
	}
}

func FuzzParseWritten(f *testing.F) {
	f.Add([]byte(`{"seq":1,"time":"2026-01-02T03:04:05.000000006Z","subject":"x","data":"hi"}`))
	f.Add([]byte(` { "data_b64" : "/w==", "headers":"NATS/1.0\r\n\r\n" } `))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := jsonl.ParseWritten(b)
		if m, strictErr := jsonl.Parse(b); strictErr == nil && m.Seq > 0 {
			if err != nil || !equal(m, w.Msg) || !w.HasSeq || !w.HasTime || !w.HasSubject {
				t.Fatalf("%q is %+v, and as written %+v, %v", b, m, w, err)
			}
		}
		if err != nil {
			return
		}
		again, err := jsonl.Parse(jsonl.Append(nil, w.Msg))
		if err != nil || !equal(again, w.Msg) || !bytes.Equal(again.Data, w.Data) {
			t.Fatalf("%q is %+v, which reads back as %+v, %v", b, w, again, err)
		}
	})
}

// FuzzWrittenPlainly has the fast way and the slow way read the same line: a blank before it takes the slow one.
func FuzzWrittenPlainly(f *testing.F) {
	f.Add([]byte(`{"seq":1,"time":"2026-01-02T03:04:05.000000006Z","subject":"x","data":"a\n\"\\\u001f"}`))
	f.Add([]byte(`{"seq":18446744073709551615,"time":"2262-04-11T23:47:16.854775807Z","subject":"x","headers_b64":"/w==","data_b64":"gGE="}`))
	f.Add([]byte(`{"seq":0,"time":"2263-01-02T03:04:05.000000006Z","subject":"x","headers":"","data":"\u00ff"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		fast, fastErr := jsonl.ParseWritten(b)
		slow, slowErr := jsonl.ParseWritten(append([]byte(" "), b...))
		if (fastErr == nil) != (slowErr == nil) || !equal(fast.Msg, slow.Msg) || fast.HasSeq != slow.HasSeq || fast.HasTime != slow.HasTime {
			t.Fatalf("%q is %+v, %v, and with a blank before it %+v, %v", b, fast, fastErr, slow, slowErr)
		}
	})
}

func BenchmarkParseWritten(b *testing.B) {
	line := jsonl.Append(nil, msg(123456, 1767323045_000000006, "orders.new", "", string(bytes.Repeat([]byte("payload "), 16))+"\n"))
	for name, line := range map[string][]byte{"as we write it": line, "otherwise": append([]byte(" "), line...)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := jsonl.ParseWritten(line); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
