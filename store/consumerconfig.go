package store

import (
	"maps"
	"slices"
	"time"
)

// DeliverPolicy says where a consumer begins.
type DeliverPolicy string

// The places to begin.
const (
	DeliverAll             DeliverPolicy = "all"               // at the first message
	DeliverLast            DeliverPolicy = "last"              // at the last one that matches
	DeliverNew             DeliverPolicy = "new"               // at what comes after the consumer was made
	DeliverByStartSequence DeliverPolicy = "by_start_sequence" // at opt_start_seq
	DeliverByStartTime     DeliverPolicy = "by_start_time"     // at opt_start_time
	// DeliverLastPerSubject begins with the last message of each subject that matches, as they are when the consumer is made.
	// Those that are still to come are found again when the store is opened.
	DeliverLastPerSubject DeliverPolicy = "last_per_subject"
)

// AckPolicy says what acknowledges a delivery.
type AckPolicy string

// The ways to acknowledge.
const (
	AckNone     AckPolicy = "none"     // delivering does
	AckAll      AckPolicy = "all"      // an ack of the message or of a later one
	AckExplicit AckPolicy = "explicit" // an ack of the message
)

// ReplayPolicy says how fast messages are delivered that were there before.
type ReplayPolicy string

// The speeds.
const (
	ReplayInstant  ReplayPolicy = "instant"  // as fast as they are asked for
	ReplayOriginal ReplayPolicy = "original" // as far apart as they were stored, until the consumer has caught up
)

// ConsumerConfig is a consumer's configuration, under NATS's names and with NATS's meanings: times are in nanoseconds.
type ConsumerConfig struct {
	// Name follows the rules for streams' names (CheckName). Durable is the same; one of them may be left out.
	Name        string            `json:"name"`
	Durable     string            `json:"durable_name,omitempty"`
	Description string            `json:"description,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`

	// DeliverPolicy is DeliverAll if it is left out. OptStartSeq and OptStartTime belong to the policies that are
	// named after them.
	DeliverPolicy DeliverPolicy `json:"deliver_policy,omitempty"`
	OptStartSeq   Seq           `json:"opt_start_seq,omitempty"`
	OptStartTime  time.Time     `json:"opt_start_time,omitzero"`

	// AckPolicy is AckExplicit if it is left out. AckWait is after how long an open delivery is made again; 0 is
	// DefaultAckWait. BackOff replaces it: one time for each delivery, the last one for all that follow.
	AckPolicy AckPolicy       `json:"ack_policy,omitempty"`
	AckWait   time.Duration   `json:"ack_wait,omitempty"`
	BackOff   []time.Duration `json:"backoff,omitempty"`
	// MaxDeliver is how often a message is delivered at most; 0 and -1 are no limit. A message that reached it stays in
	// the stream, whatever its retention.
	MaxDeliver int `json:"max_deliver,omitempty"`
	// MaxAckPending is how many deliveries may be open at once; 0 is DefaultMaxAckPending, -1 the
	// constant MaxAckPending. It has no meaning with AckNone.
	MaxAckPending int `json:"max_ack_pending,omitempty"`

	// FilterSubject or FilterSubjects restrict the consumer to subjects that match a pattern.
	FilterSubject  string   `json:"filter_subject,omitempty"`
	FilterSubjects []string `json:"filter_subjects,omitempty"`

	ReplayPolicy ReplayPolicy `json:"replay_policy,omitempty"`
	// MaxWaiting is how many calls of Next may wait at once; 0 is DefaultMaxWaiting.
	MaxWaiting int `json:"max_waiting,omitempty"`
	// HeadersOnly delivers messages without their payload, and with its length in the header Nats-Msg-Size.
	HeadersOnly bool `json:"headers_only,omitempty"`
}

// Limits and defaults that hold for every consumer.
const (
	// DefaultAckWait is after how long an open delivery is made again.
	DefaultAckWait = 30 * time.Second
	// DefaultMaxAckPending is how many deliveries may be open at once unless the configuration says otherwise, and
	// MaxAckPending the most that it can say.
	DefaultMaxAckPending = 1000
	MaxAckPending        = 100_000
	// DefaultMaxWaiting is how many calls of Next may wait at once.
	DefaultMaxWaiting = 512
)

// HeaderSize tells how long a payload is that was not delivered, in bytes.
const HeaderSize = "Nats-Msg-Size"

// WithDefaults returns c with its zero fields filled in, and with what other fields force.
func (c ConsumerConfig) WithDefaults() ConsumerConfig {
	if c.Name == "" {
		c.Name = c.Durable
	}
	if c.Durable == "" {
		c.Durable = c.Name
	}
	if c.DeliverPolicy == "" {
		c.DeliverPolicy = DeliverAll
	}
	if c.AckPolicy == "" {
		c.AckPolicy = AckExplicit
	}
	if c.ReplayPolicy == "" {
		c.ReplayPolicy = ReplayInstant
	}
	if !c.OptStartTime.IsZero() {
		c.OptStartTime = c.OptStartTime.UTC().Round(0)
	}
	if c.MaxDeliver <= 0 {
		c.MaxDeliver = NoLimit
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = DefaultMaxWaiting
	}
	if c.AckPolicy == AckNone {
		c.AckWait, c.BackOff, c.MaxAckPending = 0, nil, 0
		return c
	}
	if len(c.BackOff) > 0 {
		c.AckWait = c.BackOff[0]
	}
	if c.AckWait == 0 {
		c.AckWait = DefaultAckWait
	}
	switch c.MaxAckPending {
	case 0:
		c.MaxAckPending = DefaultMaxAckPending
	case NoLimit:
		c.MaxAckPending = MaxAckPending
	}
	return c
}

// Clone returns a copy of c that shares no memory with it.
func (c ConsumerConfig) Clone() ConsumerConfig {
	c.Metadata, c.BackOff = maps.Clone(c.Metadata), slices.Clone(c.BackOff)
	c.FilterSubjects = slices.Clone(c.FilterSubjects)
	return c
}

// Filters are the patterns of the subjects that the consumer wants; none means every subject.
func (c ConsumerConfig) Filters() []string {
	if c.FilterSubject != "" {
		return []string{c.FilterSubject}
	}
	return c.FilterSubjects
}

// Wait is after how long a delivery that was the n-th of its message, from 1, is made again.
func (c *ConsumerConfig) Wait(n uint64) time.Duration {
	if len(c.BackOff) == 0 {
		return c.AckWait
	}
	return c.BackOff[min(max(n, 1), uint64(len(c.BackOff)))-1]
}
