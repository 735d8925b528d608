package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// HeaderSource is the header by which a stream knows where a message came from that it has
// of an origin: name of the origin, sequence there, filter, transform, subject and identity of the
// origin, with a space between. A filter or transform that is not there is ">".
const HeaderSource = "Nats-Stream-Source"

// Source names an origin, which is a stream that another one mirrors or takes messages from, and which of its
// messages are taken. The origin need not exist.
type Source struct {
	// Name is the origin's.
	Name string `json:"name"`
	// OptStartSeq and OptStartTime say where to begin, as long as nothing was taken; at most one
	// of them is set. Neither is from the first message on.
	OptStartSeq  Seq       `json:"opt_start_seq,omitempty"`
	OptStartTime time.Time `json:"opt_start_time,omitzero"`
	// FilterSubject is a pattern; what does not match it is not taken. "" takes everything.
	FilterSubject string `json:"filter_subject,omitempty"`
}

// Key tells the sources of one stream apart: name and filter, with a space between.
func (s Source) Key() string {
	if s.FilterSubject == "" {
		return s.Name + " >"
	}
	return s.Name + " " + s.FilterSubject
}

// UnmarshalJSON reads s from JSON. Fields that are not known may have the values that ask for
// nothing, as in ParseConfig.
func (s *Source) UnmarshalJSON(b []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	unknown := &UnknownFieldError{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch name {
		case "name", "opt_start_seq", "opt_start_time", "filter_subject":
		case "external", "consumer", "subject_transforms":
			if v := string(fields[name]); v != "null" && v != "[]" {
				unknown.Fields = append(unknown.Fields, name)
			}
		default:
			unknown.Fields = append(unknown.Fields, name)
		}
	}
	if len(unknown.Fields) > 0 {
		return unknown
	}
	type plain Source
	err := json.Unmarshal(b, (*plain)(s))
	if err != nil && !errors.As(err, new(*json.UnmarshalTypeError)) { // that one names its field
		return fmt.Errorf("opt_start_time: %w", err)
	}
	return err
}

// withDefaults returns s in the form in which two that mean the same are equal.
func (s Source) withDefaults() Source {
	if !s.OptStartTime.IsZero() {
		s.OptStartTime = s.OptStartTime.UTC().Round(0)
	}
	if s.FilterSubject == ">" {
		s.FilterSubject = ""
	}
	return s
}

func (s Source) check(field string) error {
	if err := CheckName(s.Name); err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	if s.FilterSubject != "" {
		if err := CheckPattern(s.FilterSubject); err != nil {
			return fmt.Errorf("%s: filter_subject: %w", field, err)
		}
	}
	if s.OptStartSeq > 0 && !s.OptStartTime.IsZero() {
		return bad(field, "opt_start_seq and opt_start_time exclude each other")
	}
	return nil
}

// Origins are the streams that c takes messages from: its mirror's, or its sources.
func (c Config) Origins() []Source {
	if c.Mirror != nil {
		return []Source{*c.Mirror}
	}
	return slices.Clone(c.Sources)
}

// SameOrigins says whether streams with the configurations c and d follow the same origins in the same way.
func (c Config) SameOrigins(d Config) bool {
	return (c.Mirror != nil) == (d.Mirror != nil) && c.Sealed == d.Sealed && slices.Equal(c.Origins(), d.Origins())
}

func (c *Config) checkSources() error {
	if c.Mirror != nil {
		switch {
		case len(c.Subjects) > 0:
			return bad("mirror", "a mirror takes no subjects of its own, so subjects must be empty")
		case len(c.Sources) > 0:
			return bad("mirror", "a mirror can't have sources, too")
		case c.FirstSeq > 0:
			return bad("mirror", "a mirror has its origin's sequences, so first_seq can't be set")
		}
		return c.Mirror.check("mirror")
	}
	seen := map[string]bool{}
	for _, s := range c.Sources {
		if err := s.check("sources"); err != nil {
			return err
		}
		if key := s.Key(); seen[key] {
			return bad("sources", "%s is there twice with the same filter_subject", s.Name)
		}
		seen[s.Key()] = true
	}
	return nil
}

// CheckOrigins returns nil if a stream may have the configuration c, which passes Check, among the
// other streams of its store: following origins must not lead back to it, and of an origin that has
// a max_msg_size of its own it must take each message. lookup gives another stream's configuration, if there is one.
func (c Config) CheckOrigins(lookup func(name string) (Config, bool)) error {
	field := "sources"
	if c.Mirror != nil {
		field = "mirror"
	}
	seen, next := map[string]bool{}, c.Origins()
	for i := 0; i < len(next); i++ {
		name := next[i].Name
		if name == c.Name {
			return bad(field, "a cycle: following origins leads from %s back to it", c.Name)
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		if o, ok := lookup(name); ok {
			if i < len(c.Origins()) && o.MaxMsgSize != DefaultMaxMsgSize && c.MaxMsgSize < o.MaxMsgSize {
				return bad("max_msg_size", "%d is less than that of %s, which is %d", c.MaxMsgSize, name, o.MaxMsgSize)
			}
			next = append(next, o.Origins()...)
		}
	}
	return nil
}

// hasHeader says whether a header block has a line with that name.
func hasHeader(block []byte, name string) bool {
	for line := range strings.SplitSeq(string(block), "\r\n") {
		if strings.HasPrefix(line, name) && strings.HasPrefix(line[len(name):], ":") {
			return true
		}
	}
	return false
}

// SourceState says how far a stream has followed one of its origins.
type SourceState struct {
	Source
	// Lag is how many messages of the origin are still to come, as of the last time that it was heard;
	// where the origin can't count them it is how many sequences.
	Lag uint64
	// Active is when the origin was heard of last, in nanoseconds since the Unix epoch; 0 if it was not
	// since the store was opened.
	Active int64
	// Error says what keeps the stream from following, or what must be known of its messages; "" is nothing.
	Error string
}

// Replica is the role of following origins.
type Replica interface {
	// Origins returns how far each of the stream's origins was followed: its mirror's one, or its
	// sources in the order of the configuration. It does not wait.
	Origins() []SourceState
}
