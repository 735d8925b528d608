package store

import (
	"fmt"
	"time"
)

// Limits that hold for every stream.
const (
	// MaxName is the length in bytes that a stream's name may have at most.
	MaxName = 255
	// MaxHeader is the length in bytes that a header block may have at most.
	MaxHeader = 65535
	// DefaultMaxMsgSize is what a stream takes unless it says otherwise, headers
	// and payload together, in bytes.
	DefaultMaxMsgSize = 64 << 20
	// MaxMsgSize is the most that a stream can be configured to take.
	MaxMsgSize = 1 << 30
	// MaxDescription and MaxMetadata are the lengths in bytes of a description, and of all keys
	// and values of the metadata together.
	MaxDescription = 4096
	MaxMetadata    = 128 << 10
	// MinAge is the least that a stream's max_age and duplicate_window can be.
	MinAge = 100 * time.Millisecond
	// DefaultDuplicateWindow is for how long a Nats-Msg-Id is remembered.
	DefaultDuplicateWindow = 2 * time.Minute
)

// NoLimit in a field of a Config that is a limit is the same as 0.
const NoLimit = -1

// CheckUndelete returns nil if a message may come back to a stream whose live messages are live, onSubject of them on
// the subject of the message: limits must not take it away again.
func (c *Config) CheckUndelete(m Meta, live Totals, onSubject int64) error {
	switch live = live.Add(m); {
	case c.MaxMsgs > 0 && live.Messages > c.MaxMsgs:
		return fmt.Errorf("stream %s: %w: max_msgs is %d", c.Name, ErrLimit, c.MaxMsgs)
	case c.MaxBytes > 0 && live.JSON > c.MaxBytes:
		return fmt.Errorf("stream %s: %w: max_bytes is %d", c.Name, ErrLimit, c.MaxBytes)
	case c.MaxMsgsPerSubject > 0 && onSubject >= c.MaxMsgsPerSubject:
		return fmt.Errorf("stream %s: %w: max_msgs_per_subject is %d", c.Name, ErrLimit, c.MaxMsgsPerSubject)
	}
	return nil
}

// Over says whether live, the sums of a stream's live messages, is above max_msgs or max_bytes.
func (c *Config) Over(live Totals) bool {
	return c.MaxMsgs > 0 && live.Messages > c.MaxMsgs || c.MaxBytes > 0 && live.JSON > c.MaxBytes
}
