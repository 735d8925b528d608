package store

import "slices"

// Seq is the number of a message in its stream. The first message has 1 unless
// the stream was restored from a higher one; 0 is no message.
type Seq uint64

// Msg is a message as it was stored. Header and Data are owned by whoever got the
// Msg; they may share one allocation, or alias the buffer given to [Reader.Load].
type Msg struct {
	Meta
	Subject string
	// Header is the raw NATS/1.0 header block, ending in an empty line, or empty.
	Header []byte
	Data   []byte
}

// Meta is what is known of a message without reading its payload.
type Meta struct {
	Seq Seq
	// Time is when the message was stored, in nanoseconds since the Unix epoch. It
	// never goes backwards inside a stream.
	Time int64
	// Size is the length of the payload in bytes.
	Size int64
	// JSON is the length of the message as a JSON line, as package jsonl writes it.
	JSON int64
	// HasHeader says that the message has a header block.
	HasHeader bool
	// NoNewline says that the payload does not end in a newline byte. An empty
	// payload does not.
	NoNewline bool
}

// LogSize is the length of the message in the log view: its payload, and a
// newline if it does not end in one.
func (m Meta) LogSize() int64 {
	if m.NoNewline {
		return m.Size + 1
	}
	return m.Size
}

// Entry is a message that is still to be stored.
type Entry struct {
	Subject string // literal; see CheckSubject
	Header  []byte // as in Msg
	Data    []byte
	// Sourced says that the message comes from a source of the stream: its subject need not be
	// one that the stream takes. Package replicate sets it.
	Sourced bool
}

// Totals sums up a set of messages.
type Totals struct {
	Messages int64
	Payload  int64 // bytes of payload
	Log      int64 // bytes in the log view: the sum of LogSize
	JSON     int64 // bytes as JSON lines
}

// Add returns t with m counted in.
func (t Totals) Add(m Meta) Totals {
	return Totals{t.Messages + 1, t.Payload + m.Size, t.Log + m.LogSize(), t.JSON + m.JSON}
}

// Plus returns the sum of t and u.
func (t Totals) Plus(u Totals) Totals {
	return Totals{t.Messages + u.Messages, t.Payload + u.Payload, t.Log + u.Log, t.JSON + u.JSON}
}

// Minus returns the difference of t and u.
func (t Totals) Minus(u Totals) Totals {
	return Totals{t.Messages - u.Messages, t.Payload - u.Payload, t.Log - u.Log, t.JSON - u.JSON}
}

// State is a consistent view of a stream's numbers.
type State struct {
	// Rev counts the changes of the stream that this process has seen; see [Event].
	Rev uint64
	// First and Last are the lowest live sequence and the highest one ever stored.
	// A stream without live messages has First = Last + 1.
	First, Last Seq
	// FirstTime is the time of the message First, 0 without one; LastTime that of
	// Last, also when it was removed since, 0 if there never was one.
	FirstTime, LastTime int64
	// Live sums up the live messages.
	Live Totals
	// Appended sums up all messages stored since the stream was opened, removed ones
	// included: it never shrinks while the stream is open.
	Appended Totals
	// Deleted is how many sequences between First and Last were removed or skipped;
	// Lost how many messages are known to be unreadable because of damage.
	Deleted, Lost uint64
	// Consumers is how many consumers there are.
	Consumers int
}

// Extent is a run of sequences and the totals of the live messages in it.
type Extent struct {
	First, Last Seq
	Live        Totals
}

// Query names a set of messages in a stream. The zero Query is all of them. A call that takes
// a Query whose patterns are none refuses it with Check's error.
type Query struct {
	// From and To bound the sequences, both included. A zero To is no bound.
	From, To Seq
	// Subject restricts to the subjects it matches (see MatchSubject); "" is all.
	Subject string
	// Or are more patterns: a message counts that matches Subject or one of them. It is not
	// used while Subject is "".
	Or []string
}

// QueryOf is the query of the messages on subjects that match one of the patterns; of all
// messages if there is no pattern.
func QueryOf(patterns []string) Query {
	if len(patterns) == 0 || slices.Contains(patterns, "") {
		return Query{}
	}
	return Query{Subject: patterns[0], Or: patterns[1:]}
}

// Check returns nil if q's patterns are "" or what CheckPattern accepts, else its error.
func (q Query) Check() error {
	if q.Subject == "" {
		return nil
	}
	if err := CheckPattern(q.Subject); err != nil {
		return err
	}
	for _, p := range q.Or {
		if p == "" {
			continue
		}
		if err := CheckPattern(p); err != nil {
			return err
		}
	}
	return nil
}

// Matches says whether messages on a literal subject can belong to q.
func (q Query) Matches(subject string) bool {
	return MatchSubject(q.Subject, subject) ||
		slices.ContainsFunc(q.Or, func(p string) bool { return MatchSubject(p, subject) })
}

// Usage is the room that a store has and takes up, in bytes.
type Usage struct {
	Total     uint64 // what the store could hold at most, used space included
	Free      uint64 // what is left of it for new messages
	Used      uint64 // what the store takes up now
	Messages  uint64 // live messages in all streams
	Limit     uint64 // what the store may take ([AccountLimits].MaxStorage), 0 if that is not bounded
	BlockSize uint32 // the unit in which space is given out
}

// Damage tells of bytes that an engine found it could not trust, or of messages
// that are missing where they should be.
type Damage struct {
	Stream string `json:"stream"`
	File   string `json:"file,omitempty"` // relative to the store
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`
	// First and Last bound the sequences that are lost because of it; both are 0
	// where none is, or where it can't be told which.
	First Seq    `json:"first_seq,omitempty"`
	Last  Seq    `json:"last_seq,omitempty"`
	Cause string `json:"cause"`
}
