package main

import (
	"context"
	"io"

	"jsfs/fusefs"
	"jsfs/store"
	"jsfs/store/blockstore"
)

// noteHeld says that a stream has messages which were restored through a mount that was killed before those below them came: they are
// not yet among the stream's messages, and so in no copy of it.
func noteHeld(ctx context.Context, out io.Writer, s store.Stream) {
	d, err := s.OpenDraft(ctx, fusefs.HeldDraft)
	if err != nil {
		return
	}
	_ = d.Close() // it was only looked for
	note(out, "stream %s: what was being restored to it when its mount was killed, the draft %s, is not copied; mount the store once, and it becomes messages", s.Config().Name, fusefs.HeldDraft)
}

// countHeld counts those messages for a report.
func countHeld(ctx context.Context, s store.Stream, r *blockstore.StreamReport) {
	r.Held, _ = fusefs.CountHeld(ctx, s) // what can't be read is damage, which the report has
}
