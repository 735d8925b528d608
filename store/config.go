package store

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Discard says what a stream does that has reached max_msgs or max_bytes.
type Discard string

// The ways to discard.
const (
	DiscardOld Discard = "old" // the oldest messages go
	DiscardNew Discard = "new" // the new one is refused with ErrLimit
)

// Retention says what keeps a message in a stream, besides its limits.
type Retention string

// The ways to retain.
const (
	RetentionLimits    Retention = "limits"    // nothing else removes it
	RetentionInterest  Retention = "interest"  // consumers that want it and have not acknowledged it; without one it is not kept
	RetentionWorkQueue Retention = "workqueue" // that no consumer acknowledged it; consumers don't share subjects
)

// Compression says how a stream's messages are compressed in the storage.
type Compression string

// The ways to compress.
const (
	CompressionNone Compression = "none"
	CompressionS2   Compression = "s2"
)

// Config is a stream's configuration, under NATS's names where NATS has the thing, and with
// NATS's meanings: times are in nanoseconds, and of a limit 0 and -1 mean that there is none.
type Config struct {
	// Name follows NATS's rules; see CheckName.
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`

	// Subjects are the patterns that the stream takes; none means every subject, or with Mirror or Sources
	// that it takes nothing but from its origins.
	Subjects []string `json:"subjects,omitempty"`

	// MaxMsgs bounds the live messages, MaxBytes their bytes: each counts with the length of its JSON
	// line (Meta.JSON), which is never less than what it takes in the storage. Discard says
	// what happens at these two; a message that is larger than MaxBytes is always refused.
	MaxMsgs  int64   `json:"max_msgs,omitempty"`
	MaxBytes int64   `json:"max_bytes,omitempty"`
	Discard  Discard `json:"discard,omitempty"`
	// MaxAge is how old a message may become: at least 100 ms. It is removed then, unless its Nats-TTL
	// says never.
	MaxAge time.Duration `json:"max_age,omitempty"`
	// MaxMsgsPerSubject bounds the live messages on each subject. The oldest on the subject goes, or
	// with DiscardNewPerSubject the new one is refused, if it is no rollup.
	MaxMsgsPerSubject    int64 `json:"max_msgs_per_subject,omitempty"`
	DiscardNewPerSubject bool  `json:"discard_new_per_subject,omitempty"`
	// MaxMsgSize bounds header and payload together, in bytes; 0 is DefaultMaxMsgSize, -1 the
	// constant MaxMsgSize.
	MaxMsgSize int64 `json:"max_msg_size,omitempty"`

	// Retention says what becomes of messages that consumers acknowledge. It can't be changed to or from
	// RetentionWorkQueue once the stream has had a message, or while it has a consumer. A change to RetentionInterest removes at once what no consumer wants. What comes with its sequence, by a
	// restore, is kept without interest until a consumer is removed, or its configuration changed.
	Retention Retention `json:"retention,omitempty"`
	// MaxConsumers bounds how many consumers can be made. Those that are there stay if it is lowered.
	MaxConsumers int `json:"max_consumers,omitempty"`

	// DuplicateWindow is for how long a Nats-Msg-Id is remembered: a message that repeats one is
	// not stored. 0 is DefaultDuplicateWindow, or MaxAge if that is shorter; never less than 100 ms.
	DuplicateWindow time.Duration `json:"duplicate_window,omitempty"`
	// FirstSeq is the sequence of the first message that is ever stored; 0 is 1.
	FirstSeq Seq `json:"first_seq,omitempty"`
	// Compression is how messages that come are kept.
	Compression Compression `json:"compression,omitempty"`

	// Sealed forbids every change of the messages; it forces the settings that say the same. DenyDelete
	// forbids Remove, DenyPurge whatever removes more than one message, rollups included. Limits hold
	// all the same. None of the three can be taken back.
	Sealed     bool `json:"sealed,omitempty"`
	DenyDelete bool `json:"deny_delete,omitempty"`
	DenyPurge  bool `json:"deny_purge,omitempty"`
	// AllowRollup takes messages with Nats-Rollup, which replace older ones; AllowMsgTTL those with
	// Nats-TTL, which go when their time has come. It can't be taken back.
	AllowRollup bool `json:"allow_rollup_hdrs,omitempty"`
	AllowMsgTTL bool `json:"allow_msg_ttl,omitempty"`

	// Mirror makes the stream a copy of another one, with its sequences, times, subjects and headers. It takes
	// no other messages. Sources are streams whose messages are appended to this one, besides its own.
	// What an origin removes stays here. Mirror can be taken away, and given to any stream, as that is made before it
	// gets its configuration; what it has is taken for the origin's then.
	Mirror  *Source  `json:"mirror,omitempty"`
	Sources []Source `json:"sources,omitempty"`
}

// WithDefaults returns c with its zero fields filled in, and with what other fields force.
func (c Config) WithDefaults() Config {
	if c.Mirror != nil {
		m := c.Mirror.withDefaults()
		c.Mirror = &m
	}
	c.Sources = slices.Clone(c.Sources)
	for i := range c.Sources {
		c.Sources[i] = c.Sources[i].withDefaults()
	}
	if len(c.Subjects) == 0 && !c.hasOrigins() {
		c.Subjects = []string{">"}
	}
	for _, limit := range []*int64{&c.MaxMsgs, &c.MaxBytes, &c.MaxMsgsPerSubject} {
		if *limit == NoLimit {
			*limit = 0
		}
	}
	if c.MaxConsumers == NoLimit {
		c.MaxConsumers = 0
	}
	switch c.MaxMsgSize {
	case 0:
		c.MaxMsgSize = DefaultMaxMsgSize
	case NoLimit:
		c.MaxMsgSize = MaxMsgSize
	}
	if c.Discard == "" {
		c.Discard = DiscardOld
	}
	if c.Retention == "" {
		c.Retention = RetentionLimits
	}
	if c.Compression == "" {
		c.Compression = CompressionNone
	}
	if c.Sealed {
		c.MaxAge, c.Discard, c.AllowRollup = 0, DiscardNew, false
		c.DenyDelete, c.DenyPurge = true, true
	}
	if c.DuplicateWindow == 0 {
		c.DuplicateWindow = DefaultDuplicateWindow
		if c.MaxAge > 0 {
			c.DuplicateWindow = min(c.DuplicateWindow, c.MaxAge)
		}
	}
	return c
}

// Clone returns a copy of c that shares no memory with it.
func (c Config) Clone() Config {
	c.Subjects, c.Metadata = slices.Clone(c.Subjects), maps.Clone(c.Metadata)
	c.Sources = slices.Clone(c.Sources)
	if c.Mirror != nil {
		m := *c.Mirror
		c.Mirror = &m
	}
	return c
}

// First is the sequence of the first message that is ever stored.
func (c Config) First() Seq { return max(c.FirstSeq, 1) }

func (c *Config) hasOrigins() bool { return c.Mirror != nil || len(c.Sources) > 0 }

// Takes says whether the stream takes messages on a literal subject that don't come from an origin.
func (c *Config) Takes(subject string) bool {
	return len(c.Subjects) == 0 && !c.hasOrigins() ||
		slices.ContainsFunc(c.Subjects, func(p string) bool { return MatchSubject(p, subject) })
}

// DefaultSubject is where lines go that name no subject: the first literal subject
// of the stream, else its name in lower case.
func (c Config) DefaultSubject() string {
	for _, s := range c.Subjects {
		if IsLiteral(s) {
			return s
		}
	}
	return strings.ToLower(c.Name)
}
