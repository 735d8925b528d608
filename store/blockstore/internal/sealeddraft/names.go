package sealeddraft

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"

	"jsfs/store/internal/seal"
)

const (
	// NamesKeySize is how many bytes of key the names of drafts take.
	NamesKeySize = 2 * seal.KeySize
	// NameTag is how many bytes at the beginning of a sealed name tell it from all others.
	NameTag = 16
)

// Names seals the names of a stream's drafts.
type Names struct{ mac, text []byte }

// NewNames returns what seals names with a key of [NamesKeySize] bytes, which it keeps.
func NewNames(key []byte) Names { return Names{key[:seal.KeySize], key[seal.KeySize:]} }

// Seal seals a name: the same one always gives the same bytes, so that its file is found.
func (n Names) Seal(name string) []byte {
	b := append(n.tag([]byte(name)), name...)
	n.crypt(b)
	return b
}

// Open returns the name that Seal made b of. ok is false if it made none such.
func (n Names) Open(b []byte) (name string, ok bool) {
	if len(b) <= NameTag {
		return "", false
	}
	b = append([]byte(nil), b...)
	n.crypt(b)
	return string(b[NameTag:]), hmac.Equal(n.tag(b[NameTag:]), b[:NameTag])
}

// tag is what a sealed name begins with.
func (n Names) tag(name []byte) []byte {
	m := hmac.New(sha256.New, n.mac)
	_, _ = m.Write(name)
	return m.Sum(nil)[:NameTag]
}

// crypt encrypts or decrypts what is behind the tag of b.
func (n Names) crypt(b []byte) {
	block, err := aes.NewCipher(n.text)
	if err != nil {
		panic(err) // the key has the wrong length: a mistake in this program
	}
	cipher.NewCTR(block, b[:NameTag]).XORKeyStream(b[NameTag:], b[NameTag:])
}
