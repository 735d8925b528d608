package legacy

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"pgregory.net/rapid"

	"jsfs/store"
)

var (
	testKey  = Key("0123456789abcdef0123456789ABCDEF")
	otherKey = Key("another key of 32 bytes, not it.")
)

// sealFSV1 makes an envelope as the first generation did; nothing but tests does.
func sealFSV1(payload []byte, compress bool, key Key) []byte {
	h := header{form: FSV1, sum: payloadSum(payload)}
	body := payload
	if compress {
		var b bytes.Buffer
		z, _ := flate.NewWriter(&b, flate.BestCompression)
		_, _ = z.Write(payload)
		_ = z.Close()
		body, h.flags = b.Bytes(), flagCompressed
	}
	if key != nil {
		h.flags, h.key = h.flags|flagEncrypted, key.check()
		body = xor(body, key)
	}
	return append(h.append(nil), body...)
}

// seals are the ten ways in which a payload may be in an envelope.
var seals = []struct {
	name      string
	encrypted bool
	seal      func(payload []byte) []byte
}{
	{"FSV1", false, func(p []byte) []byte { return sealFSV1(p, false, nil) }},
	{"FSV1 DEFLATE", false, func(p []byte) []byte { return sealFSV1(p, true, nil) }},
	{"FSV1 XOR", true, func(p []byte) []byte { return sealFSV1(p, false, testKey) }},
	{"FSV1 DEFLATE XOR", true, func(p []byte) []byte { return sealFSV1(p, true, testKey) }},
	{"FSV2", false, Sealer{}.must},
	{"FSV2 S2", false, Sealer{Compress: true}.must},
	{"FSV2 ChaCha20", true, Sealer{Cipher: ChaCha20Poly1305, Key: testKey}.must},
	{"FSV2 S2 ChaCha20", true, Sealer{Compress: true, Cipher: ChaCha20Poly1305, Key: testKey}.must},
	{"FSV2 AES", true, Sealer{Cipher: AES256GCM, Key: testKey}.must},
	{"FSV2 S2 AES", true, Sealer{Compress: true, Cipher: AES256GCM, Key: testKey}.must},
}

func (s Sealer) must(payload []byte) []byte {
	b, err := s.Seal(payload)
	if err != nil {
		panic(err)
	}
	return b
}

func TestWhatIsSealedOpens(t *testing.T) {
	for _, s := range seals {
		t.Run(strings.ReplaceAll(s.name, " ", "_"), func(t *testing.T) {
			for _, payload := range []string{"", "x", strings.Repeat("compressible ", 50), "FSV1 in an envelope"} {
				b := s.seal([]byte(payload))
				got, form, err := Open(b, []Key{otherKey, testKey}, MaxPayload)
				if err != nil || string(got) != payload || form.String() != s.name[:4] {
					t.Errorf("%q: got %q in %v, %v", payload, got, form, err)
				}
				if int(b[4]&flagEncrypted) != 2*btoi(s.encrypted) {
					t.Errorf("%q: the flags are %#x", payload, b[4])
				}
			}
		})
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestAKeyThatIsNotThereIsTold(t *testing.T) {
	for _, s := range seals {
		b := s.seal([]byte("secret"))
		for _, keys := range [][]Key{nil, {otherKey}, {nil}, {testKey[:31]}} {
			_, _, err := Open(b, keys, MaxPayload)
			if errors.Is(err, store.ErrKey) != s.encrypted {
				t.Errorf("%s with keys %q: got %v", s.name, keys, err)
			}
		}
	}
}

func TestAnyDamagedByteOfAnEnvelopeIsSeen(t *testing.T) {
	payload := []byte(strings.Repeat("a payload ", 8))
	for _, s := range seals {
		whole := s.seal(payload)
		for i := range whole {
			for bit := range 8 {
				b := bytes.Clone(whole)
				b[i] ^= 1 << bit
				got, form, err := Open(b, []Key{testKey}, MaxPayload)
				switch {
				case err != nil && !errors.Is(err, ErrEnvelope) && !errors.Is(err, store.ErrKey):
					t.Errorf("%s, bit %d of byte %d: got %v", s.name, bit, i, err)
				case err == nil && form == Plain && !bytes.Equal(got, b):
					t.Errorf("%s, bit %d of byte %d: a plain payload was changed", s.name, bit, i)
				case err == nil && form == Plain && i >= 9:
					t.Errorf("%s, bit %d of byte %d: taken for a plain payload", s.name, bit, i)
				case err == nil && form != Plain && !bytes.Equal(got, payload):
					t.Errorf("%s, bit %d of byte %d: got other bytes: %q", s.name, bit, i, got)
				}
			}
		}
		for n := headerSize; n < len(whole); n++ {
			if _, _, err := Open(whole[:n], []Key{testKey}, MaxPayload); !errors.Is(err, ErrEnvelope) {
				t.Errorf("%s, cut to %d bytes: got %v, want %v", s.name, n, err, ErrEnvelope)
			}
		}
	}
}

func TestAPlainPayloadThatBeginsWithAMagicIsPlain(t *testing.T) {
	for _, payload := range []string{
		"FSV1", "FSV2", "FSV1\x00\x00\x00\x00\x00", "FSV2 is what the file begins with", "FSV1\n" + strings.Repeat("x", 40),
		"FSV2" + strings.Repeat("\x00", 30), "FSV1" + strings.Repeat("\xff", 30),
		"FSV2\x00\x01\x00\x00\x00 a key check without a cipher", "FSV3\x00\x00\x00\x00\x00 a version there is not",
		"fsv1\x00\x00\x00\x00\x00 in lower case",
	} {
		got, form, err := Open([]byte(payload), []Key{testKey}, MaxPayload)
		if err != nil || form != Plain || string(got) != payload {
			t.Errorf("%q: got %q in %v, %v", payload, got, form, err)
		}
	}
}

func TestAnEnvelopeInAnEnvelopeIsAPayload(t *testing.T) {
	inner := Sealer{}.must([]byte("inner"))
	got, form, err := Open(Sealer{}.must(inner), nil, MaxPayload)
	if err != nil || form != FSV2 || !bytes.Equal(got, inner) {
		t.Errorf("got %q in %v, %v, want %q", got, form, err, inner)
	}
}

func TestSizesAreBoundedBeforeAnythingIsAllocated(t *testing.T) {
	const limit = 1000
	bomb := append(header{form: FSV2, flags: flagCompressed, sum: [8]byte{1}}.append(nil), binary.AppendUvarint(nil, 1<<32-1)...)
	large := bytes.Repeat([]byte("x"), limit+1)
	for name, b := range map[string][]byte{
		"S2 that claims 4 GiB": bomb,
		"S2":                   Sealer{Compress: true}.must(large),
		"DEFLATE":              sealFSV1(large, true, nil),
		"neither":              Sealer{}.must(large),
	} {
		n := testing.AllocsPerRun(1, func() {
			if _, _, err := Open(b, nil, limit); !errors.Is(err, ErrEnvelope) {
				t.Errorf("%s: got %v, want %v", name, err, ErrEnvelope)
			}
		})
		if n > 100 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if _, _, err := Open(Sealer{Compress: true}.must(large[1:]), nil, limit); err != nil {
		t.Errorf("a payload of just the limit: got %v", err)
	}
}

func TestWhatFollowsDEFLATEIsSeen(t *testing.T) {
	b := append(sealFSV1([]byte("payload"), true, nil), "more"...)
	if _, _, err := Open(b, nil, MaxPayload); !errors.Is(err, ErrEnvelope) {
		t.Errorf("got %v, want %v", err, ErrEnvelope)
	}
}

func TestASealerThatCannotSealIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		s    Sealer
		want error
	}{
		"no key":              {Sealer{Cipher: AES256GCM}, store.ErrKey},
		"a key of 31 bytes":   {Sealer{Cipher: ChaCha20Poly1305, Key: testKey[1:]}, store.ErrKey},
		"a cipher of no name": {Sealer{Cipher: 3, Key: testKey}, store.ErrInvalid},
		"no nonces":           {Sealer{Cipher: AES256GCM, Key: testKey, Rand: strings.NewReader("short")}, nil},
	} {
		if _, err := c.s.Seal([]byte("x")); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestNoncesDiffer(t *testing.T) {
	s := Sealer{Cipher: AES256GCM, Key: testKey}
	seen := map[string]bool{}
	for range 1000 {
		nonce := string(s.must([]byte("x"))[headerSize : headerSize+nonceSize])
		if seen[nonce] {
			t.Fatalf("nonce %x twice", nonce)
		}
		seen[nonce] = true
	}
}

func TestSealAndOpenAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payload := rapid.SliceOf(rapid.Byte()).Draw(t, "payload")
		s := Sealer{
			Compress: rapid.Bool().Draw(t, "compress"),
			Cipher:   rapid.SampledFrom([]Cipher{0, ChaCha20Poly1305, AES256GCM}).Draw(t, "cipher"),
			Key:      testKey,
		}
		got, form, err := Open(s.must(payload), []Key{testKey}, MaxPayload)
		if err != nil || form != FSV2 || !bytes.Equal(got, payload) {
			t.Fatalf("got %q in %v, %v, want %q", got, form, err, payload)
		}
	})
}

// FuzzOpen opens anything: no panic, bounded memory, and what is opened agrees with its check.
func FuzzOpen(f *testing.F) {
	for _, s := range seals {
		f.Add(s.seal([]byte(strings.Repeat("seed ", 10))))
	}
	f.Add(append(header{form: FSV2, flags: flagCompressed, sum: [8]byte{1}}.append(nil), s2.Encode(nil, []byte("wrong check"))...))
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 16
		before := bytes.Clone(b)
		payload, form, err := Open(b, []Key{testKey}, limit)
		if !bytes.Equal(b, before) {
			t.Fatal("the input was changed")
		}
		switch h, ok := parseHeader(b); {
		case err != nil:
			if payload != nil || !errors.Is(err, ErrEnvelope) && !errors.Is(err, store.ErrKey) {
				t.Fatalf("got %q, %v", payload, err)
			}
		case form == Plain:
			if ok || !bytes.Equal(payload, b) {
				t.Fatalf("plain payload %q, want %q", payload, b)
			}
		case payloadSum(payload) != h.sum || len(payload) > limit:
			t.Fatalf("%d bytes that do not agree with the check", len(payload))
		}
	})
}
