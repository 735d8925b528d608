package blockstore

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"jsfs/store/blockstore/internal/sealeddraft"
)

// escapeDraft writes bytes that are not plain in a file name as %XX.
func escapeDraft(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_' || c == '~' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func unescapeDraft(escaped string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(escaped); i++ {
		if escaped[i] != '%' {
			b.WriteByte(escaped[i])
			continue
		}
		if i+3 > len(escaped) {
			return "", false
		}
		c, err := hex.DecodeString(escaped[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.WriteByte(c[0])
		i += 2
	}
	return b.String(), true
}

// sealedNames is what the names of drafts are sealed with in an encrypted store.
func (s *Stream) sealedNames() sealeddraft.Names {
	info := binary.LittleEndian.AppendUint64([]byte("jsfs draft names\x00"), s.inc)
	return sealeddraft.NewNames(s.st.key.Derive(s.st.id[:], string(info), sealeddraft.NamesKeySize))
}

// sealName seals a draft's name.
func (s *Stream) sealName(name string) []byte { return s.sealedNames().Seal(name) }

// openName returns the name that b is, sealed if the store is; "" if it is none.
func (s *Stream) openName(b []byte) string {
	if s.st.key == nil {
		return string(b)
	}
	name, ok := s.sealedNames().Open(b)
	if !ok {
		return ""
	}
	return name
}

// sealedDraftFiles is draftFiles for an encrypted store.
func (s *Stream) sealedDraftFiles(name string) (file, nameFile string) {
	sealed := s.sealName(name)
	if text := base64.RawURLEncoding.EncodeToString(sealed); len(text)+1 <= maxFileName {
		return string(draftSealed) + text, ""
	}
	hash := hex.EncodeToString(sealed[:sealeddraft.NameTag])
	return string(draftLong) + hash, string(draftName) + hash
}
