package keys

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"

	"jsfs/store"
	"jsfs/store/internal/seal"
)

// Cipher is what a store is encrypted with.
type Cipher = seal.Cipher

// The ciphers.
const (
	AES      = seal.AES      // AES-256-GCM
	ChaCha20 = seal.ChaCha20 // ChaCha20-Poly1305
)

// ParseCipher reads a cipher's name, "aes" or "chacha20".
func ParseCipher(name string) (Cipher, error) {
	for _, c := range []Cipher{AES, ChaCha20} {
		if c.String() == name {
			return c, nil
		}
	}
	return 0, fmt.Errorf("%q is no cipher; use aes or chacha20", name)
}

// MaxPassphrase is the length that a passphrase may have, in bytes.
const MaxPassphrase = 1024

// Secret is what the user has to unlock a store. It is not safe for concurrent use with Wipe.
type Secret struct {
	bytes  []byte
	phrase bool // it is a passphrase
}

// OfKey returns the Secret that b is: 32 bytes, or 64 hexadecimal digits and perhaps a newline. It
// overwrites b.
func OfKey(b []byte) (*Secret, error) {
	defer clear(b)
	if len(b) == seal.KeySize {
		return &Secret{bytes: bytes.Clone(b)}, nil
	}
	digits := bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	key := make([]byte, seal.KeySize)
	if len(digits) == 2*seal.KeySize {
		if _, err := hex.Decode(key, digits); err == nil {
			return &Secret{bytes: key}, nil
		}
		clear(key)
	}
	return nil, fmt.Errorf("%w: a key is 32 bytes or 64 hexadecimal digits, and this has %d bytes", store.ErrKey, len(b))
}

// OfPassphrase returns the Secret that a passphrase is, a newline at its end not counted. It overwrites b.
func OfPassphrase(b []byte) (*Secret, error) {
	defer clear(b)
	phrase := bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(phrase) == 0 || len(phrase) > MaxPassphrase {
		return nil, fmt.Errorf("%w: a passphrase has 1 to %d bytes, and this has %d", store.ErrKey, MaxPassphrase, len(phrase))
	}
	return &Secret{bytes: bytes.Clone(phrase), phrase: true}, nil
}

// Wipe overwrites the secret, which opens nothing from then on. A second Wipe does nothing, nor does one of nil.
func (s *Secret) Wipe() {
	if s != nil {
		clear(s.bytes)
		s.bytes = nil
	}
}

// HandOver writes the secret to a process that reads it as this package does.
func (s *Secret) HandOver(w io.Writer) error {
	b := append(make([]byte, 0, len(s.bytes)+1), s.bytes...)
	if s.phrase {
		b = append(b, '\n') // one is passed over in reading
	}
	defer clear(b)
	_, err := w.Write(b)
	return err
}

// Key calls use with the key's 32 bytes, which are overwritten when it returns. A passphrase is no
// key: ErrKey.
func (s *Secret) Key(use func(key []byte) error) error {
	if s.phrase || len(s.bytes) != seal.KeySize {
		return fmt.Errorf("%w: a key of 32 bytes is needed here", store.ErrKey)
	}
	b := bytes.Clone(s.bytes)
	defer clear(b)
	return use(b)
}

// String keeps secrets out of logs.
func (s *Secret) String() string { return "(secret)" }

// GoString is String.
func (s *Secret) GoString() string { return "(secret)" }
