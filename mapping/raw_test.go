package mapping

import (
	"bytes"
	"errors"
	"testing"

	"jsfs/store"
)

func TestRaw(t *testing.T) {
	for _, c := range []struct{ name, subject, header, data, want string }{
		{"no header", "a.b", "", "hi\n", "Subject: a.b\n\nhi\n"},
		{"no payload", "a.b", "", "", "Subject: a.b\n\n"},
		{"headers, one of them twice", "x", "NATS/1.0\r\nA: 1\r\nb: 2\r\nA: 3\r\n\r\n", "d", "Subject: x\nA: 1\nb: 2\nA: 3\n\nd"},
		{"headers that look like the head", "x", "NATS/1.0\r\nSubject: y\r\nJsfs-Apply: true\r\n\r\n", "", "Subject: x\nSubject: y\nJsfs-Apply: true\n\n"},
		{"a payload that looks like a head", "x", "", "\n\nSubject: y\n\n\x00\xff", "Subject: x\n\n\n\nSubject: y\n\n\x00\xff"},
		{"a block without headers", "x", "NATS/1.0\r\n\r\n", "d", "Subject: x\r\nNATS/1.0\r\n\r\nd"},
		{"a status", "x", "NATS/1.0 503 No\r\nA: 1\r\n\r\n", "d", "Subject: x\r\nNATS/1.0 503 No\r\nA: 1\r\n\r\nd"},
		{"a value without a space before it", "x", "NATS/1.0\r\nA:1\r\n\r\n", "d", "Subject: x\r\nNATS/1.0\r\nA:1\r\n\r\nd"},
		{"line breaks in a value", "x", "NATS/1.0\r\nA: 1\n\n2\n\r\n\r\n", "d", "Subject: x\r\nNATS/1.0\r\nA: 1\n\n2\n\r\n\r\nd"},
		{"a name with a space", "x", "NATS/1.0\r\nA b: 1\r\n\r\n", "d", "Subject: x\r\nNATS/1.0\r\nA b: 1\r\n\r\nd"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := AppendRaw([]byte("before "), c.subject, []byte(c.header), []byte(c.data))
			if string(got) != "before "+c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			for _, apply := range []string{"", "Jsfs-Apply: true\n", "Jsfs-Apply:true\r\n"} {
				r, err := ParseRaw([]byte(apply + c.want))
				if err != nil || r.Subject != c.subject || string(r.Header) != c.header || string(r.Data) != c.data || r.Apply != (apply != "") {
					t.Errorf("%q is read as %+v, %v", apply+c.want, r, err)
				}
			}
		})
	}
}

func TestParseRawTakesWhatPeopleWrite(t *testing.T) {
	const header = "NATS/1.0\r\nA: 1\r\nB: \r\n\r\n"
	for name, text := range map[string]string{
		"spaces":              "Subject:   x  \nA:   1\nB:\n\nd",
		"no spaces":           "Subject:x\nA:1\nB:\n\nd",
		"lines as on Windows": "Subject: x\r\nA: 1\r\nB: \r\n\r\nd",
	} {
		r, err := ParseRaw([]byte(text))
		if err != nil || r.Subject != "x" || string(r.Header) != header || string(r.Data) != "d" {
			t.Errorf("%s: %q is read as %+v, %v", name, text, r, err)
		}
	}
}

func TestParseRawRefuses(t *testing.T) {
	for _, c := range []struct {
		name, text, line string
		err              error
	}{
		{"nothing", "", "", store.ErrInvalid},
		{"no blank line", "Subject: x\nA: 1\n", "", store.ErrInvalid},
		{"no subject", "A: 1\n\nd", "line 1", store.ErrInvalid},
		{"a payload alone", "hello\n\n", "line 1", store.ErrInvalid},
		{"a subject that is a pattern", "Subject: a.*\n\n", "line 1", store.ErrSubject},
		{"no subject behind Jsfs-Apply", "Jsfs-Apply: true\nA: 1\n\n", "line 2", store.ErrInvalid},
		{"Jsfs-Apply: false", "Jsfs-Apply: false\nSubject: x\n\n", "line 1", store.ErrInvalid},
		{"a line that is no header", "Subject: x\nA: 1\noops\n\n", "line 3", store.ErrInvalid},
		{"a name with a space", "Subject: x\nA b: 1\n\n", "line 2", store.ErrInvalid},
		{"a block that is malformed", "Subject: x\r\nNATS/1.0\r\noops\r\n\r\n", "", store.ErrInvalid},
	} {
		r, err := ParseRaw([]byte(c.text))
		if !errors.Is(err, c.err) || !bytes.Contains([]byte(err.Error()), []byte(c.line)) {
			t.Errorf("%s: got %+v, %v, want %v in %q", c.name, r, err, c.err, c.line)
		}
	}
}

func TestActingHeader(t *testing.T) {
	for block, want := range map[string]string{
		"": "",
		"NATS/1.0\r\nNats-Msg-Id: 1\r\nA: 2\r\n\r\n":         "",
		"NATS/1.0\r\nA: 2\r\nNats-Rollup: all\r\n\r\n":       "Nats-Rollup",
		"NATS/1.0\r\nNats-Expected-Last-Sequence: 4\r\n\r\n": "Nats-Expected-Last-Sequence",
		"NATS/1.0\r\nnats-rollup: all\r\n\r\n":               "",
	} {
		if got, ok := ActingHeader([]byte(block)); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", block, got, ok, want)
		}
	}
}

func FuzzRaw(f *testing.F) {
	f.Add("a.b", []byte("NATS/1.0\r\nA: 1\r\nb:2\r\nA: \n\r\n\r\n"), []byte("\n\x00"))
	f.Add("x", []byte(""), []byte("Subject: y\r\n\r\n"))
	f.Add("x", []byte("NATS/1.0 503\r\n\r\n"), []byte{})
	f.Fuzz(func(t *testing.T, subject string, header, data []byte) {
		if _, err := ParseHeader(header); err != nil || store.CheckSubject(subject) != nil {
			return
		}
		b := AppendRaw(nil, subject, header, data)
		r, err := ParseRaw(b)
		if err != nil || r.Subject != subject || !bytes.Equal(r.Header, header) || !bytes.Equal(r.Data, data) || r.Apply {
			t.Fatalf("%q is read as %+v, %v", b, r, err)
		}
		end, ok := RawHead(b)
		if !ok || !bytes.Equal(b[end:], data) {
			t.Fatalf("the head of %q ends at %d, %v", b, end, ok)
		}
	})
}

func FuzzParseRaw(f *testing.F) {
	f.Add([]byte("Jsfs-Apply: true\nSubject: x\nA: 1\n\nd"))
	f.Add([]byte("Subject: x\r\nNATS/1.0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRaw(b)
		if err != nil {
			return
		}
		again, err := ParseRaw(AppendRaw(nil, r.Subject, r.Header, r.Data))
		if err != nil || again.Subject != r.Subject || !bytes.Equal(again.Header, r.Header) || !bytes.Equal(again.Data, r.Data) {
			t.Fatalf("%q is %+v, which reads back as %+v, %v", b, r, again, err)
		}
	})
}
