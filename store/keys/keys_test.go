package keys

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/internal/seal"
)

func key(t *testing.T, text string) *Secret {
	t.Helper()
	s, err := OfKey([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func phrase(t *testing.T, text string) *Secret {
	t.Helper()
	s, err := OfPassphrase([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// cheap makes passphrases cost little for the rest of the test.
func cheap(t *testing.T) {
	old := cost
	cost = Cost{Time: 1, Memory: 64, Threads: 1}
	t.Cleanup(func() { cost = old })
}

const raw = "0123456789abcdef0123456789ABCDE\n"

func TestKeysAre32BytesOr64HexadecimalDigits(t *testing.T) {
	digits := hex.EncodeToString([]byte(raw))
	for text, want := range map[string]bool{
		raw: true, digits: true, digits + "\n": true, digits + "\r\n": true, strings.ToUpper(digits): true,
		"": false, raw[1:]: false, raw + "x": false, digits[1:]: false, digits + "\n\n": false, "g" + digits[1:]: false,
	} {
		b := []byte(text)
		s, err := OfKey(b)
		if (err == nil) != want || err != nil && !errors.Is(err, store.ErrKey) {
			t.Errorf("%q: got %v, want a key: %v", text, err, want)
		}
		if err == nil && string(s.bytes) != raw {
			t.Errorf("%q: got another key", text)
		}
		if len(bytes.Trim(b, "\x00")) > 0 {
			t.Errorf("%q: what it was read from is not overwritten", text)
		}
		if err != nil && len(text) > 8 && strings.Contains(err.Error(), text[:8]) {
			t.Errorf("%q: the error tells the key: %v", text, err)
		}
	}
}

func TestAWipedSecretIsGoneAndNeverPrinted(t *testing.T) {
	s := key(t, raw)
	inside := s.bytes
	for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(form, s); got != "(secret)" {
			t.Errorf("%s: got %q", form, got)
		}
	}
	s.Wipe()
	s.Wipe()
	if len(bytes.Trim(inside, "\x00")) > 0 {
		t.Error("the key's bytes are still there")
	}
	if _, err := Wrap(seal.NewKey(AES), s, [16]byte{}); !errors.Is(err, store.ErrKey) {
		t.Errorf("wrap with a wiped key: got %v, want ErrKey", err)
	}
	(*Secret)(nil).Wipe()
}

func TestEnvelopesOpenWithTheirSecretOnly(t *testing.T) {
	cheap(t)
	place := [16]byte{1, 2, 3}
	secrets := map[string]*Secret{"key": key(t, raw), "passphrase": phrase(t, "correct horse\n"), "short": phrase(t, "x")}
	for name, s := range secrets {
		for _, c := range []Cipher{AES, ChaCha20} {
			data := seal.NewKey(c)
			b, err := Wrap(data, s, place)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Unwrap(b, s, place)
			if err != nil || !bytes.Equal(got.Bytes(), data.Bytes()) || got.Cipher() != c {
				t.Fatalf("%s, %v: unwrapped with %v", name, c, err)
			}
			if bytes.Contains(b, data.Bytes()) {
				t.Errorf("%s: the data key stands in % x", name, b)
			}
			for other, o := range secrets {
				if _, err := Unwrap(b, o, place); other != name && !errors.Is(err, store.ErrKey) {
					t.Errorf("%s opened with %s: got %v, want ErrKey", name, other, err)
				}
			}
			if _, err := Unwrap(b, s, [16]byte{1, 2, 4}); !errors.Is(err, store.ErrKey) {
				t.Errorf("%s of another store: got %v, want ErrKey", name, err)
			}
			for i := range b {
				bad := bytes.Clone(b)
				bad[i] ^= 1
				if _, err := Unwrap(bad, s, place); err == nil {
					t.Fatalf("%s, %v: byte %d changed: accepted", name, c, i)
				}
			}
		}
	}
}

func TestAThousandRandomKeysAreRefused(t *testing.T) {
	b, err := Wrap(seal.NewKey(AES), key(t, raw), [16]byte{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		k := []byte(raw)
		if i < 256 {
			k[i/8] ^= 1 << (i % 8)
		} else {
			_, _ = rand.Read(k)
		}
		s, err := OfKey(k)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Unwrap(b, s, [16]byte{}); !errors.Is(err, store.ErrKey) {
			t.Fatalf("key %d: got %v, want ErrKey", i, err)
		}
	}
}

func TestAThousandRandomPassphrasesAreRefused(t *testing.T) {
	cheap(t)
	const right = "correct horse battery staple"
	b, err := Wrap(seal.NewKey(AES), phrase(t, right), [16]byte{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		p := []byte(right)
		if i < 8*len(p) {
			p[i/8] ^= 1 << (i % 8)
		} else {
			p = fmt.Appendf(nil, "%s %d", rand.Text(), i)
		}
		if _, err := Unwrap(b, phrase(t, string(p)), [16]byte{}); !errors.Is(err, store.ErrKey) {
			t.Fatalf("passphrase %d: got %v, want ErrKey", i, err)
		}
	}
}

func TestAnEnvelopeCannotAskForMoreThanTheBounds(t *testing.T) {
	cheap(t)
	s := phrase(t, "p")
	b, err := Wrap(seal.NewKey(AES), s, [16]byte{})
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]int{"time": 6, "memory": 11, "threads": 13} {
		bad := bytes.Clone(b)
		bad[at] = 0xff
		if _, err := Unwrap(bad, s, [16]byte{}); !errors.Is(err, store.ErrInvalid) && !errors.Is(err, store.ErrKey) || err == nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, c := range []Cost{{0, 64, 1}, {17, 64, 1}, {1, 7, 1}, {1, 1<<20 + 1, 1}, {1, 64, 0}, {1, 1024, 17}} {
		if c.check() == nil {
			t.Errorf("%+v is within bounds", c)
		}
	}
	if want := (Cost{3, 64 << 10, 4}); want.check() != nil {
		t.Error("what new envelopes have is out of bounds")
	}
}

func TestKeyFilesAreReadIfNobodyElseMay(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(at(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(at("store/deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("good", raw, 0o600)
	write("readonly", raw, 0o400)
	write("group", raw, 0o640)
	write("others", raw, 0o604)
	write("short", raw[1:], 0o600)
	write("large", strings.Repeat("x", 1000), 0o600)
	write("store/deep/inside", raw, 0o600)
	write("foreign", raw, 0o600)
	if os.Geteuid() == 0 {
		if err := os.Chown(at("foreign"), 12345, -1); err != nil {
			t.Fatal(err)
		}
	} else if err := os.Remove(at("foreign")); err != nil { // then it is missing, which is refused as well
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{"link": "good", "linkin": "store/deep/inside", "dangling": "nothing"} {
		if err := os.Symlink(at(to), at(from)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"good": "", "readonly": "", "link": "",
		"group": "0640", "others": "0604", "short": "32 bytes", "large": "more than", "foreign": "", "pipe": "regular", "store": "regular",
		"store/deep/inside": "protect", "linkin": "protect", "dangling": "no such file", "missing": "no such file",
	} {
		s, err := ReadFile(at(name), at("store"), at("not there"))
		good := name == "good" || name == "readonly" || name == "link"
		if good != (err == nil) || good && string(s.bytes) != raw {
			t.Errorf("%s: got %v", name, err)
		}
		if !good && (!errors.Is(err, store.ErrKey) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want ErrKey with %q", name, err, want)
		}
	}
}

func TestDescriptorsGiveKeysAndPassphrases(t *testing.T) {
	pipe := func(text string) uintptr {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString(text); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		fd, err := syscall.Dup(int(r.Fd()))
		_ = r.Close()
		if err != nil {
			t.Fatal(err)
		}
		return uintptr(fd)
	}
	if s, err := ReadDescriptor(pipe(raw)); err != nil || string(s.bytes) != raw || s.phrase {
		t.Errorf("key: got %v", err)
	}
	if s, err := ReadPhraseDescriptor(pipe("pass phrase\n")); err != nil || string(s.bytes) != "pass phrase" || !s.phrase {
		t.Errorf("passphrase: got %v", err)
	}
	for name, text := range map[string]string{"empty": "", "too long": strings.Repeat("x", 5000)} {
		if _, err := ReadDescriptor(pipe(text)); !errors.Is(err, store.ErrKey) {
			t.Errorf("%s key: got %v, want ErrKey", name, err)
		}
		if _, err := ReadPhraseDescriptor(pipe(text)); !errors.Is(err, store.ErrKey) {
			t.Errorf("%s passphrase: got %v, want ErrKey", name, err)
		}
	}
	if _, err := ReadDescriptor(9999); !errors.Is(err, store.ErrKey) {
		t.Errorf("a closed descriptor: got %v, want ErrKey", err)
	}
}

func FuzzUnwrap(f *testing.F) {
	cost = Cost{Time: 1, Memory: 8, Threads: 1}
	good, err := OfKey([]byte(raw))
	if err != nil {
		f.Fatal(err)
	}
	b, err := Wrap(seal.NewKey(AES), good, [16]byte{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, uint16(7), byte(1))
	f.Fuzz(func(t *testing.T, bad []byte, at uint16, flip byte) {
		_, _ = Unwrap(bad, good, [16]byte{})
		_, _ = OfKey(bytes.Clone(bad))
		if flip == 0 {
			return
		}
		// Each fuzzing process wraps a key of its own: what it made is what it can judge.
		changed := bytes.Clone(b)
		changed[int(at)%len(b)] ^= flip
		if _, err := Unwrap(changed, good, [16]byte{}); err == nil {
			t.Errorf("byte %d was changed, and it was unwrapped", int(at)%len(b))
		}
	})
}
