package mapping

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"jsfs/store"
)

func TestParseName(t *testing.T) {
	const width = 4
	hashed := EscapeSubject(strings.Repeat("a", MaxName+1))
	for _, c := range []struct {
		name string
		in   string
		want Name
		err  error
	}{
		{name: "the listed spelling of a sequence", in: "0042", want: Name{Kind: NameSeq, Seq: 42, Listed: true}},
		{name: "a sequence without zeros", in: "42", want: Name{Kind: NameSeq, Seq: 42}},
		{name: "a sequence with too many zeros", in: "00042", want: Name{Kind: NameSeq, Seq: 42}},
		{name: "a sequence longer than the width is listed bare", in: "12345", want: Name{Kind: NameSeq, Seq: 12345, Listed: true}},
		{name: "the largest sequence", in: "18446744073709551615", want: Name{Kind: NameSeq, Seq: 1<<64 - 1, Listed: true}},
		{name: "a sequence that overflows", in: "18446744073709551616", err: store.ErrInvalid},
		{name: "zero is no sequence", in: "0000", err: store.ErrInvalid},

		{name: "a subject", in: "orders.new", want: Name{Kind: NameSubject, Subject: "orders.new"}},
		{name: "a subject with an escape", in: "a%2Fb", want: Name{Kind: NameSubject, Subject: "a/b"}},
		{name: "an escape in lower case", in: "a%2fb", want: Name{Kind: NameSubject, Subject: "a/b"}},
		{name: "an escape that was not needed", in: "%61", want: Name{Kind: NameSubject, Subject: "a"}},
		{name: "a subject of digits", in: "%342", want: Name{Kind: NameSubject, Subject: "42"}},
		{name: "a subject of tokens of digits", in: "4.2", want: Name{Kind: NameSubject, Subject: "4.2"}},
		{name: "a subject that ends like a draft", in: "a%7E", want: Name{Kind: NameSubject, Subject: "a~"}},
		{name: "a name that ends in a hash", in: hashed, want: Name{Kind: NameSubject, Hashed: true}},
		{name: "a subject like an option", in: "-rf", want: Name{Kind: NameSubject, Subject: "-rf"}},
		{name: "a star inside of a token", in: "a*b", want: Name{Kind: NameSubject, Subject: "a*b"}},
		{name: "a wildcard", in: "orders.*", err: store.ErrSubject},
		{name: "an empty token", in: "a..b", err: store.ErrSubject},
		{name: "an escaped leading dot", in: "%2Elog", err: store.ErrSubject},
		{name: "white space", in: "a b", err: store.ErrSubject},
		{name: "a newline", in: "a\nb", err: store.ErrSubject},
		{name: "broken UTF-8", in: "a\xff", err: store.ErrSubject},
		{name: "an escape that is cut off", in: "a%2", err: store.ErrInvalid},
		{name: "an escape that is none", in: "a%zz", err: store.ErrInvalid},
		{name: "an escaped NUL", in: "a%00", err: store.ErrSubject},

		{name: "the log", in: ".log", want: Name{Kind: NameControl, Control: ControlLog}},
		{name: "the info", in: ".info", want: Name{Kind: NameControl, Control: ControlInfo}},
		{name: "the first message", in: ".first", want: Name{Kind: NameControl, Control: ControlFirst}},
		{name: "the last message", in: ".last", want: Name{Kind: NameControl, Control: ControlLast}},
		{name: "the control directory", in: ".jsfs", want: Name{Kind: NameControl, Control: ControlDir}},
		{name: "a control that is not listed", in: ".follow", want: Name{Kind: NameControl, Control: ControlFollow}},

		{name: "any other dot file is a draft", in: ".orders.new.Xy12ab", want: Name{Kind: NameDraft}},
		{name: "so is one whose name is no subject", in: ". \xff", want: Name{Kind: NameDraft}},
		{name: "an editor's backup", in: "orders.new~", want: Name{Kind: NameDraft}},
		{name: "an editor's swap file", in: "orders.new.swp", want: Name{Kind: NameDraft}},
		{name: "an editor's other swap file", in: "orders.new.swx", want: Name{Kind: NameDraft}},

		{name: "an empty name", in: "", err: store.ErrInvalid},
		{name: "the directory itself", in: ".", err: store.ErrInvalid},
		{name: "its parent", in: "..", err: store.ErrInvalid},
		{name: "a slash", in: "a/b", err: store.ErrInvalid},
		{name: "a NUL", in: "a\x00", err: store.ErrInvalid},
		{name: "the longest name", in: strings.Repeat("a", MaxName), want: Name{Kind: NameSubject, Subject: strings.Repeat("a", MaxName)}},
		{name: "a longer one", in: strings.Repeat("a", MaxName+1), err: store.ErrNameTooLong},
		{name: "digits that are too long", in: strings.Repeat("0", MaxName) + "1", err: store.ErrNameTooLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseName(c.in, width)
			if !errors.Is(err, c.err) || got != c.want {
				t.Errorf("ParseName(%q) is %+v, %v, want %+v, %v", c.in, got, err, c.want, c.err)
			}
		})
	}
}

func TestFormatSeq(t *testing.T) {
	for _, c := range []struct {
		seq   store.Seq
		width int
		want  string
	}{
		{1, 12, "000000000001"},
		{1, 0, "1"},
		{999, 3, "999"},
		{1000, 3, "1000"},
		{1<<64 - 1, 12, "18446744073709551615"},
	} {
		if got := FormatSeq(c.seq, c.width); got != c.want {
			t.Errorf("FormatSeq(%d, %d) is %q, want %q", c.seq, c.width, got, c.want)
		}
	}
}

func TestIsTemp(t *testing.T) {
	const flags = syscall.O_RDWR | syscall.O_CREAT | syscall.O_EXCL
	for _, c := range []struct {
		name        string
		in          string
		flags, mode uint32
		want        bool
	}{
		{"as mkstemp makes it", "sedAb12cD", flags, 0o600, true},
		{"with the file's type in the mode", "sedAb12cD", flags, syscall.S_IFREG | 0o600, true},
		{"with more flags", "sedAb12cD", flags | syscall.O_CLOEXEC | syscall.O_NOFOLLOW, 0o600, true},
		{"as Python makes it", "tmpq_3x9_ab", flags, 0o600, true},
		{"a dot before the random part", "orders.new.aB3dE6", flags, 0o600, true},
		{"a dot in it", "orders.ab.cd", flags, 0o600, false},
		{"too short", "aB3dE", flags, 0o600, false},
		{"only digits is a sequence", "123456", flags, 0o600, false},
		{"a control's name", ".follow", flags, 0o600, false},
		{"another mode", "sedAb12cD", flags, 0o644, false},
		{"not exclusive", "sedAb12cD", syscall.O_RDWR | syscall.O_CREAT, 0o600, false},
		{"write only", "sedAb12cD", syscall.O_WRONLY | syscall.O_CREAT | syscall.O_EXCL, 0o600, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := IsTemp(c.in, c.flags, c.mode); got != c.want {
				t.Errorf("IsTemp(%q, %#x, %#o) is %v, want %v", c.in, c.flags, c.mode, got, c.want)
			}
		})
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"0042", "42", ".log", "orders.new", "a%2Fb", "x~", "%~0123456789abcdef0123456789abcdef", "a\xff"} {
		f.Add(s, 12)
	}
	f.Fuzz(func(t *testing.T, s string, width int) {
		width = max(0, min(width, 20))
		n, err := ParseName(s, width)
		if err != nil {
			if n != (Name{}) {
				t.Fatalf("ParseName(%q) gives %+v with the error %v", s, n, err)
			}
			return
		}
		switch n.Kind {
		case NameSeq:
			if listed := FormatSeq(n.Seq, width); (listed == s) != n.Listed {
				t.Fatalf("ParseName(%q, %d).Listed is %v, the listed name is %q", s, width, n.Listed, listed)
			}
		case NameSubject:
			if n.Hashed {
				break
			}
			back, err := ParseName(EscapeSubject(n.Subject), width)
			if err != nil || !back.Hashed && back != n {
				t.Fatalf("%q is subject %q, whose name is read as %+v, %v", s, n.Subject, back, err)
			}
		case NameControl:
			if got := n.Control.Short(); got != s && s != DirName {
				t.Fatalf("%q is the control %q", s, got)
			}
		case NameDraft:
		default:
			t.Fatalf("ParseName(%q) has kind %d", s, n.Kind)
		}
	})
}
