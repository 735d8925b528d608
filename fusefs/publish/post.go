package publish

import (
	"context"
	"fmt"

	"jsfs/mapping"
	"jsfs/store"
	"jsfs/store/precheck"
)

// Post is the Target that takes messages in their raw form (see mapping.Raw): subject and headers stand before
// the payload.
type Post struct {
	Stream store.Stream
	// Pattern, unless empty, has to match the subject.
	Pattern string
	// Room is that of Subject.
	Room func(ctx context.Context, size int64) error
}

// judge is a Target that can refuse a message by its first bytes. done says that they are enough for it.
type judge interface {
	judge(ctx context.Context, first []byte) (done bool, err error)
}

// maxJudged is up to where the beginning of a message may reach.
const maxJudged = 2 * store.MaxHeader

// Limit implements Target.
func (p Post) Limit() int64 { return p.Stream.Config().WithDefaults().MaxMsgSize + store.MaxHeader }

// Check implements Target. What the head says is known when it is there; see judge.
func (p Post) Check(ctx context.Context, size int64) error {
	cfg := p.Stream.Config()
	if cfg.Sealed {
		return fmt.Errorf("stream %s: %w", cfg.Name, store.ErrSealed)
	}
	if p.Room != nil {
		return p.Room(ctx, size)
	}
	return nil
}

// judge refuses a head as soon as it is whole.
func (p Post) judge(ctx context.Context, first []byte) (done bool, err error) {
	end, ok := mapping.RawHead(first)
	if !ok {
		return false, nil
	}
	e, err := p.parse(first[:end])
	if err != nil {
		return true, err
	}
	return true, precheck.Check(ctx, p.Stream, &e)
}

// parse reads a message and refuses what can't be stored for certain.
func (p Post) parse(b []byte) (store.Entry, error) {
	r, err := mapping.ParseRaw(b)
	if err != nil {
		return store.Entry{}, err
	}
	if name, ok := mapping.ActingHeader(r.Header); ok && !r.Apply {
		return store.Entry{}, fmt.Errorf("%w: header %s would act on the stream: if it shall, let %s: true be the first line", store.ErrDenied, name, mapping.HeaderApply)
	}
	if err := inPattern(p.Pattern, r.Subject); err != nil {
		return store.Entry{}, err
	}
	e := store.Entry{Subject: r.Subject, Header: r.Header, Data: r.Data}
	cfg := p.Stream.Config().WithDefaults()
	return e, cfg.CheckEntry(&e)
}

// inPattern refuses a subject that a pattern does not match; "" matches every one.
func inPattern(pattern, subject string) error {
	if pattern != "" && !store.MatchSubject(pattern, subject) {
		return fmt.Errorf("%w: this directory has the messages on %s, not %q", store.ErrSubject, pattern, subject)
	}
	return nil
}

// Commit implements Target. What utimens asked for is not the message's.
func (p Post) Commit(ctx context.Context, data []byte, _ *int64) (store.Seq, error) {
	e, err := p.parse(data)
	if err != nil {
		return 0, err
	}
	return p.Stream.Append(ctx, e)
}
