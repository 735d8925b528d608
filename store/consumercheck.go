package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Check returns nil if c, with its defaults, is a configuration that a consumer can have, else an error
// that names the field.
func (c ConsumerConfig) Check() error {
	if err := checkName("consumer", c.Name); err != nil {
		return err
	}
	if c.Durable != c.Name {
		return bad("durable_name", "%q is not the name, which is %q", c.Durable, c.Name)
	}
	return cmp.Or(c.checkWords(), c.checkStart(), c.checkAcks(), c.checkFilters())
}

func (c *ConsumerConfig) checkWords() error {
	for _, word := range []struct {
		field, value string
		allowed      []string
	}{
		{"deliver_policy", string(c.DeliverPolicy), []string{
			string(DeliverAll), string(DeliverLast), string(DeliverNew), string(DeliverByStartSequence),
			string(DeliverByStartTime), string(DeliverLastPerSubject),
		}},
		{"ack_policy", string(c.AckPolicy), []string{string(AckNone), string(AckAll), string(AckExplicit)}},
		{"replay_policy", string(c.ReplayPolicy), []string{string(ReplayInstant), string(ReplayOriginal)}},
	} {
		if !slices.Contains(word.allowed, word.value) {
			return bad(word.field, "%q is none of %s", word.value, strings.Join(word.allowed, ", "))
		}
	}
	return checkNotes(c.Description, c.Metadata)
}

func (c *ConsumerConfig) checkStart() error {
	switch seq, at := c.OptStartSeq > 0, !c.OptStartTime.IsZero(); {
	case seq && c.DeliverPolicy != DeliverByStartSequence:
		return bad("opt_start_seq", "it needs deliver_policy to be %q", DeliverByStartSequence)
	case at && c.DeliverPolicy != DeliverByStartTime:
		return bad("opt_start_time", "it needs deliver_policy to be %q", DeliverByStartTime)
	case !seq && c.DeliverPolicy == DeliverByStartSequence:
		return bad("opt_start_seq", "deliver_policy %q needs it", DeliverByStartSequence)
	case !at && c.DeliverPolicy == DeliverByStartTime:
		return bad("opt_start_time", "deliver_policy %q needs it", DeliverByStartTime)
	case c.DeliverPolicy == DeliverLastPerSubject && len(c.Filters()) == 0:
		return bad("filter_subject", "deliver_policy %q needs one; > is every subject", DeliverLastPerSubject)
	}
	return nil
}

func (c *ConsumerConfig) checkAcks() error {
	for _, wait := range append([]time.Duration{c.AckWait}, c.BackOff...) {
		if wait < 0 {
			return bad(c.waitField(), "%v is negative", wait)
		}
	}
	switch {
	case len(c.BackOff) > 0 && c.MaxDeliver != NoLimit && len(c.BackOff) > c.MaxDeliver:
		return bad("backoff", "it has %d times, and max_deliver is %d", len(c.BackOff), c.MaxDeliver)
	case len(c.BackOff) > 1000:
		return bad("backoff", "it has %d times, and may have 1000", len(c.BackOff))
	case c.MaxAckPending < 0 || c.MaxAckPending > MaxAckPending:
		return bad("max_ack_pending", "%d is not between 1 and %d, nor -1, which is the most there is", c.MaxAckPending, MaxAckPending)
	case c.MaxWaiting < 0:
		return bad("max_waiting", "%d is negative", c.MaxWaiting)
	}
	return nil
}

func (c *ConsumerConfig) waitField() string {
	if len(c.BackOff) > 0 {
		return "backoff"
	}
	return "ack_wait"
}

func (c *ConsumerConfig) checkFilters() error {
	if c.FilterSubject != "" && len(c.FilterSubjects) > 0 {
		return bad("filter_subjects", "filter_subject is given, too")
	}
	size := 0
	for i, p := range c.Filters() {
		if size += len(p); size > MaxMetadata {
			return bad("filter_subjects", "they have more than %d bytes together", MaxMetadata)
		}
		field := "filter_subjects"
		if c.FilterSubject != "" {
			field = "filter_subject"
		}
		if err := CheckPattern(p); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		for _, q := range c.Filters()[:i] {
			if Overlap(p, q) {
				return bad(field, "%s and %s overlap", q, p)
			}
		}
	}
	return nil
}

// CheckUpdate returns nil if a consumer whose configuration is c may get the configuration to, which passes
// Check; else an error that names the field, and wraps ErrDenied.
func (c ConsumerConfig) CheckUpdate(to ConsumerConfig) error {
	var field string
	switch {
	case c.Name != to.Name:
		field = "name"
	case c.DeliverPolicy != to.DeliverPolicy:
		field = "deliver_policy"
	case c.OptStartSeq != to.OptStartSeq:
		field = "opt_start_seq"
	case !c.OptStartTime.Equal(to.OptStartTime):
		field = "opt_start_time"
	case c.AckPolicy != to.AckPolicy:
		field = "ack_policy"
	case c.ReplayPolicy != to.ReplayPolicy:
		field = "replay_policy"
	case c.MaxWaiting != to.MaxWaiting:
		field = "max_waiting"
	default:
		return nil
	}
	return fmt.Errorf("%s: %w: it can't be changed", field, ErrDenied)
}

// CheckAmong returns nil if a stream with the configuration in may have the consumer c beside others, which
// are not of the same name; else an error that names the field, and wraps ErrDenied.
func (c ConsumerConfig) CheckAmong(in Config, others []ConsumerConfig) error {
	if in.Retention != RetentionWorkQueue {
		return nil
	}
	denied := func(field, format string, args ...any) error {
		return fmt.Errorf("%s: %w: in a stream with retention %q %s", field, ErrDenied, RetentionWorkQueue, fmt.Sprintf(format, args...))
	}
	switch {
	case c.AckPolicy != AckExplicit:
		return denied("ack_policy", "it must be %q", AckExplicit)
	case c.DeliverPolicy != DeliverAll:
		return denied("deliver_policy", "it must be %q", DeliverAll)
	}
	for i := range others {
		if c.overlaps(&others[i]) {
			return denied("filter_subject", "no message may have two consumers, and %s takes some of the same", others[i].Name)
		}
	}
	return nil
}

func (c *ConsumerConfig) overlaps(o *ConsumerConfig) bool {
	all := []string{">"}
	mine, theirs := c.Filters(), o.Filters()
	if len(mine) == 0 {
		mine = all
	}
	if len(theirs) == 0 {
		theirs = all
	}
	for _, p := range mine {
		for _, q := range theirs {
			if Overlap(p, q) {
				return true
			}
		}
	}
	return false
}
