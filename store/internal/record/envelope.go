package record

import (
	"encoding/binary"
	"fmt"

	"jsfs/store"
	"jsfs/store/internal/seal"
)

// Magics of the small files (FORMAT.md section 2).
const (
	MagicStore  = "JSFSSTOR" // jsfs.store
	MagicConfig = "JSFSCONF" // a stream's config
	MagicNext   = "JSFSNEXT" // the counter of incarnations
	// MagicReplaces is of what says whose place a stream took.
	MagicReplaces = "JSFSREPL"
	// MagicOrigins is of a stream's origins.
	MagicOrigins = "JSFSORIG"
	// MagicConsumer is of a consumer of a stream.
	MagicConsumer = "JSFSCONS"
	// MagicSums is of the checksums of a draft.
	MagicSums = "JSFSSUMS"
)

const (
	envelopeHead = 16   // magic, version, length
	copyAlign    = 4096 // the second copy begins at a multiple of it
)

// MaxEnvelope is how long the content of an envelope is at most, in bytes.
const MaxEnvelope = 4 << 20

// Envelope returns the bytes of a small file: content twice, each copy with magic,
// version, length and sum.
func Envelope(magic string, content []byte) []byte {
	one := append([]byte(nil), magic...)
	one = binary.LittleEndian.AppendUint32(one, Version)
	one = binary.LittleEndian.AppendUint32(one, uint32(len(content)))
	one = append(one, content...)
	one = binary.LittleEndian.AppendUint64(one, sum64(0, one))
	pad := (copyAlign - len(one)%copyAlign) % copyAlign
	return append(append(one, make([]byte, pad)...), one...)
}

// OpenEnvelope returns the content of the first whole copy in b, which is a whole file.
// damaged says that the other copy is not whole, or that they differ. store.ErrVersion means a
// whole copy of a later version, ErrBad that there is no whole copy.
func OpenEnvelope(magic string, b []byte) (content []byte, damaged bool, err error) {
	err = fmt.Errorf("no whole copy: %w", ErrBad)
	good := 0
	for at := 0; at < len(b); at += copyAlign {
		one, e := openCopy(magic, b[at:])
		switch {
		case IsVersion(e):
			return nil, false, e
		case e == nil && good == 0:
			content, err, good = one, nil, 1
			at += (len(one) + envelopeHead + 8 - 1) / copyAlign * copyAlign
		case e == nil && string(one) == string(content):
			good++
		}
	}
	return content, good != 2, err
}

func openCopy(magic string, b []byte) ([]byte, error) {
	if len(b) < envelopeHead+8 || string(b[:8]) != magic {
		return nil, ErrBad
	}
	version, size := binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint32(b[12:])
	if size > MaxEnvelope || int(size) > len(b)-envelopeHead-8 {
		return nil, ErrBad
	}
	end := envelopeHead + int(size)
	if binary.LittleEndian.Uint64(b[end:]) != sum64(0, b[:end]) {
		return nil, ErrBad
	}
	if version != Version {
		return nil, fmt.Errorf("version %d: %w", version, store.ErrVersion)
	}
	return b[envelopeHead:end], nil
}

// ConsumerBox returns what seals the file of the consumer with that number in stream inc. It is the consumer's own, so that the
// files of two can't be exchanged.
func ConsumerBox(k *seal.Key, id ID, inc, consumer uint64) *seal.Box {
	return SmallFileBox(k, id, MagicConsumer+string(binary.LittleEndian.AppendUint64(nil, consumer)), inc)
}

// SmallFileBox returns what seals the content of the envelope with that magic, of stream inc of a store whose data key is
// k (FORMAT.md section 11).
func SmallFileBox(k *seal.Key, id ID, magic string, inc uint64) *seal.Box {
	return k.Box(id[:], string(binary.LittleEndian.AppendUint64([]byte("jsfs file\x00"+magic), inc)))
}
