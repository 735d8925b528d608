package policy

import (
	"errors"
	"fmt"

	"jsfs/store"
	"jsfs/store/jsonl"
)

// View is what a decision needs to know of a stream: as it will be when everything is stored that was
// decided on before.
type View interface {
	// Live sums up the live messages.
	Live() store.Totals
	// Last is the last sequence that was handed out.
	Last() store.Seq
	// LastOn returns the highest live sequence on a pattern, 0 if there is none.
	LastOn(pattern string) (store.Seq, error)
	// OnSubject returns how many live messages a literal subject has, and the oldest.
	OnSubject(subject string) (n int64, oldest store.Meta, err error)
	// LastID returns the Nats-Msg-Id of the newest live message, "" if it has none.
	LastID() (string, error)
	// Seen returns the sequence of the message with that id inside duplicate_window, 0 if there is none.
	Seen(id string) (store.Seq, error)
}

// Decide says whether e, which passes Config.CheckEntry and whose headers ask for acts, may be stored. What a message
// from a source asks of its origin, and the stream does not allow, does not act here. dup
// is not 0 if it is stored already, under that sequence. The order of the checks is that of nats-server.
// Only the methods of v that a check needs are called.
func Decide(cfg *store.Config, e *store.Entry, acts *Acts, v View) (dup store.Seq, err error) {
	if *acts != (Acts{}) {
		if err := expect(cfg, e, acts, v); err != nil {
			return 0, err
		}
		if acts.ID != "" {
			if dup, err := v.Seen(acts.ID); dup > 0 || err != nil {
				return dup, err
			}
		}
		if err := expectLastID(cfg, acts, v); err != nil {
			return 0, err
		}
		if acts.Rollup != "" && !cfg.AllowRollup && e.Sourced {
			acts.Rollup = "" // it was meant for the origin
		}
		if err := rollup(cfg, acts); err != nil {
			return 0, err
		}
	}
	return 0, room(cfg, e, acts, v)
}

// Foresee is the part of Decide that depends on the headers alone, for a message that is not from a source. It calls only
// v.Last and v.LastOn.
func Foresee(cfg *store.Config, e *store.Entry, acts *Acts, v View) error {
	if err := expect(cfg, e, acts, v); err != nil || acts.ID != "" {
		return err // one with an id may be a repetition, which asks for nothing
	}
	return rollup(cfg, acts)
}

func rollup(cfg *store.Config, acts *Acts) error {
	if acts.Rollup != "" && !cfg.AllowRollup {
		return fmt.Errorf("stream %s: %w: it does not allow rollups", cfg.Name, store.ErrDenied)
	}
	return nil
}

// expect compares with the stream what the headers expect of it.
func expect(cfg *store.Config, e *store.Entry, acts *Acts, v View) error {
	if acts.Stream != "" && acts.Stream != cfg.Name {
		return fmt.Errorf("%w: this is stream %s, not %s", store.ErrExpected, cfg.Name, acts.Stream)
	}
	if acts.TTL != 0 && !cfg.AllowMsgTTL && !e.Sourced {
		return fmt.Errorf("stream %s: %w: it does not allow a Nats-TTL", cfg.Name, store.ErrDenied)
	}
	if acts.LastOn != nil {
		subject := acts.Subject
		if subject == "" {
			subject = e.Subject
		}
		last, err := v.LastOn(subject)
		if err != nil {
			return err
		}
		if last != *acts.LastOn {
			return fmt.Errorf("%w: the last sequence on %s is %d, not %d", store.ErrExpected, subject, last, *acts.LastOn)
		}
	}
	if acts.Last != nil && v.Last() != *acts.Last {
		return fmt.Errorf("%w: the last sequence of stream %s is %d, not %d", store.ErrExpected, cfg.Name, v.Last(), *acts.Last)
	}
	return nil
}

func expectLastID(cfg *store.Config, acts *Acts, v View) error {
	if acts.LastID == "" {
		return nil
	}
	id, err := v.LastID()
	if err == nil && id != acts.LastID {
		err = fmt.Errorf("%w: the last message of stream %s has the id %q, not %q", store.ErrExpected, cfg.Name, id, acts.LastID)
	}
	return err
}

// room says whether the limits have room for e, or make it.
func room(cfg *store.Config, e *store.Entry, acts *Acts, v View) error {
	discardNew := cfg.Discard == store.DiscardNew
	if cfg.MaxBytes == 0 && !discardNew {
		return nil
	}
	size := jsonl.Size(v.Last()+1, e.Subject, e.Header, e.Data)
	if cfg.MaxBytes > 0 && size > cfg.MaxBytes {
		return fmt.Errorf("message of %d bytes as a JSON line: %w (max_bytes of stream %s is %d)", size, store.ErrTooLarge, cfg.Name, cfg.MaxBytes)
	}
	if !discardNew {
		return nil
	}
	replaces, oldest, err := replaced(cfg, e, v)
	if err != nil {
		return err
	}
	if replaces && cfg.DiscardNewPerSubject && acts.Rollup == "" {
		return fmt.Errorf("subject %s of stream %s: %w: max_msgs_per_subject is %d", e.Subject, cfg.Name, store.ErrLimit, cfg.MaxMsgsPerSubject)
	}
	live := v.Live()
	if replaces {
		live.Messages, live.JSON = live.Messages-1, live.JSON-oldest.JSON
	}
	switch {
	case cfg.MaxMsgs > 0 && live.Messages >= cfg.MaxMsgs && !replaces:
		return fmt.Errorf("stream %s: %w: max_msgs is %d", cfg.Name, store.ErrLimit, cfg.MaxMsgs)
	case cfg.MaxBytes > 0 && live.JSON+size > cfg.MaxBytes:
		return fmt.Errorf("stream %s: %w: max_bytes is %d", cfg.Name, store.ErrLimit, cfg.MaxBytes)
	}
	return nil
}

// replaced says whether e makes the oldest message of its subject go, and which that is.
func replaced(cfg *store.Config, e *store.Entry, v View) (bool, store.Meta, error) {
	if cfg.MaxMsgsPerSubject == 0 {
		return false, store.Meta{}, nil
	}
	n, oldest, err := v.OnSubject(e.Subject)
	if errors.Is(err, store.ErrNotFound) {
		n, err = 0, nil
	}
	return n >= cfg.MaxMsgsPerSubject, oldest, err
}

// Plain says whether every message without acts may be stored without a look at the stream.
func Plain(cfg *store.Config) bool { return cfg.MaxBytes == 0 && cfg.Discard != store.DiscardNew }
