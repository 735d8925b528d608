package storetest

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"jsfs/store"
)

var draftCases = []testCase{
	{name: "a draft is a file", run: func(b *bench) {
		st := b.create("S")
		d, err := st.CreateDraft(b.ctx, ".f")
		b.must(err)
		b.write(d, "hello", 0)
		b.write(d, "J", 0)
		b.wantDraft(d, "Jello")
		b.write(d, "!", 8)
		b.wantDraft(d, "Jello\x00\x00\x00!")
		b.must(d.Truncate(3))
		b.wantDraft(d, "Jel")
		b.must(d.Truncate(5))
		b.wantDraft(d, "Jel\x00\x00")
		b.must(d.Sync())
		b.must(d.Close())
		if _, err := d.ReadAt(make([]byte, 1), 0); err == nil {
			b.Error("a closed draft can be read")
		}
		if _, err := d.WriteAt([]byte("x"), 0); err == nil {
			b.Error("a closed draft can be written")
		}
	}},
	{name: "a read beyond the end of a draft gives EOF", run: func(b *bench) {
		st := b.create("S")
		d, err := st.CreateDraft(b.ctx, ".f")
		b.must(err)
		b.write(d, "abc", 0)
		buf := make([]byte, 10)
		for _, r := range []struct {
			off int64
			n   int
		}{{0, 3}, {2, 1}, {3, 0}, {1 << 40, 0}} {
			n, err := d.ReadAt(buf, r.off)
			if n != r.n || !errors.Is(err, io.EOF) {
				b.Errorf("read at %d: got %d and %v, want %d and EOF", r.off, n, err, r.n)
			}
		}
		b.must(d.Close())
	}},
	{name: "drafts are created once and found again", run: func(b *bench) {
		st := b.create("S")
		_, err := st.OpenDraft(b.ctx, ".f")
		b.wantErr(err, store.ErrNotFound)
		b.draft(st, ".f", "content")
		_, err = st.CreateDraft(b.ctx, ".f")
		b.wantErr(err, store.ErrExists)
		b.wantDraftNamed(st, ".f", "content")
		_, err = b.create("T").OpenDraft(b.ctx, ".f")
		b.wantErr(err, store.ErrNotFound)
	}},
	{name: "drafts are listed by name in order with size and time", run: func(b *bench) {
		st := b.create("S")
		b.wantDrafts(st)
		for _, name := range []string{"z~", ".b", ".a", "A"} {
			b.draft(st, name, name)
		}
		b.wantDrafts(st, ".a", ".b", "A", "z~")
		list, err := st.ListDrafts(b.ctx)
		b.must(err)
		for _, d := range list {
			if d.Size != int64(len(d.Name)) || d.ModTime == 0 {
				b.Errorf("got %+v", d)
			}
			open, err := st.OpenDraft(b.ctx, d.Name)
			b.must(err)
			if mod, err := open.ModTime(); err != nil || mod != d.ModTime {
				b.Errorf("open it was changed at %d, %v, and the listing says %+v", mod, err, d)
			}
			b.must(open.Close())
		}
	}},
	{name: "a draft's name is any bytes but NUL and slash", run: func(b *bench) {
		st := b.create("S")
		names := []string{".", "..", "\xff\xfe", "a\nb", "%2F", "-rf", "*", " ", "~", strings.Repeat("\x01", 255), strings.Repeat("x", 255), "UP", "up"}
		for i, name := range names {
			b.draft(st, name, numbered(i))
		}
		if b.engine.Durable {
			b.reopen()
			st = b.open("S")
		}
		for i, name := range names {
			b.wantDraftNamed(st, name, numbered(i))
		}
		slices.Sort(names)
		b.wantDrafts(st, names...)
		for _, name := range []string{"", "a/b", "a\x00"} {
			_, err := st.CreateDraft(b.ctx, name)
			b.wantErr(err, store.ErrInvalid)
			b.wantErr(st.RenameDraft(b.ctx, ".", name), store.ErrInvalid)
		}
		_, err := st.CreateDraft(b.ctx, strings.Repeat("x", 256))
		b.wantErr(err, store.ErrNameTooLong)
		b.wantErr(st.RenameDraft(b.ctx, ".", strings.Repeat("x", 256)), store.ErrNameTooLong)
		b.wantDrafts(st, names...)
	}},
	{name: "RenameDraft moves and replaces", run: func(b *bench) {
		st := b.create("S")
		b.draft(st, ".a", "A")
		b.draft(st, ".b", "B")
		old, err := st.OpenDraft(b.ctx, ".b")
		b.must(err)
		b.must(st.RenameDraft(b.ctx, ".a", ".b"))
		b.wantDrafts(st, ".b")
		b.wantDraftNamed(st, ".b", "A")
		b.wantDraft(old, "B")
		b.must(old.Close())
		b.must(st.RenameDraft(b.ctx, ".b", ".b"))
		b.wantDraftNamed(st, ".b", "A")
		b.must(st.RenameDraft(b.ctx, ".b", ".c"))
		b.wantDrafts(st, ".c")
		b.wantErr(st.RenameDraft(b.ctx, ".none", ".d"), store.ErrNotFound)
		b.wantErr(st.RenameDraft(b.ctx, ".b", ".c"), store.ErrNotFound)
		b.wantDraftNamed(st, ".c", "A")
	}},
	{name: "who has a removed draft open goes on using it", run: func(b *bench) {
		st := b.create("S")
		d, err := st.CreateDraft(b.ctx, ".f")
		b.must(err)
		b.write(d, "abc", 0)
		b.must(st.RemoveDraft(b.ctx, ".f"))
		b.wantErr(st.RemoveDraft(b.ctx, ".f"), store.ErrNotFound)
		b.wantDrafts(st)
		b.draft(st, ".f", "another")
		b.write(d, "d", 3)
		b.must(d.Sync())
		b.wantDraft(d, "abcd")
		if mod, err := d.ModTime(); err != nil || mod == 0 {
			b.Errorf("it was changed at %d, %v", mod, err)
		}
		b.must(d.Close())
		b.wantDraftNamed(st, ".f", "another")
	}},
	{name: "a draft can be open more than once", run: func(b *bench) {
		st := b.create("S")
		one, err := st.CreateDraft(b.ctx, ".f")
		b.must(err)
		two, err := st.OpenDraft(b.ctx, ".f")
		b.must(err)
		b.write(one, "one", 0)
		b.write(two, "two", 3)
		b.wantDraft(one, "onetwo")
		b.must(one.Close())
		b.wantDraft(two, "onetwo")
		b.must(two.Close())
	}},
	{name: "a scratch draft has no name and works like the others", run: func(b *bench) {
		st := b.create("S")
		one, err := st.ScratchDraft(b.ctx)
		b.must(err)
		two, err := st.ScratchDraft(b.ctx)
		b.must(err)
		big := strings.Repeat("0123456789", 20_000)
		b.write(one, big, 0)
		b.write(two, "two", 0)
		b.wantDrafts(st)
		b.wantDraft(one, big)
		b.wantDraft(two, "two")
		b.must(one.Close())
		b.wantDraft(two, "two")
		b.must(two.Close())
		b.wantDrafts(st)
		b.must(b.s.Remove(b.ctx, "S"))
	}},
	{name: "drafts are no messages", run: func(b *bench) {
		st := b.create("S")
		sub := st.Watch()
		defer sub.Close()
		b.draft(st, ".f", "content")
		b.take(sub, 0)
		if s := b.state(st); s.Last != 0 || s.Live.Messages != 0 {
			b.Errorf("got %+v", s)
		}
	}},
}

func (b *bench) write(d store.Draft, data string, off int64) {
	b.Helper()
	n, err := d.WriteAt([]byte(data), off)
	b.must(err)
	if n != len(data) {
		b.Errorf("wrote %d bytes, want %d", n, len(data))
	}
}

// draft makes a closed draft.
func (b *bench) draft(st store.Stream, name, content string) {
	b.Helper()
	d, err := st.CreateDraft(b.ctx, name)
	b.must(err)
	b.write(d, content, 0)
	b.must(d.Close())
}

func (b *bench) wantDraft(d store.Draft, want string) {
	b.Helper()
	size, err := d.Size()
	b.must(err)
	got := make([]byte, size)
	if _, err := d.ReadAt(got, 0); err != nil && !errors.Is(err, io.EOF) {
		b.Fatal(err)
	}
	if !bytes.Equal(got, []byte(want)) {
		b.Errorf("draft: got %.40q (%d bytes), want %.40q (%d bytes)", got, len(got), want, len(want))
	}
}

func (b *bench) wantDraftNamed(st store.Stream, name, want string) {
	b.Helper()
	d, err := st.OpenDraft(b.ctx, name)
	b.must(err)
	b.wantDraft(d, want)
	b.must(d.Close())
}

func (b *bench) wantDrafts(st store.Stream, want ...string) {
	b.Helper()
	list, err := st.ListDrafts(b.ctx)
	b.must(err)
	var got []string
	for _, d := range list {
		got = append(got, d.Name)
	}
	if !slices.Equal(got, want) {
		b.Errorf("got drafts %q, want %q", got, want)
	}
}
