package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// Sizes in bytes, the same for both ciphers.
const (
	KeySize   = 32
	NonceSize = 12
	TagSize   = 16
	// Overhead is what a sealed text is longer than the plain one.
	Overhead = NonceSize + TagSize
)

// ErrForged means that a sealed text was not sealed with this key for this place.
var ErrForged = errors.New("authentication failed")

// Cipher is an AEAD.
type Cipher uint8

// The ciphers. The numbers are on disk.
const (
	AES      Cipher = 1 // AES-256-GCM
	ChaCha20 Cipher = 2 // ChaCha20-Poly1305
)

// String returns the cipher's name on the command line.
func (c Cipher) String() string {
	switch c {
	case AES:
		return "aes"
	case ChaCha20:
		return "chacha20"
	}
	return fmt.Sprintf("Cipher(%d)", uint8(c))
}

// Known says whether c is one of the ciphers.
func (c Cipher) Known() bool { return c == AES || c == ChaCha20 }

// AEAD returns the cipher with a key of KeySize bytes. It keeps no reference to key. c must be known.
func (c Cipher) AEAD(key []byte) cipher.AEAD {
	var a cipher.AEAD
	var err error
	if c == ChaCha20 {
		a, err = chacha20poly1305.New(key)
	} else {
		var block cipher.Block
		if block, err = aes.NewCipher(key); err == nil {
			a, err = cipher.NewGCM(block)
		}
	}
	if err != nil {
		panic(err) // the key has the wrong length: a mistake in this program
	}
	return a
}

// Key is a store's data key.
type Key struct {
	cipher Cipher
	bytes  [KeySize]byte
}

// NewKey returns a random data key.
func NewKey(c Cipher) *Key {
	k := &Key{cipher: c}
	_, _ = rand.Read(k.bytes[:]) // never fails
	return k
}

// KeyOf returns the data key that b, KeySize bytes, is; b stays the caller's.
func KeyOf(c Cipher, b []byte) *Key {
	k := &Key{cipher: c}
	copy(k.bytes[:], b)
	return k
}

// Cipher returns what the key is for.
func (k *Key) Cipher() Cipher { return k.cipher }

// Bytes returns the key itself, which must not be changed.
func (k *Key) Bytes() []byte { return k.bytes[:] }

// Wipe overwrites the key. What was derived from it can still be used. Wiping nil does nothing.
func (k *Key) Wipe() {
	if k != nil {
		clear(k.bytes[:])
	}
}

// Derive returns n bytes that nobody can tell from random ones who lacks the key: HKDF-SHA256 over
// it, with salt and info.
func (k *Key) Derive(salt []byte, info string, n int) []byte {
	b, err := hkdf.Key(sha256.New, k.bytes[:], salt, info, n)
	if err != nil {
		panic(err) // n is over 255 hashes: a mistake in this program
	}
	return b
}

// Box seals under the key that Derive gives for salt and info.
func (k *Key) Box(salt []byte, info string) *Box {
	b := k.Derive(salt, info, KeySize)
	defer clear(b)
	return &Box{k.cipher.AEAD(b)}
}

// Box seals texts under one key. It may be used concurrently.
type Box struct{ aead cipher.AEAD }

// NewBox returns a Box for an AEAD that has a key.
func NewBox(a cipher.AEAD) *Box { return &Box{a} }

// Seal appends plain, sealed for the place that aad tells, to dst: nonce, ciphertext, tag.
func (b *Box) Seal(dst, plain, aad []byte) []byte {
	start := len(dst)
	dst = AppendNonce(dst)
	return b.aead.Seal(dst, dst[start:start+NonceSize], plain, aad)
}

// AppendNonce appends a random nonce to dst.
func AppendNonce(dst []byte) []byte {
	var zero [NonceSize]byte
	dst = append(dst, zero[:]...)
	_, _ = rand.Read(dst[len(dst)-NonceSize:]) // never fails
	return dst
}

// Open appends what was sealed to dst. ErrForged means that sealed was not made by Seal with this key and aad.
func (b *Box) Open(dst, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < Overhead {
		return nil, ErrForged
	}
	out, err := b.aead.Open(dst, sealed[:NonceSize], sealed[NonceSize:], aad)
	if err != nil {
		return nil, ErrForged
	}
	return out, nil
}
