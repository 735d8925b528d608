package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"testing/cryptotest"
)

var ciphers = []Cipher{AES, ChaCha20}

// boxOf is a box of a key that is always the same.
func boxOf(c Cipher) *Box {
	return KeyOf(c, bytes.Repeat([]byte{7}, KeySize)).Box([]byte("salt"), "info")
}

func forEach(t *testing.T, f func(t *testing.T, c Cipher)) {
	t.Helper()
	for _, c := range ciphers {
		t.Run(c.String(), func(t *testing.T) { f(t, c) })
	}
}

// What is sealed opens again, whatever stands before it in the buffers, and is as much longer as Overhead says.
func TestSealedTextsOpen(t *testing.T) {
	forEach(t, func(t *testing.T, c Cipher) {
		box := boxOf(c)
		for _, n := range []int{0, 1, 15, 16, 17, 1000, 70_000} {
			plain, aad := bytes.Repeat([]byte("x"), n), fmt.Appendf(nil, "place %d", n)
			sealed := box.Seal([]byte("before"), plain, aad)
			if len(sealed) != len("before")+n+Overhead || !bytes.HasPrefix(sealed, []byte("before")) {
				t.Fatalf("%d bytes: sealed has %d, want %d and %d of overhead behind what was there", n, len(sealed), n, Overhead)
			}
			if n >= 15 && bytes.Contains(sealed, plain) {
				t.Errorf("%d bytes: the plain text stands in the sealed one", n)
			}
			got, err := box.Open([]byte("there"), sealed[len("before"):], aad)
			if err != nil || string(got) != "there"+string(plain) {
				t.Errorf("%d bytes: got %d back, %v", n, len(got), err)
			}
		}
	})
}

// Not one bit can be changed, nothing cut off, and nothing added.
func TestEachChangeOfASealedTextIsFound(t *testing.T) {
	forEach(t, func(t *testing.T, c Cipher) {
		box, aad := boxOf(c), []byte("place")
		sealed := box.Seal(nil, []byte("a text of a few bytes"), aad)
		wantForged := func(what string, box *Box, sealed, aad []byte) {
			t.Helper()
			if got, err := box.Open(nil, sealed, aad); !errors.Is(err, ErrForged) || got != nil {
				t.Errorf("%s: got %q, %v, want %v", what, got, err, ErrForged)
			}
		}
		for i := range 8 * len(sealed) {
			b := bytes.Clone(sealed)
			b[i/8] ^= 1 << (i % 8)
			wantForged(fmt.Sprintf("bit %d changed", i), box, b, aad)
		}
		for n := range len(sealed) {
			wantForged(fmt.Sprintf("cut at %d", n), box, sealed[:n], aad)
			wantForged(fmt.Sprintf("without the first %d", n+1), box, sealed[n+1:], aad)
		}
		wantForged("a byte more", box, append(bytes.Clone(sealed), 0), aad)
		wantForged("another place", box, sealed, []byte("placf"))
		wantForged("a longer place", box, sealed, []byte("place "))
		wantForged("no place", box, sealed, nil)
		other := KeyOf(c, bytes.Repeat([]byte{8}, KeySize))
		wantForged("another key", other.Box([]byte("salt"), "info"), sealed, aad)
		same := KeyOf(c, bytes.Repeat([]byte{7}, KeySize))
		wantForged("another salt", same.Box([]byte("salu"), "info"), sealed, aad)
		wantForged("another purpose", same.Box([]byte("salt"), "infp"), sealed, aad)
		wantForged("another cipher", boxOf(AES+ChaCha20-c), sealed, aad)
		if _, err := same.Box([]byte("salt"), "info").Open(nil, sealed, aad); err != nil {
			t.Errorf("the same key made again: %v", err)
		}
	})
}

// Each text has a nonce of its own, and all bytes of it vary: also of texts that are alike, of other boxes under the same key, and
// after another start of the program, whose random numbers these are.
func TestNoncesDiffer(t *testing.T) {
	forEach(t, func(t *testing.T, c Cipher) {
		const n = 20_000
		seen, bits := make(map[[NonceSize]byte]bool, n), [8 * NonceSize]int{}
		note := func(nonce []byte) {
			if seen[[NonceSize]byte(nonce)] {
				t.Fatalf("nonce %x came again after %d", nonce, len(seen))
			}
			seen[[NonceSize]byte(nonce)] = true
			for i := range bits {
				bits[i] += int(nonce[i/8] >> (i % 8) & 1)
			}
		}
		for range n / 4 {
			box := boxOf(c)
			note(box.Seal(nil, []byte("text"), nil)[:NonceSize])
			note(box.Seal([]byte("before"), []byte("text"), nil)[len("before"):][:NonceSize])
			note(AppendNonce(nil))
			note(AppendNonce([]byte("before"))[len("before"):])
		}
		for i, ones := range bits { // 10 standard deviations are 707
			if ones < n/2-707 || ones > n/2+707 {
				t.Errorf("bit %d of the nonces is set in %d of %d", i, ones, n)
			}
		}
	})
}

// Keys that are made are random, and what is derived of one depends on all that it is derived from.
func TestKeysDiffer(t *testing.T) {
	forEach(t, func(t *testing.T, c Cipher) {
		a, b := NewKey(c), NewKey(c)
		if bytes.Equal(a.Bytes(), b.Bytes()) || bytes.Equal(a.Bytes(), make([]byte, KeySize)) || len(a.Bytes()) != KeySize || a.Cipher() != c {
			t.Errorf("new keys: %x for %v, and %x", a.Bytes(), a.Cipher(), b.Bytes())
		}
		derived := map[string]string{}
		for what, got := range map[string][]byte{
			"a": a.Derive([]byte("s"), "i", 32), "b": b.Derive([]byte("s"), "i", 32),
			"a, another salt": a.Derive([]byte("t"), "i", 32), "a, another purpose": a.Derive([]byte("s"), "j", 32), "a itself": a.Bytes(),
		} {
			if other, ok := derived[string(got)]; ok || len(got) != 32 {
				t.Errorf("%q gives %x, as %q", what, got, other)
			}
			derived[string(got)] = what
		}
		if again := KeyOf(c, a.Bytes()).Derive([]byte("s"), "i", 32); derived[string(again)] != "a" {
			t.Error("the same key gives other bytes")
		}
		if long := a.Derive([]byte("s"), "i", 100); len(long) != 100 || derived[string(long[:32])] != "a" {
			t.Errorf("100 bytes derived: got %d, or others", len(long))
		}
	})
}

// A key that is wiped is gone from memory, what it was made of is the caller's, and boxes of it go on.
func TestAKeyIsWiped(t *testing.T) {
	forEach(t, func(t *testing.T, c Cipher) {
		mine := bytes.Repeat([]byte{9}, KeySize)
		k := KeyOf(c, mine)
		box := k.Box(nil, "info")
		held := k.Bytes()
		k.Wipe()
		if !bytes.Equal(held, make([]byte, KeySize)) || !bytes.Equal(mine, bytes.Repeat([]byte{9}, KeySize)) {
			t.Errorf("after wiping the key has %x, and what it was made of %x", held, mine)
		}
		if got, err := box.Open(nil, box.Seal(nil, []byte("text"), nil), nil); err != nil || string(got) != "text" {
			t.Errorf("a box made before: %q, %v", got, err)
		}
		(*Key)(nil).Wipe()
	})
}

func TestCiphersAreKnown(t *testing.T) {
	for c, name := range map[Cipher]string{0: "Cipher(0)", AES: "aes", ChaCha20: "chacha20", 3: "Cipher(3)"} {
		if c.String() != name || c.Known() != (c == 1 || c == 2) {
			t.Errorf("cipher %d: %q, known %v", uint8(c), c, c.Known())
		}
		if c.Known() {
			if a := c.AEAD(make([]byte, KeySize)); a.NonceSize() != NonceSize || a.Overhead() != TagSize {
				t.Errorf("%v: nonces of %d bytes, tags of %d", c, a.NonceSize(), a.Overhead())
			}
		}
	}
}

// What others make by the description opens: HKDF-SHA256 over the key, nonce, ciphertext, tag. (Python's hmac, and its package
// cryptography, made these.) A change of the form would lose every store.
func TestTextsThatOthersSealedOpen(t *testing.T) {
	key := KeyOf(AES, bytes.Repeat([]byte{7}, KeySize)).Derive([]byte("salt"), "info", KeySize)
	if got, want := hex.EncodeToString(key), "4054a68338d4f0d6056eb8df097e9c6a405216aeff799102cd931e10a46f9b53"; got != want {
		t.Errorf("derived key: got %s, want %s", got, want)
	}
	for c, text := range map[Cipher]string{
		AES:      "000102030405060708090a0bdcd769701b2f4daf484e8308e8f2f7f20fee5bb0",
		ChaCha20: "000102030405060708090a0b9794ee09aeff332b007fb4df73f98bd313cd3293",
	} {
		sealed, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, box := range []*Box{boxOf(c), NewBox(c.AEAD(key))} {
			if got, err := box.Open(nil, sealed, []byte("place")); err != nil || string(got) != "text" {
				t.Errorf("%v: got %q, %v", c, got, err)
			}
		}
	}
}

// A nonce is what the system's random numbers are and nothing else: with the same ones the same nonces come in the same order, with
// others others, whatever is sealed and by whom.
func TestNoncesAreRandomNumbers(t *testing.T) {
	var bySeed [2][]byte
	for i, seed := range []uint64{1, 2} {
		for round := range 2 {
			cryptotest.SetGlobalRandom(t, seed)
			var nonces []byte
			for j := range 3 {
				sealed := boxOf(ciphers[(round+j)%2]).Seal(nil, make([]byte, round), nil)
				nonces = append(nonces, sealed[:NonceSize]...)
			}
			if bytes.Equal(nonces[:NonceSize], nonces[NonceSize:2*NonceSize]) || bytes.Equal(nonces[NonceSize:2*NonceSize], nonces[2*NonceSize:]) {
				t.Errorf("seed %d: two nonces are alike in %x", seed, nonces)
			}
			if round == 1 && !bytes.Equal(nonces, bySeed[i]) {
				t.Errorf("seed %d: nonces %x, and before %x: something else is in them", seed, nonces, bySeed[i])
			}
			bySeed[i] = nonces
		}
	}
	if bytes.Equal(bySeed[0], bySeed[1]) {
		t.Errorf("other random numbers give the same nonces %x", bySeed[0])
	}
}
