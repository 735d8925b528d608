package dump

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// block shows one block.
func (d *dumper) block(name string) error {
	f, err := d.fs.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	d.printf("\nblock %s, %d bytes\n", name, size)
	hdr := d.headers(f, size)
	if hdr == nil {
		d.printf("  no copy of the header can be used: without its salt no record can be told from other bytes\n")
		return nil
	}
	d.printf("  store %x, incarnation %d, block %d, first %d, mark %d, base time %s\n",
		hdr.Store, hdr.Incarnation, hdr.Block, hdr.First, hdr.Mark, clock(hdr.Time))
	if hdr.Sealed && d.key != nil {
		hdr.Unlock(d.key)
	}
	w := walker{d: d, f: f, coder: hdr.Coder(), end: size}
	t := d.footer(f, size, hdr)
	if t != nil {
		w.end = t.DataEnd
	}
	if err := w.walk(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	d.printf("  %s and %s right, %s wrong, %s in no record\n", store.NumberOf(w.messages, "message"), store.NumberOf(w.controls, "control"), store.NumberOf(w.wrong, "record"), store.NumberOf(w.lost, "byte"))
	if t != nil && int64(w.messages) != t.All.Messages {
		d.printf("  the footer says: %s\n", store.NumberOf(t.All.Messages, "message"))
	}
	return nil
}

// headers shows the three copies of the header, and returns the first that is right.
func (d *dumper) headers(f vfs.File, size int64) *record.Header {
	var good *record.Header
	places := []int64{0, record.HeaderCopy}
	if size >= record.DataStart+record.TrailerSize {
		places = append(places, size-record.TrailerSize)
	}
	for i, off := range places {
		var b [record.HeaderSize]byte
		n, err := f.ReadAt(b[:], off)
		if err != nil && !errors.Is(err, io.EOF) {
			d.printf("  header at %d: can't be read: %v\n", off, err)
			continue
		}
		h, err := record.ParseHeader(b[:n])
		switch {
		case err == nil && (good == nil || h == *good):
			d.printf("  header at %d: right\n", off)
			good = &h
		case err == nil:
			d.printf("  header at %d: right, but another one\n", off)
		case i < 2 || record.IsVersion(err): // a block that is not sealed has no third copy
			d.printf("  header at %d: WRONG: %v\n", off, err)
		}
	}
	return good
}

var sections = []struct {
	name string
	of   record.Section
}{
	{"offsets", record.Offsets}, {"runs", record.Runs}, {"controls", record.Controls}, {"subjects", record.Subjects},
	{"places", record.Places}, {"bad", record.Bad},
}

// footer shows the footer, and returns its trailer if that is right.
func (d *dumper) footer(f vfs.File, size int64, hdr *record.Header) *record.Trailer {
	if size < record.DataStart+record.TrailerSize {
		d.printf("  no footer\n")
		return nil
	}
	var b [record.TrailerSize]byte
	if _, err := f.ReadAt(b[:], size-record.TrailerSize); err != nil {
		d.printf("  footer: can't be read: %v\n", err)
		return nil
	}
	t, _, err := record.ParseTrailer(b[:], size, hdr)
	if err != nil {
		d.printf("  no footer that is right, as in a stream's newest block: %v\n", err)
		return nil
	}
	d.printf("  footer: data to %d, next %d, times %s to %s, %s of %s\n",
		t.DataEnd, t.Next, clock(t.FirstTime), clock(t.LastTime), store.NumberOf(t.All.Messages, "message"), store.NumberOf(t.All.Payload, "byte"))
	if h, err := record.ParseHeader(b[:]); err != nil || !h.Same(hdr) {
		d.printf("    header at %d: WRONG\n", size-record.TrailerSize)
	}
	var magic [8]byte
	if _, err := f.ReadAt(magic[:], t.DataEnd); err != nil || !record.IsFooter(magic[:]) {
		d.printf("    %d: WRONG: the footer does not begin as footers do\n", t.DataEnd)
	}
	for _, s := range sections {
		off, n := t.Place(s.of)
		section := make([]byte, n)
		verdict := "right"
		if _, err := f.ReadAt(section, off); err != nil {
			verdict = "can't be read: " + err.Error()
		} else if err := t.CheckSection(s.of, hdr, section); errors.Is(err, store.ErrKey) {
			verdict = "encrypted"
		} else if errors.Is(err, record.ErrDropped) {
			verdict = "overwritten, as a message was erased"
		} else if err != nil {
			verdict = "WRONG: " + err.Error()
		}
		d.printf("    %s at %d, %d bytes, %d entries, %s\n", s.name, off, n, t.Count(s.of), verdict)
	}
	return &t
}

// walker walks the records of a block as recovery does: where none stands, byte by byte.
type walker struct {
	d     *dumper
	f     vfs.File
	coder record.Coder
	end   int64

	messages, controls, wrong int
	lost                      int64
	bad                       int64 // where the bytes begin that are in no record, 0 for none
}

func (w *walker) walk() error {
	buf := make([]byte, 256<<10)
	at, n := int64(0), 0 // buf has n bytes from at on
	for off := int64(record.DataStart); off < w.end; {
		if need := min(record.MaxHead, w.end-off); off+need > at+int64(n) || off < at {
			got, err := w.f.ReadAt(buf[:min(int64(len(buf)), w.end-off)], off)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if at, n = off, got; n == 0 {
				break
			}
		}
		b := buf[off-at : n]
		h, err := w.coder.Head(b[:min(len(b), record.MaxHead)], off)
		if err != nil || off+h.Size > w.end {
			if w.bad == 0 {
				w.bad = off
			}
			if record.IsVersion(err) {
				w.d.printf("  %d: a record of a later version: %v\n", off, err)
			}
			off++
			continue
		}
		w.endBad(off)
		if err := w.record(&h, off); err != nil {
			return err
		}
		off += h.Size
	}
	w.endBad(w.end)
	return nil
}

// endBad shows the bytes before off that are in no record.
func (w *walker) endBad(off int64) {
	if w.bad > 0 {
		w.d.printf("  %d to %d: %s WRONG: no record begins there\n", w.bad, off-1, store.NumberOf(off-w.bad, "byte"))
		w.lost += off - w.bad
		w.bad = 0
	}
}

// record shows the record with head h.
func (w *walker) record(h *record.Head, off int64) error {
	sum := w.coder.Sum(h, off)
	if _, err := io.Copy(struct{ io.Writer }{sum}, io.NewSectionReader(w.f, off, h.Size)); err != nil {
		return err
	}
	verdict := "right"
	if err := sum.Check(); err != nil {
		verdict = "WRONG: its sum does not fit, its head does"
		w.wrong++
	} else if h.Control() {
		w.controls++
	} else {
		w.messages++
	}
	if !w.d.opt.Records && verdict == "right" {
		return nil
	}
	what, err := w.describe(h, off, verdict == "right")
	if err != nil {
		return err
	}
	at := ", time " + clock(h.Time)
	if h.Locked {
		at = ""
	}
	w.d.printf("  %d: %d bytes, flags %s, seq %d%s, durable %d, %s, %s\n", off, h.Size, flags(h.Flags), h.Seq, at, h.Durable, what, verdict)
	return nil
}

// describe tells what is in a record.
func (w *walker) describe(h *record.Head, off int64, right bool) (string, error) {
	if erased, err := w.erased(h, off); err != nil || erased {
		return fmt.Sprintf("erased, %d bytes", h.Size), err
	}
	switch {
	case h.Locked:
		return "encrypted", nil
	case h.Control() && !right:
		return "a control", nil
	}
	part := h.Size // what is sealed can be opened as a whole only
	if !h.Control() && h.Flags&record.FlagEncrypted == 0 {
		part = int64(h.Len + h.Subject)
	}
	rec := make([]byte, part)
	if _, err := w.f.ReadAt(rec, off); err != nil {
		return "", err
	}
	if h.Flags&record.FlagEncrypted != 0 {
		plain, err := w.coder.Plain(nil, h, rec, off)
		if err != nil {
			return fmt.Sprintf("payload %d, and what is encrypted can't be opened", h.Data), nil //nolint:nilerr // it is shown
		}
		rec = plain
	}
	if !h.Control() {
		return fmt.Sprintf("subject %q, headers %d, payload %d", rec[h.Len:][:h.Subject], h.Header, h.Data), nil
	}
	ct, err := h.ControlOf(rec)
	if err != nil {
		return "a control that makes no sense: " + err.Error(), nil //nolint:nilerr // it is shown
	}
	var parts []string
	for _, mark := range []struct {
		set  bool
		text string
	}{{ct.Rewritten, "the block was written anew"}, {ct.Erase, "to be erased"}, {ct.Discard && !ct.Erase, "not kept"}} {
		if mark.set {
			parts = append(parts, mark.text)
		}
	}
	if ct.Skip > 0 {
		why := []string{"never used", "passed over after an unclean stop", "lost with a torn tail"}[ct.Why]
		parts = append(parts, fmt.Sprintf("%d sequences %s", ct.Skip, why))
	}
	for i := range ct.Ranges {
		r := &ct.Ranges[i]
		parts = append(parts, fmt.Sprintf("%d to %d (%s)", r.First, r.First+r.Count-1, store.NumberOf(r.Sums.Messages, "message")))
	}
	return strings.Join(parts, ", "), nil
}

// erased says whether the bytes of a message are zeros.
func (w *walker) erased(h *record.Head, off int64) (bool, error) {
	begin, size := h.Body(off)
	b := make([]byte, min(size, 64))
	_, err := w.f.ReadAt(b, begin)
	return !h.Control() && record.AllZero(b), err
}

// flags names a record's flags.
func flags(f byte) string {
	names := []string{"remove", "undelete", "skip", "headers", "no-newline", "compressed", "encrypted", "draft"}
	var set []string
	for i, name := range names {
		if f&(1<<i) != 0 {
			set = append(set, name)
		}
	}
	if len(set) == 0 {
		return "none"
	}
	return strings.Join(set, "+")
}
