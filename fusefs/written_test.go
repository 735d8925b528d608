package fusefs

import (
	"fmt"
	"testing"

	"jsfs/store"
)

// What was written last is remembered, also of a name that was written long before as well.
func TestWrittenFilesRememberTheLastOnes(t *testing.T) {
	var w writtenFiles
	last := store.Seq(0)
	write := func(name string) {
		last++
		w.add("a.b", name, last)
	}
	write("again")
	for i := range maxWritten - 1 {
		write(fmt.Sprint(i))
	}
	write("again")
	again := last
	for i := range maxWritten - 1 {
		write(fmt.Sprint("new", i))
		if got := w.get("a.b", "again"); got != again {
			t.Fatalf("%d files later it is message %d, want %d", i+1, got, again)
		}
	}
	if got := w.get("a.b", "new0"); got != again+1 {
		t.Errorf("the first new one is message %d, want %d", got, again+1)
	}
	write("one more")
	if got := w.get("a.b", "again"); got != 0 || w.order.Len() != maxWritten {
		t.Errorf("the oldest is message %d, and %d are remembered", got, w.order.Len())
	}
	if got := w.take("a.b", "one more"); got != last || w.get("a.b", "one more") != 0 || w.take("a.b", "one more") != 0 {
		t.Errorf("took message %d, want %d, once", got, last)
	}
	write("one more")
	if got := w.get("a.b", "one more"); got != last {
		t.Errorf("written after that it is message %d, want %d", got, last)
	}
}
