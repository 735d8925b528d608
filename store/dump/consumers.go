package dump

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"jsfs/store/internal/consume"
	"jsfs/store/internal/record"
)

// consumers shows the consumers that are among the files of a stream.
func (d *dumper) consumers(dir string, files []string) {
	for _, file := range files {
		digits, ok := strings.CutPrefix(file, "consumer-")
		id, err := strconv.ParseUint(digits, 16, 64)
		if !ok || err != nil {
			continue
		}
		content, verdict := d.read(dir+"/"+file, record.MagicConsumer)
		if inc, err := strconv.ParseUint(filepath.Base(dir), 16, 64); err == nil && d.key != nil && len(content) > 0 {
			if content, err = record.ConsumerBox(d.key, d.id, inc, id).Open(nil, content, nil); err != nil {
				verdict = "WRONG: it can't be decrypted, " + verdict
			}
		}
		d.printf("%s: %s\n", file, consumerText(content, verdict))
	}
}

// consumerText says what a consumer's file has.
func consumerText(content []byte, verdict string) string {
	if len(content) == 0 {
		return verdict
	}
	r, err := consume.Decode(content)
	if err != nil {
		return fmt.Sprintf("it is encrypted, or WRONG (%v), %s", err, verdict)
	}
	return fmt.Sprintf("%q, made %s, delivered %d through message %d, acknowledged %d through message %d, %d open, %d given up, %s",
		r.Config.Name, clock(r.Created), r.Delivered.Consumer, r.Delivered.Stream, r.AckFloor.Consumer, r.AckFloor.Stream,
		len(r.Pending), len(r.Spent), verdict)
}
