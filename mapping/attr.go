package mapping

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"strings"

	"jsfs/store"
)

// The extended attributes of messages and of streams' directories. The value of
// headers is the raw header block; there is none for a message without.
const (
	XattrPrefix  = "user.jsfs."
	XattrSeq     = XattrPrefix + "seq"
	XattrSubject = XattrPrefix + "subject"
	XattrTime    = XattrPrefix + "time"
	XattrHeaders = XattrPrefix + "headers"
	XattrHeader  = XattrPrefix + "header." // and the name of a field
	XattrConfig  = XattrPrefix + "config"  // of a stream's directory
)

// What the kernel takes: bytes of one attribute's name, and of a list of names with
// a NUL after each.
const (
	maxXattrName = 255
	maxXattrList = 65536
)

// XattrNames returns the names of a message's attributes, each once. Fields of the
// header whose names can't be an attribute's, or don't fit in a list, are left
// out: XattrHeaders has all of them.
func XattrNames(m store.Msg) []string {
	names := []string{XattrSeq, XattrSubject, XattrTime}
	if len(m.Header) == 0 {
		return names
	}
	names = append(names, XattrHeaders)
	total := 0
	for _, n := range names {
		total += len(n) + 1
	}
	fields, _ := ParseHeader(m.Header)
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		name := XattrHeader + f.Name
		if seen[name] || !headerName(f.Name) || len(name) > maxXattrName || total+len(name)+1 > maxXattrList {
			continue
		}
		seen[name] = true
		names = append(names, name)
		total += len(name) + 1
	}
	return names
}

// Xattr returns the value of one attribute of a message, and whether it has it. The
// values of a repeated field are joined by a comma and a space.
func Xattr(m store.Msg, name string) ([]byte, bool) {
	switch name {
	case XattrSeq:
		return strconv.AppendUint(nil, uint64(m.Seq), 10), true
	case XattrSubject:
		return []byte(m.Subject), true
	case XattrTime:
		return []byte(FormatTime(m.Time)), true
	case XattrHeaders:
		return m.Header, len(m.Header) > 0
	}
	field, ok := strings.CutPrefix(name, XattrHeader)
	if !ok {
		return nil, false
	}
	var values []string
	fields, _ := ParseHeader(m.Header)
	for _, f := range fields {
		if f.Name == field {
			values = append(values, f.Value)
		}
	}
	return []byte(strings.Join(values, ", ")), len(values) > 0
}

// HeaderFromXattrs makes the header block of a message of the attributes that its file was given: XattrHeaders, or
// without that a field for each of XattrHeader, sorted by name. Attributes that tell of another message's
// place (its sequence, subject, time) are passed over. The error wraps store.ErrInvalid.
func HeaderFromXattrs(attrs map[string][]byte) ([]byte, error) {
	if block, ok := attrs[XattrHeaders]; ok {
		_, err := ParseHeader(block)
		return block, err
	}
	var block []byte
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		field, ok := strings.CutPrefix(name, XattrHeader)
		if !ok {
			continue
		}
		var err error
		if block, err = AppendHeader(block, field, string(attrs[name])); err != nil {
			return nil, err
		}
	}
	return block, nil
}

// CanBeSet says whether a new message's file can have the attribute.
func CanBeSet(xattr string) bool {
	switch xattr {
	case XattrSeq, XattrSubject, XattrTime, XattrHeaders:
		return true
	}
	field, ok := strings.CutPrefix(xattr, XattrHeader)
	return ok && headerName(field)
}

// StreamXattrNames returns the names of the attributes of a stream's directory.
func StreamXattrNames() []string { return []string{XattrConfig} }

// StreamXattr returns the value of one attribute of a stream's directory, and
// whether it has it.
func StreamXattr(cfg store.Config, name string) ([]byte, bool) {
	if name != XattrConfig {
		return nil, false
	}
	return bytes.TrimSuffix(encode(cfg, ""), []byte("\n")), true
}
