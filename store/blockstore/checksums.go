package blockstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"jsfs/store"
	"jsfs/store/blockstore/internal/scan"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
	"jsfs/store/keys"
)

// checkSums reads an encrypted store without its key, and reports what the checksums say.
func (r *Report) checkSums(ctx context.Context, fsys vfs.FS) error {
	r.KeyMissing = true
	r.checkEnvelope(fsys, storeName, record.MagicStore)
	r.checkEnvelope(fsys, keyName, keys.Magic)
	r.checkEnvelope(fsys, nextName, record.MagicNext)
	if err := r.checkMissing(fsys); err != nil {
		return err
	}
	dirs, err := fsys.List(streamsDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, dir := range dirs {
		if isTempDir(dir) {
			continue
		}
		if err := r.unread(streamsDir+"/"+dir, r.checkStreamSums(ctx, fsys, streamsDir+"/"+dir)); err != nil {
			return err
		}
	}
	if names, err := fsys.List(quarantine); err == nil {
		r.Quarantine = names
	}
	return nil
}

func (r *Report) note(file string, off, length int64, cause string) {
	r.Damage = append(r.Damage, store.Damage{File: file, Offset: off, Length: length, Cause: cause})
}

// unread notes that a file or a directory can't be read, if that is what err says. It returns what is to end the check.
func (r *Report) unread(name string, err error) error {
	if err == nil || record.IsVersion(err) || vfs.IsExhausted(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	r.note(name, 0, 0, "it can't be read: "+err.Error())
	return nil
}

func (r *Report) checkEnvelope(fsys vfs.FS, name, magic string) {
	b, err := readFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) && name == nextName {
		return // as long as there was no stream
	}
	damaged := false
	if err == nil {
		_, damaged, err = record.OpenEnvelope(magic, b)
	}
	switch {
	case err != nil:
		r.note(name, 0, int64(len(b)), err.Error())
	case damaged:
		r.note(name, 0, int64(len(b)), "one copy is damaged")
	}
}

// checkMissing notes the streams whose directories are missing.
func (r *Report) checkMissing(fsys vfs.FS) error {
	incs, err := incarnationsIn(fsys, streamsDir)
	if err != nil {
		return err
	}
	removed, err := incarnationsIn(fsys, removedDir)
	if err != nil {
		return err
	}
	b, err := readFile(fsys, nextName)
	if err == nil {
		b, _, err = record.OpenEnvelope(record.MagicNext, b)
	}
	if err != nil {
		return nil //nolint:nilerr // it is noted already, or there is none
	}
	reg, err := parseRegister(b)
	if err != nil {
		r.note(nextName, 0, 0, err.Error())
	}
	for _, inc := range reg.without(incs, removed) {
		r.note(streamDir(inc), 0, 0, errMissing.Error())
	}
	return nil
}

func (r *Report) checkStreamSums(ctx context.Context, fsys vfs.FS, dir string) error {
	names, err := fsys.List(dir)
	if err != nil {
		return err
	}
	r.checkEnvelope(fsys, dir+"/config", record.MagicConfig)
	for _, name := range names {
		if _, ok := consumerID(name); ok {
			r.checkEnvelope(fsys, dir+"/"+name, record.MagicConsumer)
		}
	}
	var state record.State
	if b, err := readFile(fsys, dir+"/state"); err != nil {
		r.note(dir+"/state", 0, 0, err.Error())
	} else {
		var damaged bool
		if state, damaged, err = record.OpenState(b); err != nil || damaged {
			r.note(dir+"/state", 0, int64(len(b)), "state is damaged")
		}
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".blk") {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.unread(dir+"/"+name, r.checkBlockSums(fsys, dir+"/"+name, &state)); err != nil {
			return fmt.Errorf("%s/%s: %w", dir, name, err)
		}
	}
	return nil
}

// checkBlockSums compares the checksums of a block's records and of its footer.
func (r *Report) checkBlockSums(fsys vfs.FS, name string, state *record.State) error {
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	hdr := r.headerOf(f, size, name)
	if hdr == nil {
		return nil
	}
	end, written := size, int64(0)
	if state.Block == hdr.Block {
		written = min(state.Len, size) // so much of an unsealed block was on disk once
	}
	var b [record.TrailerSize]byte
	if _, err := f.ReadAt(b[:], max(size-record.TrailerSize, 0)); err != nil && !errors.Is(err, io.EOF) {
		return err
	} else if err == nil {
		if t, _, err := record.ParseTrailer(b[:], size, hdr); err == nil {
			end, written = t.DataEnd, t.DataEnd
			r.checkSections(f, hdr, &t, name)
		} else if record.IsVersion(err) {
			return err
		}
	}
	c, err := scan.Block(f, hdr, end, 0)
	if err != nil {
		return err
	}
	for _, e := range c.Bad {
		d := store.Damage{File: name, Offset: e.Off, Length: e.Len, Cause: scan.ErrBad.Error(), First: store.Seq(e.Seq), Last: store.Seq(e.Seq)}
		r.Damage = append(r.Damage, d)
	}
	if c.End < written {
		r.note(name, c.End, written-c.End, scan.ErrBad.Error())
	}
	return nil
}

// headerOf returns the first copy of a block's header that is whole, and notes the others; nil if there is none.
func (r *Report) headerOf(f io.ReaderAt, size int64, name string) *record.Header {
	var whole *record.Header
	for _, off := range []int64{0, record.HeaderCopy} {
		var b [record.HeaderSize]byte
		if _, err := f.ReadAt(b[:], off); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			r.note(name, off, record.HeaderSize, "one copy of the block header can't be read: "+err.Error())
			continue
		}
		hdr, err := record.ParseHeader(b[:])
		switch {
		case err != nil:
			r.note(name, off, record.HeaderSize, "one copy of the block header is damaged")
		case whole == nil:
			whole = &hdr
		}
	}
	if whole == nil && size > record.DataStart {
		r.note(name, 0, size, "no copy of the header is whole")
	}
	return whole
}

func (r *Report) checkSections(f io.ReaderAt, hdr *record.Header, t *record.Trailer, name string) {
	for _, sec := range record.Sections() {
		off, size := t.Place(sec)
		b := make([]byte, size)
		_, err := f.ReadAt(b, off)
		sum := t.CheckSum(sec, hdr, b)
		if err != nil && !errors.Is(err, io.EOF) || sum != nil && !errors.Is(sum, record.ErrDropped) {
			r.note(name, off, int64(size), fmt.Sprintf("section %d of the footer is damaged", sec))
		}
	}
}
