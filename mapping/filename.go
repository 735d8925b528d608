package mapping

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// EscapeFile returns a file's name as a header has it: what a header can't hold is escaped byte by byte as %XX: control
// characters, '%', bytes that are no UTF-8, and white space in front. [UnescapeSubject] is its inverse.
func EscapeFile(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		if r < ' ' || r == 0x7f || r == '%' || r == utf8.RuneError && size == 1 || r == ' ' && i == 0 {
			for _, c := range []byte(name[i : i+size]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		} else {
			b.WriteString(name[i : i+size])
		}
		i += size
	}
	return b.String()
}
