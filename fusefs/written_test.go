package fusefs

import (
	"context"
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

// appendedStream is a stream in which something is done when a message was appended, and nobody knows of which file.
type appendedStream struct {
	store.Stream
	appended func()
}

func (s *appendedStream) Append(ctx context.Context, e store.Entry) (store.Seq, error) {
	seq, err := s.Stream.Append(ctx, e)
	once(&s.appended)
	return seq, err
}

// Who asks for a file's size just when it has become another message does not have all who ask later told the old one.
func TestTheSizeOfAFileThatIsWrittenAgain(t *testing.T) {
	m := newWritingMount(t)
	const path = "S/.jsfs/subjects/docs.in/a.pdf"
	m.dir = m.walk("S/.jsfs/subjects/docs.in").NodeId
	wantStatus(t, "write", m.put("a.pdf", "one", shellCreate), 0)
	m.s.Stream = &appendedStream{m.s.Stream, func() { m.walk(path) }}
	wantStatus(t, "write again", m.put("a.pdf", "another", shellCreate), 0)
	if got := m.walk(path).Size; got != 7 {
		t.Errorf("it has %d bytes, want 7", got)
	}
}

// The message with the highest sequence is the last one, whoever is first to tell.
func TestTheLastOfTwoWritersOfAFile(t *testing.T) {
	var w writtenFiles
	w.add("a.b", "file", 6)
	w.add("a.b", "file", 5)
	if got := w.get("a.b", "file"); got != 6 {
		t.Errorf("it is message %d, want 6", got)
	}
}
