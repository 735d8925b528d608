package store

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Check returns nil if c, with its defaults, is a configuration that a stream can
// get, else an error that names the field.
func (c Config) Check() error {
	return cmp.Or(c.CheckKept(), c.checkOverlaps())
}

// CheckKept is Check for a configuration that a stream has already: it may have been given to it before all that Check refuses
// was refused.
func (c Config) CheckKept() error {
	if err := CheckName(c.Name); err != nil {
		return err
	}
	for _, s := range c.Subjects {
		if err := CheckPattern(s); err != nil {
			return fmt.Errorf("subjects: %w", err)
		}
	}
	return cmp.Or(c.checkLimits(), c.checkTimes(), c.checkWords(), c.checkTogether(), c.checkSources())
}

// checkOverlaps refuses subjects of which one is taken twice.
func (c *Config) checkOverlaps() error {
	for i, p := range c.Subjects {
		for _, q := range c.Subjects[:i] {
			switch {
			case p == q:
				return bad("subjects", "%s is there twice", p)
			case Overlap(p, q):
				return bad("subjects", "%s and %s overlap", q, p)
			}
		}
	}
	return nil
}

func bad(field, format string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", field, ErrInvalid, fmt.Sprintf(format, args...))
}

func (c *Config) checkLimits() error {
	for _, limit := range []struct {
		field string
		value int64
	}{
		{"max_msgs", c.MaxMsgs}, {"max_bytes", c.MaxBytes}, {"max_msgs_per_subject", c.MaxMsgsPerSubject},
		{"max_consumers", int64(c.MaxConsumers)},
	} {
		if limit.value < 0 {
			return bad(limit.field, "%d is less than -1, which is no limit", limit.value)
		}
	}
	if c.MaxMsgSize < 1 || c.MaxMsgSize > MaxMsgSize {
		return bad("max_msg_size", "%d is not between 1 and %d", c.MaxMsgSize, MaxMsgSize)
	}
	return nil
}

func (c *Config) checkTimes() error {
	for _, t := range []struct {
		field string
		value time.Duration
		zero  bool // is allowed
	}{{"max_age", c.MaxAge, true}, {"duplicate_window", c.DuplicateWindow, false}} {
		switch {
		case t.value < 0:
			return bad(t.field, "%v is negative", t.value)
		case t.value < MinAge && (t.value != 0 || !t.zero):
			return bad(t.field, "%v is less than %v", t.value, MinAge)
		}
	}
	if c.MaxAge > 0 && c.DuplicateWindow > c.MaxAge {
		return bad("duplicate_window", "%v is longer than max_age, which is %v", c.DuplicateWindow, c.MaxAge)
	}
	return nil
}

func (c *Config) checkWords() error {
	if c.Discard != DiscardOld && c.Discard != DiscardNew {
		return bad("discard", "%q is neither %q nor %q", c.Discard, DiscardOld, DiscardNew)
	}
	if c.Compression != CompressionNone && c.Compression != CompressionS2 {
		return bad("compression", "%q is neither %q nor %q", c.Compression, CompressionNone, CompressionS2)
	}
	if r := c.Retention; r != RetentionLimits && r != RetentionInterest && r != RetentionWorkQueue {
		return bad("retention", "%q is none of %q, %q and %q", r, RetentionLimits, RetentionInterest, RetentionWorkQueue)
	}
	return checkNotes(c.Description, c.Metadata)
}

// checkNotes checks what a configuration says to people.
func checkNotes(description string, metadata map[string]string) error {
	if n := len(description); n > MaxDescription {
		return bad("description", "it has %d bytes, and may have %d", n, MaxDescription)
	}
	n := 0
	for k, v := range metadata {
		n += len(k) + len(v)
	}
	if n > MaxMetadata {
		return bad("metadata", "it has %d bytes, and may have %d", n, MaxMetadata)
	}
	return nil
}

// checkTogether checks what one field demands of another.
func (c *Config) checkTogether() error {
	switch {
	case c.DenyPurge && c.AllowRollup:
		return bad("allow_rollup_hdrs", "rollups purge, which deny_purge forbids")
	case c.DiscardNewPerSubject && c.Discard != DiscardNew:
		return bad("discard_new_per_subject", "it needs discard to be %q", DiscardNew)
	case c.DiscardNewPerSubject && c.MaxMsgsPerSubject == 0:
		return bad("discard_new_per_subject", "it needs a max_msgs_per_subject")
	}
	return nil
}

// CheckUpdate returns nil if a stream in that state, whose configuration is c, may get the
// configuration to, which passes Check; else an error that names the field, and wraps ErrDenied.
func (c Config) CheckUpdate(to Config, state State) error {
	return c.checkChange(to, state, false)
}

// CheckAdopt is CheckUpdate for a stream that is a copy and gets the configuration of its original, which it could have been made with: as
// long as it has no consumer its retention may become or cease to be RetentionWorkQueue, and first_seq may be raised
// up to the first message.
func (c Config) CheckAdopt(to Config, state State) error {
	return c.checkChange(to, state, true)
}

// checkChange is CheckAdopt for a copy, else CheckUpdate.
func (c Config) checkChange(to Config, state State, isCopy bool) error {
	used := state.Last >= c.First()
	denied := func(field, why string) error { return fmt.Errorf("%s: %w: %s", field, ErrDenied, why) }
	switch {
	case to.Name != c.Name:
		return denied("name", "it can't be changed")
	case c.Sealed && !to.Sealed:
		return denied("sealed", "it can't be taken back")
	case c.DenyDelete && !to.DenyDelete:
		return denied("deny_delete", "it can't be taken back")
	case c.DenyPurge && !to.DenyPurge:
		return denied("deny_purge", "it can't be taken back")
	case c.AllowMsgTTL && !to.AllowMsgTTL:
		return denied("allow_msg_ttl", "it can't be taken back")
	case to.First() != c.First() && used && (!isCopy || to.First() > state.First):
		return denied("first_seq", "the stream has had a message")
	case to.First() < c.First():
		return denied("first_seq", "it can't be lowered")
	case c.Retention != to.Retention && (c.Retention == RetentionWorkQueue || to.Retention == RetentionWorkQueue) &&
		(used && !isCopy || state.Consumers > 0):
		return denied("retention", fmt.Sprintf("the stream has had a message, or has a consumer, and then it can't be changed to or from %q", RetentionWorkQueue))
	case c.Mirror != nil && to.Mirror != nil && *c.Mirror != *to.Mirror:
		return denied("mirror", "it can be taken away, but not changed")
	}
	return nil
}

// CheckEntry returns nil if the stream can take e by an append: the checks that every engine
// makes before it changes anything, in the order in which they are reported.
func (c *Config) CheckEntry(e *Entry) error {
	switch {
	case c.Sealed:
		return fmt.Errorf("stream %s: %w", c.Name, ErrSealed)
	case c.Mirror != nil:
		return fmt.Errorf("stream %s: %w: it is a mirror of %s, and takes no messages of its own", c.Name, ErrDenied, c.Mirror.Name)
	}
	if err := CheckSubject(e.Subject); err != nil {
		return err
	}
	switch {
	case e.Sourced:
	case !c.Takes(e.Subject):
		return c.notTaken(e.Subject)
	case len(c.Sources) > 0 && hasHeader(e.Header, HeaderSource):
		return fmt.Errorf("header %s: %w: only messages from a source of stream %s have it", HeaderSource, ErrDenied, c.Name)
	}
	return c.checkSize(e)
}

// CheckRestore is CheckEntry for a message that comes with its sequence: one that the stream, or the one of which it is a copy, took once. A
// stream keeps what it took when its subjects or its max_msg_size become narrower, and so they don't count here. A stream with origins has
// been refused such a size.
func (c *Config) CheckRestore(e *Entry) error {
	if c.Sealed {
		return fmt.Errorf("stream %s: %w", c.Name, ErrSealed)
	}
	if err := CheckSubject(e.Subject); err != nil {
		return err
	}
	if c.hasOrigins() {
		return c.checkSize(e)
	}
	return c.checkSizeAgainst(e, MaxMsgSize)
}

func (c *Config) notTaken(subject string) error {
	if len(c.Subjects) == 0 {
		return fmt.Errorf("%w: stream %s takes messages from its sources only", ErrSubject, c.Name)
	}
	return fmt.Errorf("%w: stream %s takes %s, not %q", ErrSubject, c.Name, strings.Join(c.Subjects, ", "), subject)
}

func (c *Config) checkSize(e *Entry) error { return c.checkSizeAgainst(e, c.MaxMsgSize) }

func (c *Config) checkSizeAgainst(e *Entry, most int64) error {
	if len(e.Header) > MaxHeader {
		return fmt.Errorf("header of %d bytes: %w (at most %d)", len(e.Header), ErrTooLarge, MaxHeader)
	}
	if n := int64(len(e.Header)) + int64(len(e.Data)); n > most {
		return fmt.Errorf("message of %d bytes: %w (stream %s takes at most %d)", n, ErrTooLarge, c.Name, most)
	}
	return nil
}

// CheckName returns nil if a stream may have that name: 1 to 255 bytes of valid UTF-8
// without white space, control characters, '.', '*', '>', '/' and '\'. Else the
// error wraps ErrInvalid or ErrNameTooLong.
func CheckName(name string) error { return checkName("stream", name) }

// checkName is CheckName for the name of something else that is named by the same rules.
func checkName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%s name: %w: it is empty", what, ErrInvalid)
	case len(name) > MaxName:
		return fmt.Errorf("%s name of %d bytes: %w (at most %d)", what, len(name), ErrNameTooLong, MaxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%s name %q: %w: not valid UTF-8", what, name, ErrInvalid)
	}
	for _, r := range name {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`.*>/\`, r) {
			return fmt.Errorf("%s name %q: %w: it contains %q", what, name, ErrInvalid, r)
		}
	}
	return nil
}
