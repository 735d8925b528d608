package jsonl_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"jsfs/store"
	"jsfs/store/jsonl"
)

const piece = 512 << 10

// large are payloads that are longer than a piece, in which what matters stands at each place beside the pieces' ends.
func large() map[string][]byte {
	out := map[string][]byte{
		"zeros":     make([]byte, 3*piece+1),
		"no text":   bytes.Repeat([]byte{0xff, 0, 1}, piece),
		"lines":     bytes.Repeat([]byte("a line\n"), piece/3),
		"quotes":    bytes.Repeat([]byte(`"`), 2*piece),
		"two bytes": []byte(strings.Repeat("é", piece)),
	}
	for n := range 20 {
		b := bytes.Repeat([]byte("x"), 2*piece-n)
		out["an escape near the end of a piece, "+string(rune('a'+n))] = append(b, "\x01\n\"é more"...)
		out["base64 of any length, "+string(rune('a'+n))] = append(b[:len(b):len(b)], 0xff)
	}
	return out
}

func TestPiecesMakeALine(t *testing.T) {
	for name, data := range large() {
		m := msg(7, 1, "a.b", "NATS/1.0\r\nA: ,\"data\"\r\n\r\n", string(data))
		var out bytes.Buffer
		n, err := jsonl.Write(&out, m)
		if err != nil || n != int64(out.Len()) || n > int64(len(data))*4/3+1000 {
			t.Errorf("%s: wrote %d bytes, %v; %d are there, of %d", name, n, err, out.Len(), len(data))
		}
		w, err := jsonl.ParseWritten(out.Bytes())
		if err != nil || !equal(w.Msg, m) {
			t.Errorf("%s: what was written is another message, or none: %v", name, err)
		}
		for what, line := range map[string][]byte{"written": out.Bytes(), "appended": jsonl.Append(nil, m), "without its newline": bytes.TrimSuffix(out.Bytes(), []byte("\n"))} {
			got, err := jsonl.Read(bytes.NewReader(line), int64(len(line)))
			if err != nil || !equal(got, m) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
			if got.Size != int64(len(data)) || got.JSON != int64(len(jsonl.Append(nil, m))) || !got.HasHeader || got.NoNewline == bytes.HasSuffix(data, []byte("\n")) {
				t.Errorf("%s, %s: %+v", name, what, got.Meta)
			}
		}
	}
}

func TestPiecesOfAnyMessage(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune("a\"\\\n\x00\u2028é,:{}")))
		raw := rapid.OneOf(rapid.Map(text, func(s string) []byte { return []byte(s) }), rapid.SliceOf(rapid.Byte()))
		m := store.Msg{
			Meta:    store.Meta{Seq: store.Seq(rapid.Uint64Min(1).Draw(rt, "seq")), Time: rapid.Int64().Draw(rt, "time")},
			Subject: text.Draw(rt, "subject"), Header: raw.Draw(rt, "header"), Data: raw.Draw(rt, "data"),
		}
		var out bytes.Buffer
		if _, err := jsonl.Write(&out, m); err != nil {
			rt.Fatal(err)
		}
		for _, line := range [][]byte{out.Bytes(), jsonl.Append(nil, m)} {
			got, err := jsonl.Read(iotest.OneByteReader(bytes.NewReader(line)), int64(len(line)))
			if err != nil || !equal(got, m) {
				rt.Errorf("%q: got %+v, %v", line, got, err)
			}
		}
	})
}

// What the parser of whole lines refuses, but for base64 of a text, is refused in pieces, too.
func TestReadRefusesEveryOtherForm(t *testing.T) {
	const good = `{"seq":1,"time":"2026-01-02T03:04:05.000000006Z","subject":"x","data":"hi"}`
	b64 := strings.Replace(good, `"data":"hi"`, `"data_b64":"gGE="`, 1)
	for _, line := range []string{
		"", "hello", "[]", good + good, good + "\n\n", good + " ", good + "\n ", good[:len(good)-1], good[:len(good)-2], good[:len(good)-4],
		strings.Replace(good, "hi", `\u00ff`, 1), strings.Replace(good, "hi", `\ud800`, 1), strings.Replace(good, "hi", "h\ti", 1),
		strings.Replace(good, "hi", "\xff", 1), strings.Replace(good, `"hi"`, "1", 1), strings.Replace(good, `"data"`, `"Data"`, 1),
		strings.Replace(good, ":1", ":01", 1), strings.Replace(good, `"seq"`, `"data":"x","seq"`, 1),
		strings.Replace(b64, "gGE=", "gGE", 1), strings.Replace(b64, "gGE=", "gGF=", 1), strings.Replace(b64, "gGE=", "gGE=gGE=", 1), b64[:len(b64)-2], b64 + "x",
		strings.Replace(b64, "gGE=", strings.Repeat("gGEA", piece/4)[:piece-4-len(b64)+len(`gGE="}`)]+"gGE=gGEA", 1),
	} {
		if m, err := jsonl.Read(strings.NewReader(line), int64(len(line))); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%.100q: got %+v and error %v", line, m.Meta, err)
		}
	}
	if _, err := jsonl.Read(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(good))), int64(len(good))); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("a reader that fails: %v", err)
	}
	if _, err := jsonl.Read(strings.NewReader(good), int64(len(good)+5)); err == nil || errors.Is(err, store.ErrInvalid) {
		t.Errorf("a line that is shorter than was said: %v", err)
	}
}

type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.room)
	f.room -= n
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

func TestWriteSaysThatItFailed(t *testing.T) {
	m := msg(7, 1, "a.b", "", strings.Repeat("x", 3*piece))
	for _, room := range []int{0, 1, piece, 2*piece + 1, 3 * piece} {
		if _, err := jsonl.Write(&full{room}, m); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
}
