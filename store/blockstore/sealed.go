package blockstore

import (
	"errors"
	"fmt"
	"io/fs"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/seal"
	"jsfs/store/internal/vfs"
	"jsfs/store/keys"
)

// keyName is the envelope of an encrypted store's data key.
const keyName = "jsfs.key"

// unlock returns the data key of the store in fsys, nil if it is not encrypted or not there. It changes nothing, and
// comes before anything that does: ErrKey means that the secret is not the right one.
func unlock(fsys vfs.FS, opt Options) (*seal.Key, error) {
	b, err := readFile(fsys, storeName)
	if errors.Is(err, fs.ErrNotExist) || opt.spares(err) {
		return unlockByEnvelope(fsys, opt)
	}
	if err != nil {
		return nil, err
	}
	content, _, err := record.OpenEnvelope(record.MagicStore, b)
	if record.IsVersion(err) {
		return nil, nil // readInfo tells of it
	}
	if err != nil {
		return unlockByEnvelope(fsys, opt)
	}
	info, id, err := parseInfo(content)
	switch {
	case err != nil:
		return unlockByEnvelope(fsys, opt)
	case !info.Encrypted && opt.Secret != nil:
		return nil, fmt.Errorf("%w: the store was made without a key, and stays so", store.ErrKey)
	case !info.Encrypted:
		return nil, nil
	case opt.Secret == nil:
		return nil, fmt.Errorf("%w: the store is encrypted", store.ErrKey)
	}
	content, _, err = readKeyEnvelope(fsys)
	if err != nil {
		return nil, err
	}
	key, err := keys.Unwrap(content, opt.Secret, id)
	if err == nil && opt.Cipher != 0 && opt.Cipher != key.Cipher() {
		err = fmt.Errorf("%w: the store is encrypted with %v, not %v", store.ErrInvalid, key.Cipher(), opt.Cipher)
		key.Wipe()
	}
	if err != nil {
		return nil, err
	}
	return key, nil
}

// unlockByEnvelope is unlock for a store without a jsfs.store that can be used. If it is to be salvaged, that there is an
// envelope says that it is encrypted, and the envelope tells the store's id. Else readInfo says what is wrong.
func unlockByEnvelope(fsys vfs.FS, opt Options) (*seal.Key, error) {
	if !opt.salvage {
		return nil, nil
	}
	if _, err := readFile(fsys, keyName); errors.Is(err, fs.ErrNotExist) && opt.Secret == nil {
		return nil, nil
	}
	if opt.Secret == nil {
		return nil, fmt.Errorf("%w: the store is encrypted", store.ErrKey)
	}
	content, _, err := readKeyEnvelope(fsys)
	if err != nil {
		return nil, err
	}
	return keys.Unwrap(content, opt.Secret, keys.Place(content))
}

// readKeyEnvelope returns the content of the key's envelope; damaged says that one copy of it is not whole.
func readKeyEnvelope(fsys vfs.FS) (content []byte, damaged bool, err error) {
	b, err := readFile(fsys, keyName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("%w: %s, the envelope of the key, is missing", store.ErrKey, keyName)
	}
	if err != nil {
		return nil, false, err
	}
	content, damaged, err = record.OpenEnvelope(keys.Magic, b)
	if err != nil && !record.IsVersion(err) {
		err = fmt.Errorf("%w: %w", store.ErrKey, &store.CorruptError{File: keyName, Err: err})
	}
	return content, damaged, err
}

// makeKey makes the data key of a new store, and its envelope, durably. A store that is not
// encrypted has none, also if one was about to be made here before.
func (st *Store) makeKey() error {
	if st.opt.Secret == nil {
		return removeIfThere(st.fs, keyName)
	}
	cipher := st.opt.Cipher
	if cipher == 0 {
		cipher = keys.AES
	}
	st.key = seal.NewKey(cipher)
	content, err := keys.Wrap(st.key, st.opt.Secret, st.id)
	if err != nil {
		return err
	}
	return replaceFile(st.fs, keyName, record.Envelope(keys.Magic, content))
}

// checkKeyFile refuses a directory that has something else under the name of the envelope.
func checkKeyFile(fsys vfs.FS) error {
	b, err := readFile(fsys, keyName)
	if err == nil && (len(b) < len(keys.Magic) || string(b[:len(keys.Magic)]) != keys.Magic) {
		err = fmt.Errorf("%w: there is no %s in it, but %q", store.ErrNotStore, storeName, keyName)
	}
	return err
}

// box returns what seals the small files with that magic of stream inc.
func (st *Store) box(magic string, inc uint64) *seal.Box {
	return record.SmallFileBox(st.key, st.id, magic, inc)
}

// smallFile returns the bytes of a small file of stream inc: content twice, sealed if the store is.
func (st *Store) smallFile(magic string, inc uint64, content []byte) []byte {
	if st.key != nil {
		content = st.box(magic, inc).Seal(nil, content, nil)
	}
	return record.Envelope(magic, content)
}

// openSmallFile is [record.OpenEnvelope] for what smallFile returned.
func (st *Store) openSmallFile(magic string, inc uint64, b []byte) (content []byte, damaged bool, err error) {
	content, damaged, err = record.OpenEnvelope(magic, b)
	if err != nil || st.key == nil {
		return content, damaged, err
	}
	if content, err = st.box(magic, inc).Open(nil, content, nil); err != nil {
		return nil, damaged, fmt.Errorf("%w: %w", record.ErrBad, err)
	}
	return content, damaged, nil
}

// unlockHeader gives a header the keys of its block, if the store has any.
func (st *Store) unlockHeader(hdr *record.Header) {
	if st.key != nil {
		hdr.Unlock(st.key)
	}
}

// checkChain notes that b does not follow the block that it says it follows: that one was there when b was
// made, and is gone, or is another one now.
func (o *opening) checkChain(b *block) {
	none := [16]byte{}
	if !b.hdr.Sealed || b.hdr.Chain == none {
		return // nobody knew which one it was
	}
	var have [16]byte
	if n := len(o.blocks); n > 0 {
		t := o.blocks[n-1].trailer
		if t == nil {
			return // its footer is damaged, which was noted
		}
		have = t.Chain
	}
	if have != b.hdr.Chain {
		o.note(store.Damage{File: b.name, Length: b.size, Cause: "the block before it is missing, or not the one that was there"})
	}
}

// chain is what the header of the next block says of the last one.
func (s *Stream) chain() [16]byte {
	n := s.cur.Load()
	if len(n.blocks) == 0 || n.blocks[len(n.blocks)-1].trailer == nil {
		return [16]byte{}
	}
	return n.blocks[len(n.blocks)-1].trailer.Chain
}
