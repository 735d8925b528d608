package blockstore

import (
	"fmt"

	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
)

// readEnds reads the header of block num, from whichever copy is whole and belongs here, and its
// trailer, nil if it has none that is whole.
func (o *opening) readEnds(f vfs.File, size int64, num uint64) (record.Header, *record.Trailer, error) {
	var end [record.TrailerSize]byte
	if size >= record.DataStart+record.TrailerSize {
		if _, err := f.ReadAt(end[:], size-record.TrailerSize); err != nil {
			return record.Header{}, nil, unexpected(err)
		}
		t, hdr, err := record.ParseTrailer(end[:], size, nil)
		if record.IsVersion(err) {
			return hdr, nil, err
		}
		if err == nil && o.belongs(&hdr, num) {
			o.st.unlockHeader(&hdr)
			if t, hdr, err = record.ParseTrailer(end[:], size, &hdr); err == nil {
				return hdr, &t, nil
			}
		}
	}
	hdr, err := o.readHeader(f, size, num)
	if err != nil {
		return hdr, nil, err
	}
	if t, _, err := record.ParseTrailer(end[:], size, &hdr); err == nil {
		return hdr, &t, nil
	}
	return hdr, nil, nil
}

// readHeader reads the first copy of a block's header that is whole and belongs here.
func (o *opening) readHeader(f vfs.File, size int64, num uint64) (record.Header, error) {
	err := fmt.Errorf("no copy of the header is whole: %w", record.ErrBad)
	for _, off := range []int64{0, record.HeaderCopy} {
		if size < off+record.HeaderSize {
			break
		}
		var b [record.HeaderSize]byte
		if _, rerr := f.ReadAt(b[:], off); rerr != nil {
			return record.Header{}, unexpected(rerr)
		}
		hdr, herr := record.ParseHeader(b[:])
		switch {
		case record.IsVersion(herr):
			return hdr, herr
		case herr != nil:
		case o.belongs(&hdr, num):
			o.st.unlockHeader(&hdr)
			return hdr, nil
		default:
			err = fmt.Errorf("it is block %d of another place: %w", hdr.Block, record.ErrBad)
		}
	}
	return record.Header{}, err
}

// belongs says whether a header is that of block num of this stream, and encrypted as the store is.
func (o *opening) belongs(hdr *record.Header, num uint64) bool {
	return hdr.Store == o.st.id && hdr.Incarnation == o.inc && hdr.Block == num && hdr.Sealed == (o.st.key != nil)
}
