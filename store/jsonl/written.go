package jsonl

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"jsfs/store"
)

// Written is a line that a person or another program wrote.
type Written struct {
	store.Msg
	// HasSeq, HasTime and HasSubject say what of the Msg the line gave.
	HasSeq, HasTime, HasSubject bool
}

// ParseWritten reads a line in any spelling that JSON allows, with the keys of [Append] in any order: "data" or
// "data_b64" must be there, all others may be missing. A time may be in any zone. It gives ErrInvalid for
// every other line: one that would lose something (bytes that are no UTF-8, half of a surrogate pair, a key that is not
// known or comes twice) is not guessed at. The Msg has no Meta but Seq and Time, and shares no memory with b.
func ParseWritten(b []byte) (Written, error) {
	if w, ok := parsePlain(b); ok {
		return w, nil
	}
	w, err := parseWritten(b)
	if err != nil {
		return Written{}, fmt.Errorf("JSON line: %w: %w", store.ErrInvalid, err)
	}
	return w, nil
}

func parseWritten(b []byte) (Written, error) {
	var w Written
	if !utf8.Valid(b) {
		return w, errors.New("it is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return w, errors.New("it is no JSON object")
	}
	got := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return w, err
		}
		name := key.(string) // the decoder gives no other key
		base := baseOf(name)
		if got[base] {
			return w, fmt.Errorf("key %q comes twice", base)
		}
		got[base] = true
		if err := w.set(dec, name); err != nil {
			return w, fmt.Errorf("key %q: %w", name, err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return w, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return w, errors.New("something follows its object")
	}
	if !got["data"] {
		return w, errors.New("it has no data")
	}
	return w, nil
}

// baseOf is a key without what says that it is base64.
func baseOf(key string) string {
	switch key {
	case "headers_b64":
		return "headers"
	case "data_b64":
		return "data"
	}
	return key
}

// set takes the value of a key.
func (w *Written) set(dec *json.Decoder, key string) error {
	var text string
	switch key {
	case "seq":
		var n json.Number
		if err := dec.Decode(&n); err != nil {
			return err
		}
		seq, err := strconv.ParseUint(n.String(), 10, 64)
		if err != nil || seq == 0 {
			return fmt.Errorf("%s is no sequence", n)
		}
		w.Seq, w.HasSeq = store.Seq(seq), true
		return nil
	case "headers_b64", "data_b64":
		if err := decodeString(dec, &text); err != nil {
			return err
		}
		b, err := base64.StdEncoding.Strict().DecodeString(text)
		if key == "data_b64" {
			w.Data = b
		} else {
			w.Header = b
		}
		return err
	case "time", "subject", "headers", "data":
		if err := decodeString(dec, &text); err != nil {
			return err
		}
	default:
		return errors.New("it is not known")
	}
	switch key {
	case "time":
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return err
		}
		if w.Time = t.UnixNano(); !time.Unix(0, w.Time).Equal(t) {
			return errors.New("it is too far away")
		}
		w.HasTime = true
	case "subject":
		w.Subject, w.HasSubject = text, true
	case "headers":
		w.Header = []byte(text)
	case "data":
		w.Data = []byte(text)
	}
	return nil
}

// decodeString takes a string. Half of a surrogate pair, which the decoder would replace, is none.
func decodeString(dec *json.Decoder, text *string) error {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return err
	}
	if raw[0] != '"' {
		return errors.New("it is no string")
	}
	if err := json.Unmarshal(raw, text); err != nil {
		return err
	}
	const replaced = "\uFFFD"
	if n := strings.Count(*text, replaced); n > 0 &&
		n > bytes.Count(raw, []byte(replaced))+bytes.Count(bytes.ToLower(raw), []byte(`\ufffd`)) {
		return errors.New("it has half of a surrogate pair")
	}
	return nil
}
