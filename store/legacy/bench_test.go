package legacy

import (
	"bytes"
	"strings"
	"testing"
)

// BenchmarkRead reads lines with payloads of 128 bytes.
func BenchmarkRead(b *testing.B) {
	var file []byte
	for i := range 1000 {
		file = append(file, line(i+1, strings.Repeat("x", 128))+"\n"...)
	}
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		for l, err := range Read(bytes.NewReader(file), "STREAM", nil) {
			if err != nil || l.Err != nil {
				b.Fatal(err, l.Err)
			}
		}
	}
}
