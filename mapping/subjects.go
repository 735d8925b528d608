package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"jsfs/store"
)

// hashMark stands before the hash that ends a name. It is no escape, so no other name has it.
const hashMark = "%~"

// hashSize is the length of the hash in a name: 16 bytes in hexadecimal.
const hashSize = 32

// EscapeSubject returns the file name of a subject. What could not stand in a name,
// or would make it mean something else, is escaped byte by byte as %XX: '/', '%',
// control characters, white space, bytes that are no UTF-8, the first digit of a name of
// digits, a leading dot, and the end that would make it a draft's.
//
// It is injective for all strings, and [UnescapeSubject] is its inverse, except that
// a name that would be longer than MaxName ends in a hash instead ([IsHashed]).
func EscapeSubject(subject string) string {
	draft := len(subject)
	if n := draftEnd(subject); n > 0 {
		draft -= 1 // its last byte: the shortest change that makes it another ending
	}
	first := allDigits(subject) || strings.HasPrefix(subject, ".")
	var b strings.Builder
	cut := 0 // length of the longest prefix that leaves room for the hash
	for i := 0; i < len(subject); {
		r, size := utf8.DecodeRuneInString(subject[i:])
		if i == 0 && first || i >= draft || mustEscape(r, size) {
			for _, c := range []byte(subject[i : i+size]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		} else {
			b.WriteString(subject[i : i+size])
		}
		if i += size; b.Len() <= MaxName-len(hashMark)-hashSize {
			cut = b.Len()
		}
	}
	if b.Len() <= MaxName {
		return b.String()
	}
	sum := sha256.Sum256([]byte(subject))
	return b.String()[:cut] + hashMark + hex.EncodeToString(sum[:hashSize/2])
}

func mustEscape(r rune, size int) bool {
	return r <= ' ' || r == 0x7f || r == '/' || r == '%' || r == utf8.RuneError && size == 1
}

// UnescapeSubject turns each %XX of a name into its byte. It takes more than
// EscapeSubject gives: any byte may be escaped, in either case. A malformed escape
// gives an error that wraps store.ErrInvalid.
func UnescapeSubject(name string) (string, error) {
	if !strings.Contains(name, "%") {
		return name, nil
	}
	b := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		if name[i] != '%' {
			b = append(b, name[i])
			continue
		}
		var c [1]byte
		if i+2 >= len(name) {
			return "", fmt.Errorf("name %q: %w: an escape is cut off", name, store.ErrInvalid)
		}
		if _, err := hex.Decode(c[:], []byte(name[i+1:i+3])); err != nil {
			return "", fmt.Errorf("name %q: %w: %q is no escape", name, store.ErrInvalid, name[i:i+3])
		}
		b = append(b, c[0])
		i += 2
	}
	return string(b), nil
}

// IsHashed says whether a name is one of a subject too long to stand in it.
func IsHashed(name string) bool {
	i := len(name) - hashSize - len(hashMark)
	if i < 0 || !strings.HasPrefix(name[i:], hashMark) {
		return false
	}
	for _, c := range []byte(name[i+len(hashMark):]) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}
