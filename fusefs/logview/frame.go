package logview

import (
	"jsfs/mapping"
	"jsfs/store"
)

// frame appends a message to dst in the form that the log shows it. A large message
// whose memory is the caller's alone takes the place of an empty dst, which saves a copy.
func frame(dst []byte, m store.Msg) []byte {
	if len(dst) == 0 && len(m.Data) > maxKept {
		if m.Data[len(m.Data)-1] == '\n' {
			return m.Data
		}
		return append(m.Data, '\n')
	}
	return mapping.AppendFramed(dst, m.Data)
}

// sizeOf is the length of what frame appends.
func sizeOf(m store.Meta) int64 { return m.LogSize() }

// fillNewlines is what stands where messages were removed.
func fillNewlines(dst []byte) {
	for i := range dst {
		dst[i] = '\n'
	}
}
