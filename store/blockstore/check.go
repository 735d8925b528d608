package blockstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"jsfs/store"
	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
	"jsfs/store/keys"
)

// Report is what Check found.
type Report struct {
	Streams []StreamReport `json:"streams"`
	// Damage is everything that could not be trusted, also where nothing is lost by it.
	Damage []store.Damage `json:"damage"`
	// Quarantine lists the files that recovery has set aside.
	Quarantine []string `json:"quarantine,omitempty"`
	// Migrated lists the files of the first generation that were converted and are still there.
	Migrated []MigratedFile `json:"migrated,omitempty"`
	// Forgotten lists the directories of streams that were missing, and were forgotten because that was asked for.
	Forgotten []string `json:"forgotten,omitempty"`
	// KeyMissing says that the store is encrypted and the key was not given. Streams is empty then, and Damage
	// has what the checksums tell; that nothing was forged, and no block taken away, is not known.
	KeyMissing bool `json:"key_missing,omitempty"`
}

// StreamReport is what Check found in one stream.
type StreamReport struct {
	Name        string    `json:"name"`
	Incarnation uint64    `json:"incarnation"`
	Blocks      int       `json:"blocks"`
	Messages    int64     `json:"messages"` // live ones
	Bytes       int64     `json:"bytes"`    // of their payloads
	First       store.Seq `json:"first_seq"`
	Last        store.Seq `json:"last_seq"`
	Deleted     uint64    `json:"deleted"`
	Lost        uint64    `json:"lost"`
	// Torn says how many bytes behind the last record the next write will set aside.
	Torn int64 `json:"torn_bytes,omitempty"`
	// Held says how many messages were acknowledged, and wait in a draft until the next mount makes them messages. They are not among
	// Messages. Who calls Check counts them.
	Held int `json:"held_messages,omitempty"`
}

// Check reads every byte of the store at path that matters and reports what is damaged. It
// changes nothing. The error says that the store could not be checked. Without the secret of an encrypted store it
// compares the checksums, which need no key, and Report.KeyMissing says so. Each stream's report is shown to look, which may add to it, unless that is nil.
func Check(path string, secret *keys.Secret, look func(context.Context, store.Stream, *StreamReport)) (Report, error) {
	fsys, err := vfs.NewOSReadOnly(path)
	if err != nil {
		return Report{}, err
	}
	defer fsys.Close()
	r, err := checkFS(context.Background(), fsys, secret, look)
	if err != nil {
		return r, fmt.Errorf("store %s: %w", path, err)
	}
	return r, nil
}

// CheckFS is Check for a store in fsys.
func CheckFS(ctx context.Context, fsys vfs.FS, secret *keys.Secret) (Report, error) {
	return checkFS(ctx, fsys, secret, nil)
}

func checkFS(ctx context.Context, fsys vfs.FS, secret *keys.Secret, look func(context.Context, store.Stream, *StreamReport)) (Report, error) {
	r := Report{Streams: []StreamReport{}, Damage: []store.Damage{}}
	st, err := Open(fsys, Options{ReadOnly: true, Secret: secret})
	if secret == nil && errors.Is(err, store.ErrKey) {
		lock, err := fsys.Lock(lockName) // what somebody is writing looks damaged
		if err != nil {
			return r, err
		}
		return r, errors.Join(r.checkSums(ctx, fsys), lock.Close())
	}
	if err != nil {
		return r, err
	}
	r.Damage = append(r.Damage, st.found...)
	for _, name := range slices.Sorted(maps.Keys(st.streams)) {
		s := st.streams[name]
		if err = s.check(ctx); err != nil {
			break
		}
		if err = s.checkDrafts(ctx); err != nil {
			break
		}
		sr := s.report()
		if look != nil {
			look(ctx, s, &sr)
		}
		r.Streams = append(r.Streams, sr)
		r.Damage = append(r.Damage, s.damage.List()...)
	}
	if names, lerr := fsys.List(quarantine); lerr == nil {
		r.Quarantine = names
	}
	if files, merr := migratedFiles(fsys); merr == nil {
		r.Migrated = files
	}
	return r, errors.Join(err, st.Close())
}

func (s *Stream) report() StreamReport {
	n := s.cur.Load()
	state := s.counts(n)
	return StreamReport{
		Name: s.config.Load().Name, Incarnation: s.inc, Blocks: len(n.blocks),
		Messages: state.Live.Messages, Bytes: state.Live.Payload, First: state.First, Last: state.Last,
		Deleted: state.Deleted, Lost: state.Lost, Torn: s.w.plan.junk,
	}
}

// check reads every block of the stream, and notes what is damaged, or can't be read. It fails if it is to end, or meets a block of a
// later version.
func (s *Stream) check(ctx context.Context) error {
	n := s.cur.Load()
	for i := range n.blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		v := n.view(i)
		err := s.checkHeaders(&v)
		if err == nil {
			err = s.checkRecords(&v)
		}
		switch {
		case record.IsVersion(err), vfs.IsExhausted(err):
			return fmt.Errorf("%s: %w", v.name, err)
		case err != nil:
			s.note(store.Damage{File: v.name, Length: v.size, Cause: "it can't be read: " + err.Error()})
		}
	}
	return nil
}

// checkDrafts reads every draft of the stream, and notes those that can't be read.
func (s *Stream) checkDrafts(ctx context.Context) error {
	drafts, err := s.ListDrafts(ctx)
	if err != nil {
		s.note(store.Damage{File: s.draftDir(), Cause: "the drafts can't be listed: " + err.Error()})
		return ctx.Err()
	}
	for _, d := range drafts {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.checkDraft(ctx, d.Name); vfs.IsExhausted(err) {
			return err
		} else if err != nil {
			s.note(store.Damage{File: s.draftDir(), Cause: fmt.Sprintf("the draft %q can't be read: %v", d.Name, err)})
		}
	}
	return nil
}

func (s *Stream) checkDraft(ctx context.Context, name string) error {
	d, err := s.OpenDraft(ctx, name)
	if err != nil {
		return err
	}
	size, err := d.Size()
	if err == nil {
		_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.NewSectionReader(d, 0, size), make([]byte, 64<<10))
	}
	return errors.Join(err, d.Close())
}

// checkHeaders compares the copies of a block's header.
func (s *Stream) checkHeaders(v *view) error {
	places := []int64{0, record.HeaderCopy}
	if v.trailer != nil {
		places = append(places, v.size-record.TrailerSize)
	}
	for _, off := range places {
		var b [record.HeaderSize]byte
		err := s.readAt(v.block, b[:], off)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if hdr, err := record.ParseHeader(b[:]); err != nil || !hdr.Same(&v.hdr) {
			s.note(store.Damage{File: v.name, Offset: off, Length: record.HeaderSize, Cause: "one copy of the block header is damaged"})
		}
	}
	return nil
}

// checkRecords reads every record of a block, and compares what they say with the footer.
func (s *Stream) checkRecords(v *view) error {
	c, err := scan.Block(blockReader{s, v.block}, &v.hdr, v.end, scan.WantMessages|scan.WantSubjects)
	if err != nil {
		return err
	}
	for _, e := range c.Bad {
		if e.Seq == 0 {
			s.note(store.Damage{File: v.name, Offset: e.Off, Length: e.Len, Cause: scan.ErrBad.Error()})
		}
	}
	if c.End < v.end && !s.erasingIn(v) {
		s.note(store.Damage{File: v.name, Offset: c.End, Length: v.end - c.End, Cause: scan.ErrBad.Error()})
	}
	offs, err := s.indexOf(v)
	if err != nil {
		return err
	}
	whole := make(map[int64]bool, len(c.Msgs))
	for _, m := range c.Msgs {
		whole[int64(m.Off)] = !m.Bad
	}
	for i := range offs.len() {
		if off := offs.at(i); !whole[off] && v.seqOf(i) != s.erasing.Load() {
			_ = s.corrupt(v.block, off, 0, v.seqOf(i), record.ErrBad)
		}
	}
	if v.trailer != nil && !v.known && len(c.Bad) == 0 && c.End == v.end {
		return s.checkFooter(v, c)
	}
	return nil
}

var errStale = fmt.Errorf("footer does not say what the records do: %w", record.ErrBad)

// checkFooter compares a footer with what the records, all of them whole, say.
func (s *Stream) checkFooter(v *view, c *scan.Contents) error {
	t := v.trailer
	note := func(sec record.Section, err error) {
		off, size := t.Place(sec)
		s.note(store.Damage{File: v.name, Offset: off, Length: int64(size), Cause: err.Error()})
	}
	subs, err := s.readTable(v.block, false)
	switch {
	case errors.Is(err, record.ErrDropped) && len(c.Subjects.Erased) > 0, err != nil && s.erasingIn(v):
	case err != nil:
		note(record.Subjects, err)
	case !withoutErased(subs, c).Equal(record.MakeSubjects(c.Subjects.At(c.Offsets()))):
		note(record.Subjects, errStale)
	}
	offs, err := s.readOffsets(v.block)
	if err == nil && !slices.Equal(offs, c.Offsets()) {
		err = errStale
	}
	if err != nil {
		note(record.Offsets, err)
	}
	cts, runs, err := (&opening{Stream: s}).readFooter(v.block, t)
	if err != nil {
		return err // what is damaged there was met when the stream was opened: this block would have no trailer
	}
	same := func(a, b record.Control) int {
		if a.Same(&b) {
			return 0
		}
		return 1
	}
	if slices.CompareFunc(cts, c.Controls, same) != 0 {
		note(record.Controls, errStale)
	}
	if !slices.Equal(runs, c.Runs()) {
		note(record.Runs, errStale)
	}
	if t.All != c.All || cmp.Or(t.FirstTime, c.First) != c.First || cmp.Or(t.LastTime, c.Last) != c.Last {
		s.note(store.Damage{File: v.name, Offset: v.size - record.TrailerSize, Length: record.TrailerSize, Cause: errStale.Error()})
	}
	return nil
}

// withoutErased returns t without the messages that c found to be erased, as their records don't name their subjects any more.
func withoutErased(t *record.SubjectTable, c *scan.Contents) *record.SubjectTable {
	if len(c.Subjects.Erased) == 0 {
		return t
	}
	gone := map[uint32]bool{}
	for i, off := range c.Offsets() {
		if _, ok := slices.BinarySearch(c.Subjects.Erased, off); ok {
			gone[uint32(i)] = true
		}
	}
	var subs []record.Subject
	for e := range t.Prefixed("") {
		places := slices.DeleteFunc(e.Places(nil), func(i uint32) bool { return gone[i] })
		if len(places) > 0 {
			subs = append(subs, record.Subject{Name: string(e.Name), Places: places})
		}
	}
	return record.MakeSubjects(subs)
}
