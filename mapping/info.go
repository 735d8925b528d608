package mapping

import (
	"bytes"
	"encoding/json"

	"jsfs/store"
)

// info is the form of a stream's info file. The order of the fields is the order
// in the file.
type info struct {
	Name      string         `json:"name"`
	Subjects  []string       `json:"subjects"`
	Messages  int64          `json:"messages"`
	Bytes     int64          `json:"bytes"` // of payload
	LogBytes  int64          `json:"log_bytes"`
	FirstSeq  store.Seq      `json:"first_seq"`
	FirstTime string         `json:"first_ts,omitempty"`
	LastSeq   store.Seq      `json:"last_seq"`
	LastTime  string         `json:"last_ts,omitempty"`
	Deleted   uint64         `json:"num_deleted"`
	Lost      uint64         `json:"num_lost"`
	Damage    []store.Damage `json:"damage,omitempty"`
}

// Info returns the content of a stream's info file: its state, and what is known to
// be damaged in it, as indented JSON with a newline at its end.
func Info(cfg store.Config, st store.State, damage []store.Damage) []byte {
	v := info{
		Name:     cfg.Name,
		Subjects: cfg.WithDefaults().Subjects,
		Messages: st.Live.Messages,
		Bytes:    st.Live.Payload,
		LogBytes: st.Live.Log,
		FirstSeq: st.First,
		LastSeq:  st.Last,
		Deleted:  st.Deleted,
		Lost:     st.Lost,
		Damage:   damage,
	}
	if st.Live.Messages > 0 {
		v.FirstTime = FormatTime(st.FirstTime)
	}
	if st.LastTime != 0 {
		v.LastTime = FormatTime(st.LastTime)
	}
	return encode(v, "  ")
}

// encode returns v as JSON with a newline at its end, indented unless indent is "".
// Subjects keep their '>', which json.Marshal would escape.
func encode(v any, indent string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil { // of the types given here none can make it fail
		panic(err)
	}
	return b.Bytes()
}
