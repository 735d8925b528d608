package logview

import (
	"jsfs/mapping"
	"jsfs/store"
)

// frame appends a message to dst in the form that the log shows it.
func frame(dst []byte, m store.Msg) []byte { return mapping.AppendFramed(dst, m.Data) }

// sizeOf is the length of what frame appends.
func sizeOf(m store.Meta) int64 { return m.LogSize() }

// fillNewlines is what stands where messages were removed.
func fillNewlines(dst []byte) {
	for i := range dst {
		dst[i] = '\n'
	}
}
