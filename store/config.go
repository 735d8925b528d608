package store

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
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
)

// Config is a stream's configuration, under NATS's names where NATS has the thing.
type Config struct {
	// Name follows NATS's rules; see CheckName.
	Name string `json:"name"`
	// Subjects are the patterns that the stream takes; none means every subject.
	Subjects []string `json:"subjects,omitempty"`
	// MaxMsgSize bounds header and payload together, in bytes; 0 is DefaultMaxMsgSize.
	MaxMsgSize int64 `json:"max_msg_size,omitempty"`
	// Sealed forbids every change. DenyDelete forbids Remove.
	Sealed     bool `json:"sealed,omitempty"`
	DenyDelete bool `json:"deny_delete,omitempty"`

	Description string            `json:"description,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

// WithDefaults returns c with its zero fields filled in.
func (c Config) WithDefaults() Config {
	if len(c.Subjects) == 0 {
		c.Subjects = []string{">"}
	}
	if c.MaxMsgSize == 0 {
		c.MaxMsgSize = DefaultMaxMsgSize
	}
	return c
}

// Check returns nil if c, with its defaults, is a configuration that a stream can
// have, else an error that names the field.
func (c Config) Check() error {
	if err := CheckName(c.Name); err != nil {
		return err
	}
	for _, s := range c.Subjects {
		if err := CheckPattern(s); err != nil {
			return fmt.Errorf("subjects: %w", err)
		}
	}
	if c.MaxMsgSize < 1 || c.MaxMsgSize > MaxMsgSize {
		return fmt.Errorf("max_msg_size: %w: %d is not between 1 and %d", ErrInvalid, c.MaxMsgSize, MaxMsgSize)
	}
	return nil
}

// Takes says whether the stream takes messages on a literal subject.
func (c Config) Takes(subject string) bool {
	return len(c.Subjects) == 0 ||
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

// CheckEntry returns nil if the stream can take e: the checks that every engine
// makes before it changes anything, in the order in which they are reported.
func (c Config) CheckEntry(e Entry) error {
	if c.Sealed {
		return fmt.Errorf("stream %s: %w", c.Name, ErrSealed)
	}
	if err := CheckSubject(e.Subject); err != nil {
		return err
	}
	if !c.Takes(e.Subject) {
		return fmt.Errorf("%w: stream %s takes %s, not %q", ErrSubject, c.Name, strings.Join(c.Subjects, ", "), e.Subject)
	}
	if len(e.Header) > MaxHeader {
		return fmt.Errorf("header of %d bytes: %w (at most %d)", len(e.Header), ErrTooLarge, MaxHeader)
	}
	if n := int64(len(e.Header)) + int64(len(e.Data)); n > c.MaxMsgSize {
		return fmt.Errorf("message of %d bytes: %w (stream %s takes at most %d)", n, ErrTooLarge, c.Name, c.MaxMsgSize)
	}
	return nil
}

// CheckName returns nil if a stream may have that name: 1 to 255 bytes of valid UTF-8
// without white space, control characters, '.', '*', '>', '/' and '\'. Else the
// error wraps ErrInvalid or ErrNameTooLong.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("stream name: %w: it is empty", ErrInvalid)
	case len(name) > MaxName:
		return fmt.Errorf("stream name of %d bytes: %w (at most %d)", len(name), ErrNameTooLong, MaxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("stream name %q: %w: not valid UTF-8", name, ErrInvalid)
	}
	for _, r := range name {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`.*>/\`, r) {
			return fmt.Errorf("stream name %q: %w: it contains %q", name, ErrInvalid, r)
		}
	}
	return nil
}
