package main

import (
	"fmt"
	"io"
	"strings"

	"jsfs/store"
	"jsfs/store/blockstore"
)

// noteConverted says in one line what opening a store made of streams of the first generation, if there were any.
func noteConverted(out io.Writer, st store.Store) {
	converter, ok := st.(interface{ Conversion() blockstore.Conversion })
	if !ok {
		return
	}
	if c := converter.Conversion(); len(c.Streams) > 0 {
		note(out, "%s", sayConverted(c))
	}
}

func sayConverted(c blockstore.Conversion) string {
	var streams, messages, raised, bad, torn int64
	var sealed, kept, left []string
	for _, s := range c.Streams {
		if s.Left != nil {
			left = append(left, fmt.Sprintf("%s was left as it is: %v", s.Name, s.Left))
			continue
		}
		streams, messages, raised, bad = streams+1, messages+s.Messages, raised+s.Raised, bad+s.Bad
		if s.Torn {
			torn++
		}
		if s.Sealed {
			sealed = append(sealed, s.Name)
		}
		if s.Why != "" {
			kept = append(kept, s.Why)
		}
	}
	var parts []string
	if streams > 0 {
		parts = append(parts, fmt.Sprintf("converted %s of the first generation with %s; the old files are now named messages.jsonl.migrated",
			store.NumberOf(streams, "stream"), store.NumberOf(messages, "message")))
	}
	if bad > 0 {
		what := "lines that are no messages are"
		if bad == 1 {
			what = "line that is no message is"
		}
		parts = append(parts, fmt.Sprintf("%d %s kept in quarantine/ (%d cut off by a crash), and %s says why", bad, what, torn, strings.Join(kept, ", ")))
	}
	if raised > 0 {
		parts = append(parts, store.NumberOf(raised, "time")+" went backwards and were raised to that of the message before")
	}
	if len(sealed) > 0 {
		parts = append(parts, "the payloads of "+strings.Join(sealed, ", ")+" were encrypted, and in the store they are not")
	}
	return strings.Join(append(parts, left...), "; ")
}
