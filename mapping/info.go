package mapping

import (
	"jsfs/store"
)

// info is the form of a stream's info file. The order of the fields is the order
// in the file.
type info struct {
	Name        string         `json:"name"`
	Subjects    []string       `json:"subjects"`
	Messages    int64          `json:"messages"`
	Bytes       int64          `json:"bytes"` // of payload
	LogBytes    int64          `json:"log_bytes"`
	FirstSeq    store.Seq      `json:"first_seq"`
	FirstTime   string         `json:"first_ts,omitempty"`
	LastSeq     store.Seq      `json:"last_seq"`
	LastTime    string         `json:"last_ts,omitempty"`
	NumSubjects *uint64        `json:"num_subjects,omitempty"` // that have a live message
	Deleted     uint64         `json:"num_deleted"`
	Lost        uint64         `json:"num_lost"`
	Consumers   int            `json:"consumer_count"`
	Damage      []store.Damage `json:"damage,omitempty"`
	Mirror      *sourceInfo    `json:"mirror,omitempty"`
	Sources     []sourceInfo   `json:"sources,omitempty"`
}

// sourceInfo is how far an origin was followed, in the form of NATS's StreamSourceInfo.
type sourceInfo struct {
	Name          string       `json:"name"`
	FilterSubject string       `json:"filter_subject,omitempty"`
	Lag           uint64       `json:"lag"`
	Active        int64        `json:"active"` // nanoseconds since it was heard of; -1 if it was not
	Error         *sourceError `json:"error,omitempty"`
}

type sourceError struct {
	Description string `json:"description"`
}

// follow sets what is known of the origins of a stream, as of now, in nanoseconds since the Unix epoch.
func (v *info) follow(mirror bool, origins []store.SourceState, now int64) {
	for _, o := range origins {
		s := sourceInfo{Name: o.Name, FilterSubject: o.FilterSubject, Lag: o.Lag, Active: -1}
		if o.Active != 0 {
			s.Active = max(0, now-o.Active)
		}
		if o.Error != "" {
			s.Error = &sourceError{o.Error}
		}
		v.Sources = append(v.Sources, s)
	}
	if mirror && len(v.Sources) > 0 {
		v.Mirror, v.Sources = &v.Sources[0], nil
	}
}

// Info returns the content of a stream's info file: its state, how many subjects have a live message (nil where that can't be
// found out), what is known to be damaged in it, and how far it followed its origins as of now, which is in nanoseconds since the Unix
// epoch: as indented JSON with a newline at its end.
func Info(cfg store.Config, st store.State, subjects *uint64, damage []store.Damage, origins []store.SourceState, now int64) []byte {
	v := info{
		Name:        cfg.Name,
		Subjects:    append([]string{}, cfg.WithDefaults().Subjects...),
		Messages:    st.Live.Messages,
		Bytes:       st.Live.Payload,
		LogBytes:    st.Live.Log,
		FirstSeq:    st.First,
		LastSeq:     st.Last,
		NumSubjects: subjects,
		Deleted:     st.Deleted,
		Lost:        st.Lost, Consumers: st.Consumers,
		Damage: damage,
	}
	if st.Live.Messages > 0 {
		v.FirstTime = FormatTime(st.FirstTime)
	}
	if st.LastTime != 0 {
		v.LastTime = FormatTime(st.LastTime)
	}
	v.follow(cfg.Mirror != nil, origins, now)
	return Indented(v)
}

// viewInfo is what the info file of a message directory other than a stream's own tells.
type viewInfo struct {
	Name      string    `json:"name"`
	Subject   string    `json:"filter_subject,omitempty"`
	From      store.Seq `json:"from_seq,omitempty"`
	To        store.Seq `json:"to_seq,omitempty"`
	Since     string    `json:"since,omitempty"`
	Messages  uint64    `json:"messages"`
	FirstSeq  store.Seq `json:"first_seq"`
	FirstTime string    `json:"first_ts,omitempty"`
	LastSeq   store.Seq `json:"last_seq"`
	LastTime  string    `json:"last_ts,omitempty"`
}

// ViewInfo returns the content of the info file of the messages of a stream that f shows: n of them, between first and last.
func ViewInfo(name string, f Filter, n store.Count, first, last store.Meta) []byte {
	v := viewInfo{
		Name: name, Subject: f.Subject, From: f.From, To: f.To,
		Messages: n.Messages, FirstSeq: n.First, LastSeq: n.Last,
	}
	if f.Since != 0 {
		v.Since = FormatTime(f.Since)
	}
	if n.Messages > 0 {
		v.FirstTime, v.LastTime = FormatTime(first.Time), FormatTime(last.Time)
	}
	return Indented(v)
}

// consumerInfo is the form of a consumer's info file: that of NATS's ConsumerInfo, as far as there is the same here.
type consumerInfo struct {
	Stream         string               `json:"stream_name"`
	Name           string               `json:"name"`
	Created        string               `json:"created"`
	Config         store.ConsumerConfig `json:"config"`
	Delivered      store.Position       `json:"delivered"`
	AckFloor       store.Position       `json:"ack_floor"`
	NumAckPending  int                  `json:"num_ack_pending"`
	NumRedelivered int                  `json:"num_redelivered"`
	NumWaiting     int                  `json:"num_waiting"`
	NumPending     uint64               `json:"num_pending"`
}

// ConsumerInfo returns the content of a consumer's info file: its numbers as indented JSON with a newline at its end.
func ConsumerInfo(stream string, n store.ConsumerInfo) []byte {
	return encode(consumerInfo{
		Stream: stream, Name: n.Name, Created: FormatTime(n.Created), Config: n.Config, Delivered: n.Delivered, AckFloor: n.AckFloor,
		NumAckPending: n.NumAckPending, NumRedelivered: n.NumRedelivered, NumWaiting: n.NumWaiting, NumPending: n.NumPending,
	}, "  ")
}
