package firstgen

import (
	"fmt"
	"io"

	"jsfs/store/legacy"
)

// CopyBad writes the bad lines of src, byte for byte.
func (src *Source) CopyBad(out io.Writer) error {
	return src.eachBad(func(l legacy.Line) error {
		_, err := io.Copy(out, io.NewSectionReader(src.file, l.Offset, l.Length))
		return err
	})
}

// ExplainBad writes what is wrong with each bad line of src.
func (src *Source) ExplainBad(out io.Writer) error {
	return src.eachBad(func(l legacy.Line) error {
		_, err := fmt.Fprintf(out, "%s:%d: %d bytes at offset %d: %s\n", src.Name, l.Number, l.Length, l.Offset, CauseOf(l))
		return err
	})
}

// CauseOf says what is wrong with a bad line.
func CauseOf(l legacy.Line) string {
	if l.Torn {
		return "cut off by a crash: " + l.Err.Error()
	}
	return l.Err.Error()
}

func (src *Source) eachBad(do func(legacy.Line) error) error {
	for l, err := range src.Lines("searched for bad lines") {
		if err == nil && l.Err != nil {
			err = do(l)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
