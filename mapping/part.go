package mapping

import (
	"jsfs/store"
	"jsfs/store/jsonl"
)

// MessagePart returns what a file in a message's directory shows of it; nil for a Control that
// is no such file. The result may alias m.
func MessagePart(c Control, m store.Msg) []byte {
	switch c {
	case ControlHeaders:
		return headerLines(m.Header)
	case ControlSubject:
		return []byte(m.Subject + "\n")
	case ControlTime:
		return []byte(FormatTime(m.Time) + "\n")
	case ControlRaw:
		return AppendRaw(nil, m.Subject, m.Header, m.Data)
	case ControlJSON:
		return jsonl.Append(nil, m)
	}
	return nil
}

// headerLines is a header block for people, a field a line. A malformed one is shown as it is.
func headerLines(block []byte) []byte {
	fields, err := ParseHeader(block)
	if err != nil {
		return block
	}
	var out []byte
	for _, f := range fields {
		out = append(out, f.Name+": "+f.Value+"\n"...)
	}
	return out
}
