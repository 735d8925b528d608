package jsonl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"jsfs/store"
)

// line is a message as encoding/json sees it.
type line struct {
	Seq        store.Seq `json:"seq"`
	Time       string    `json:"time"`
	Subject    string    `json:"subject"`
	Headers    string    `json:"headers"`
	HeadersB64 []byte    `json:"headers_b64"`
	Data       string    `json:"data"`
	DataB64    []byte    `json:"data_b64"`
}

// Parse is the inverse of [Append]: it takes exactly the lines that Append writes, with
// or without the newline, and gives ErrInvalid for every other. The Msg has its
// whole Meta, and shares no memory with b.
func Parse(b []byte) (store.Msg, error) {
	var l line
	b = bytes.TrimSuffix(b, []byte("\n"))
	if err := json.Unmarshal(b, &l); err != nil {
		return store.Msg{}, fmt.Errorf("JSON line: %w: %w", store.ErrInvalid, err)
	}
	t, err := time.Parse(timeFormat, l.Time)
	if err != nil {
		return store.Msg{}, fmt.Errorf("JSON line: %w: %w", store.ErrInvalid, err)
	}
	m := store.Msg{Subject: l.Subject, Header: []byte(l.Headers), Data: []byte(l.Data)}
	if len(l.HeadersB64) > 0 {
		m.Header = l.HeadersB64
	}
	if len(l.DataB64) > 0 {
		m.Data = l.DataB64
	}
	m.Meta = store.Meta{
		Seq: l.Seq, Time: t.UnixNano(), Size: int64(len(m.Data)), JSON: Size(l.Seq, m.Subject, m.Header, m.Data),
		HasHeader: len(m.Header) > 0, NoNewline: !bytes.HasSuffix(m.Data, []byte("\n")),
	}
	// What was read is what was written iff it is written the same again.
	if again := Append(nil, m); !bytes.Equal(again[:len(again)-1], b) {
		return store.Msg{}, fmt.Errorf("JSON line: %w: it is not in the form that jsfs writes", store.ErrInvalid)
	}
	return m, nil
}
