package legacy

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"

	"jsfs/store"
)

// Sealer puts payloads into FSV2 envelopes.
type Sealer struct {
	// Compress lets S2 try to make payloads smaller.
	Compress bool
	// Cipher and Key encrypt, if Cipher is not 0. The key has 32 bytes.
	Cipher Cipher
	Key    Key
	// Rand gives the nonces. Nil is crypto/rand; anything else is for golden files.
	Rand io.Reader
}

// Check returns nil if the Sealer can be used, else an error that wraps store.ErrInvalid or store.ErrKey.
func (s Sealer) Check() error {
	switch {
	case s.Cipher > AES256GCM:
		return fmt.Errorf("cipher %d: %w", s.Cipher, store.ErrInvalid)
	case s.Cipher != 0 && len(s.Key) != keySize:
		return fmt.Errorf("%w: FSV2 has keys of %d bytes, and this one has %d", store.ErrKey, keySize, len(s.Key))
	}
	return nil
}

// Seal returns the envelope with payload in it. It opens what it made before it returns it.
func (s Sealer) Seal(payload []byte) ([]byte, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	h := header{form: FSV2, sum: payloadSum(payload)}
	body := payload
	if s.Compress {
		if small := s2.Encode(nil, payload); len(small) < len(payload) {
			body, h.flags = small, h.flags|flagCompressed
		}
	}
	if s.Cipher != 0 {
		h.flags, h.key = h.flags|flagEncrypted, s.Key.check()
		var err error
		if body, err = s.encrypt(body); err != nil {
			return nil, err
		}
	}
	out := append(h.append(make([]byte, 0, headerSize+len(body))), body...)
	back, form, err := Open(out, []Key{s.Key}, int64(len(payload)))
	if err != nil || form != FSV2 || !bytes.Equal(back, payload) {
		return nil, errors.Join(errors.New("an envelope that was just made does not open"), err)
	}
	return out, nil
}

// encrypt returns the body of an encrypted envelope.
func (s Sealer) encrypt(plain []byte) ([]byte, error) {
	a, err := s.Cipher.aead(s.Key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, nonceSize, nonceSize+len(plain)+2*tagSize)
	if _, err := io.ReadFull(cmp.Or[io.Reader](s.Rand, rand.Reader), out); err != nil {
		return nil, fmt.Errorf("nonce: %w", err)
	}
	sealed := a.Seal(nil, out, plain, nil)
	text, tag := sealed[:len(plain)], sealed[len(plain):]
	return append(append(out, tag...), text...), nil
}
