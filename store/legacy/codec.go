package legacy

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
	"golang.org/x/crypto/chacha20poly1305"
)

// Cipher is what FSV2 encrypts with. An envelope does not say which: the older program has it
// in its configuration.
type Cipher uint8

// The ciphers.
const (
	ChaCha20Poly1305 Cipher = iota + 1
	AES256GCM
)

const (
	keySize   = 32 // of FSV2
	nonceSize = 12
	tagSize   = 16
)

func (c Cipher) aead(key Key) (cipher.AEAD, error) {
	if c == ChaCha20Poly1305 {
		return chacha20poly1305.New(key)
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

// openAEAD decrypts the body of an FSV2 envelope: nonce, tag, ciphertext.
func openAEAD(body []byte, key Key) ([]byte, error) {
	switch {
	case len(key) != keySize:
		return nil, fmt.Errorf("%w: FSV2 has keys of %d bytes, and this one has %d", ErrEnvelope, keySize, len(key))
	case len(body) < nonceSize+tagSize:
		return nil, fmt.Errorf("%w: it ends before its ciphertext", ErrEnvelope)
	}
	nonce, tag, text := body[:nonceSize], body[nonceSize:nonceSize+tagSize], body[nonceSize+tagSize:]
	sealed := append(append(make([]byte, 0, len(text)+tagSize), text...), tag...)
	for _, c := range []Cipher{ChaCha20Poly1305, AES256GCM} {
		a, err := c.aead(key)
		if err != nil {
			return nil, err
		}
		if plain, err := a.Open(nil, nonce, sealed, nil); err == nil {
			return plain, nil
		}
	}
	return nil, fmt.Errorf("%w: the ciphertext does not agree with its tag", ErrEnvelope)
}

// xor is FSV1's encryption, and its own inverse.
func xor(body []byte, key Key) []byte {
	out := make([]byte, len(body))
	for i, b := range body {
		out[i] = b ^ key[i%len(key)]
	}
	return out
}

func inflateDeflate(body []byte, limit int64) ([]byte, error) {
	in := bytes.NewReader(body) // a ByteReader: nothing behind the end is read
	z := flate.NewReader(in)
	payload, err := io.ReadAll(io.LimitReader(z, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: DEFLATE: %w", ErrEnvelope, err)
	case int64(len(payload)) > limit:
		return nil, tooLarge(limit)
	case in.Len() > 0:
		return nil, fmt.Errorf("%w: %d bytes follow its DEFLATE data", ErrEnvelope, in.Len())
	}
	return payload, z.Close()
}

func inflateS2(body []byte, limit int64) ([]byte, error) {
	n, err := s2.DecodedLen(body)
	if err != nil {
		return nil, fmt.Errorf("%w: S2: %w", ErrEnvelope, err)
	}
	if int64(n) > limit {
		return nil, tooLarge(limit)
	}
	payload, err := s2.Decode(nil, body)
	if err != nil {
		return nil, fmt.Errorf("%w: S2: %w", ErrEnvelope, err)
	}
	return payload, nil
}
