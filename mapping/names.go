package mapping

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"jsfs/store"
)

// MaxName is the length in bytes that a file's name may have at most.
const MaxName = 255

// DefaultWidth is the number of digits that listed names have unless asked otherwise.
const DefaultWidth = 12

// NameKind says what a name in a stream's directory stands for.
type NameKind uint8

// The kinds of names.
const (
	NameSeq     NameKind = iota + 1 // a message, by its sequence
	NameSubject                     // a subject node
	NameControl                     // a view of the stream, or .jsfs
	NameDraft                       // a file that is no message yet
)

// Name is a parsed name. Besides Kind only the fields of its kind are set.
type Name struct {
	Kind NameKind

	Seq store.Seq // NameSeq
	// Listed says that the name is spelled just as the listing spells it. Only such a
	// name may be cached.
	Listed bool

	Subject string // NameSubject, unless Hashed
	// Hashed says that the name ends in a hash, because the subject's own would be too
	// long: it stands for the subject whose EscapeSubject it is.
	Hashed bool

	Control Control // NameControl

	// File is the name of the file that is to become a message on Subject, where it is not
	// the subject that names it; see ParseFile. NameSubject
	File string
}

// FormatSeq returns the listed name of a message: its sequence in at least width
// digits. Names of the same width sort as their sequences do.
func FormatSeq(seq store.Seq, width int) string {
	s := strconv.FormatUint(uint64(seq), 10)
	if len(s) >= width {
		return s
	}
	return strings.Repeat("0", width-len(s)) + s
}

// ParseName says what a name in a stream's directory stands for, where listed names
// have width digits. The error wraps store.ErrNameTooLong, store.ErrInvalid or
// store.ErrSubject.
func ParseName(name string, width int) (Name, error) {
	switch {
	case len(name) > MaxName:
		return Name{}, fmt.Errorf("name of %d bytes: %w (at most %d)", len(name), store.ErrNameTooLong, MaxName)
	case name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00"):
		return Name{}, fmt.Errorf("name %q: %w", name, store.ErrInvalid)
	case allDigits(name):
		return parseSeq(name, width)
	}
	if c, ok := controlNamed(name); ok {
		return Name{Kind: NameControl, Control: c}, nil
	}
	if isDraft(name) {
		return Name{Kind: NameDraft}, nil
	}
	if IsHashed(name) {
		return Name{Kind: NameSubject, Hashed: true}, nil
	}
	subject, err := UnescapeSubject(name)
	if err != nil {
		return Name{}, err
	}
	if err := store.CheckSubject(subject); err != nil {
		return Name{}, err
	}
	return Name{Kind: NameSubject, Subject: subject}, nil
}

// ParseFile is ParseName for the message directory of one subject: what is no sequence, control or
// draft there is the name of a file, which becomes a message on that subject.
func ParseFile(name string, width int, subject string) (Name, error) {
	n, err := ParseName(name, width)
	if err == nil && n.Kind != NameSubject {
		return n, nil
	}
	if err == nil || !errors.Is(err, store.ErrNameTooLong) && name != "" && name != "." && name != ".." &&
		!allDigits(name) && !strings.ContainsAny(name, "/\x00") {
		return Name{Kind: NameSubject, Subject: subject, File: name}, nil
	}
	return Name{}, err
}

func parseSeq(name string, width int) (Name, error) {
	n, err := strconv.ParseUint(name, 10, 64)
	if err != nil || n == 0 {
		return Name{}, fmt.Errorf("name %q: %w: no sequence number", name, store.ErrInvalid)
	}
	digits := strings.TrimLeft(name, "0")
	listed := len(name) == max(width, len(digits))
	return Name{Kind: NameSeq, Seq: store.Seq(n), Listed: listed}, nil
}

// IsTemp says whether a file that is created with this name, these open(2) flags
// and this mode (before the umask) is made as mkstemp(3) makes temporary files, so
// that it is a draft although its name alone would be a subject. Underscores count
// as letters, since Python's tempfile uses them.
func IsTemp(name string, flags, mode uint32) bool {
	const suffix = 6
	if _, control := controlNamed(name); control || len(name) < suffix || allDigits(name) {
		return false
	}
	if flags&syscall.O_ACCMODE != syscall.O_RDWR || flags&syscall.O_CREAT == 0 || flags&syscall.O_EXCL == 0 ||
		mode&0o7777 != 0o600 {
		return false
	}
	for _, c := range []byte(name[len(name)-suffix:]) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_') {
			return false
		}
	}
	return true
}

// isDraft says whether a name is a draft's by its form. Control names must have
// been sorted out before.
func isDraft(name string) bool {
	return strings.HasPrefix(name, ".") || draftEnd(name) > 0
}

// draftEnd returns the length of the ending that makes a name a draft's, or 0.
func draftEnd(name string) int {
	for _, end := range []string{"~", ".swp", ".swx"} {
		if strings.HasSuffix(name, end) {
			return len(end)
		}
	}
	return 0
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
