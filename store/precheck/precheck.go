// Package precheck says, before a message is stored, whether its headers will have it refused. A program hears of
// that while it still writes: many look at what write(2) says, and never at close(2).
package precheck

import (
	"context"

	"jsfs/store"
	"jsfs/store/internal/policy"
)

// Check refuses a message for what its headers expect of s, or ask it to do, with the error that storing it would give if nothing
// happened meanwhile. nil is no promise: the engine decides when it stores. The payload is not looked at. It may be
// called concurrently.
func Check(ctx context.Context, s store.Stream, e *store.Entry) error {
	acts, err := policy.Parse(e.Header)
	if err != nil || acts == (policy.Acts{}) {
		return err
	}
	st, err := s.State(ctx)
	if err != nil {
		return err
	}
	cfg := s.Config().WithDefaults()
	return policy.Foresee(&cfg, e, &acts, view{ctx: ctx, s: s, last: st.Last})
}

// view is what a stream is at this moment; Foresee asks for no more than is here.
type view struct {
	policy.View
	ctx  context.Context
	s    store.Stream
	last store.Seq
}

func (v view) Last() store.Seq { return v.last }

func (v view) LastOn(pattern string) (store.Seq, error) {
	n, err := v.s.Count(v.ctx, store.Query{Subject: pattern})
	return n.Last, err
}
