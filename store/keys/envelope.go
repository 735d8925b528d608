package keys

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/argon2"

	"jsfs/store"
	"jsfs/store/internal/seal"
)

// Magic opens the file of an envelope.
const Magic = "JSFSKEYS"

// How the key that seals the data key comes from the secret. The numbers are on disk.
const (
	deriveHKDF   = 1 // HKDF-SHA256, of a key
	deriveArgon2 = 2 // Argon2id, of a passphrase
)

// Cost is what Argon2id costs. Bounds keep a forged envelope from costing without end.
type Cost struct {
	Time    uint32 // passes; 1 to 16
	Memory  uint32 // KiB; 8 to 1 MiB, which is 1 GiB
	Threads uint8  // 1 to 16
}

// cost is what new envelopes have: 0.3 s on a small machine.
var cost = Cost{Time: 3, Memory: 64 << 10, Threads: 4}

func (c Cost) check() error {
	if c.Time < 1 || c.Time > 16 || c.Memory < 8*uint32(c.Threads) || c.Memory > 1<<20 || c.Threads < 1 || c.Threads > 16 {
		return fmt.Errorf("%w: the envelope of the key asks for %+v", store.ErrInvalid, c)
	}
	return nil
}

// Layout of an envelope's content (FORMAT.md section 11.1).
const (
	placeSize = 16 // of what the envelope is bound to
	saltSize  = 32
	boundSize = 4 + 4 + 4 + 4 + placeSize + saltSize // what is authenticated and not sealed
	size      = boundSize + seal.Overhead + seal.KeySize
)

// Wrap returns the content of an envelope: key, sealed under s. Place, 16 bytes, tells the store.
func Wrap(key *seal.Key, s *Secret, place [placeSize]byte) ([]byte, error) {
	b := make([]byte, 0, size)
	how, c := byte(deriveHKDF), Cost{}
	if s.phrase {
		how, c = deriveArgon2, cost
	}
	b = append(b, how, byte(key.Cipher()), 0, 0)
	b = binary.LittleEndian.AppendUint32(b, c.Time)
	b = binary.LittleEndian.AppendUint32(b, c.Memory)
	b = binary.LittleEndian.AppendUint32(b, uint32(c.Threads))
	b = append(b, place[:]...)
	b = append(b, make([]byte, saltSize)...)
	_, _ = rand.Read(b[len(b)-saltSize:]) // never fails
	box, err := s.box(b)
	if err != nil {
		return nil, err
	}
	return box.Seal(b, key.Bytes(), b), nil
}

// Unwrap returns the data key in an envelope's content. It gives ErrKey if s is not the secret that
// sealed it, or place is another one; ErrVersion for what a later version wrote.
func Unwrap(b []byte, s *Secret, place [placeSize]byte) (*seal.Key, error) {
	if len(b) != size {
		return nil, fmt.Errorf("envelope of the key has %d bytes: %w", len(b), store.ErrVersion)
	}
	c := Cipher(b[1])
	if b[0] != deriveHKDF && b[0] != deriveArgon2 || !c.Known() || b[2] != 0 || b[3] != 0 {
		return nil, fmt.Errorf("envelope of the key, of kinds %v: %w", b[:4], store.ErrVersion)
	}
	switch {
	case s.phrase && b[0] == deriveHKDF:
		return nil, fmt.Errorf("%w: a key unlocks it, no passphrase", store.ErrKey)
	case !s.phrase && b[0] == deriveArgon2:
		return nil, fmt.Errorf("%w: a passphrase unlocks it, no key", store.ErrKey)
	case !bytes.Equal(b[16:16+placeSize], place[:]):
		return nil, fmt.Errorf("%w: the envelope is another store's", store.ErrKey)
	}
	box, err := s.box(b[:boundSize])
	if err != nil {
		return nil, err
	}
	plain, err := box.Open(nil, b[boundSize:], b[:boundSize])
	if err != nil {
		return nil, store.ErrKey
	}
	defer clear(plain)
	return seal.KeyOf(c, plain), nil
}

// Place returns what an envelope's content says that it is bound to, zeros if it is none. It is authentic once Unwrap
// opened the envelope with it.
func Place(b []byte) (place [placeSize]byte) {
	if len(b) == size {
		copy(place[:], b[16:])
	}
	return place
}

// box returns what the data key is sealed with. bound has the parameters and the salt.
func (s *Secret) box(bound []byte) (*seal.Box, error) {
	if len(s.bytes) == 0 {
		return nil, fmt.Errorf("%w: it was wiped", store.ErrKey)
	}
	salt := bound[boundSize-saltSize : boundSize]
	var kek []byte
	if s.phrase {
		c := Cost{
			Time: binary.LittleEndian.Uint32(bound[4:]), Memory: binary.LittleEndian.Uint32(bound[8:]),
			Threads: uint8(min(binary.LittleEndian.Uint32(bound[12:]), 255)),
		}
		if err := c.check(); err != nil {
			return nil, err
		}
		kek = argon2.IDKey(s.bytes, salt, c.Time, c.Memory, c.Threads, seal.KeySize)
	} else {
		var err error
		if kek, err = hkdf.Key(sha256.New, s.bytes, salt, "jsfs key envelope", seal.KeySize); err != nil {
			return nil, err
		}
	}
	defer clear(kek)
	return seal.NewBox(Cipher(bound[1]).AEAD(kek)), nil
}
