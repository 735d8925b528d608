package blockstore_test

import (
	"strings"
	"testing"

	"jsfs/store/blockstore"
)

// FuzzRecovery overwrites a part of a file, and cuts or lengthens the file, any file of a store: it is opened or refused
// without a panic, no wrong byte is served, and reading changes nothing (P19).
func FuzzRecovery(f *testing.F) {
	sp := newSpecimen(f, 40)
	names := append(append([]string(nil), sp.blocks...), sp.others...)
	f.Add(uint8(0), uint32(4352), []byte("\x00\x00\x00\x00"), int16(0))
	f.Add(uint8(1), uint32(0), []byte("JSFSBLK\x00\x02\x00\x00\x00"), int16(-100))
	f.Add(uint8(len(sp.blocks)-1), uint32(5000), []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), int16(50)) //nolint:gosec // small
	f.Add(uint8(len(names)-1), uint32(16), make([]byte, 64), int16(0))                                          //nolint:gosec // small
	f.Fuzz(func(t *testing.T, file uint8, off uint32, patch []byte, grow int16) {
		name := names[int(file)%len(names)]
		if strings.HasSuffix(name, "reserve") || len(patch) > 1<<16 {
			return // zeros, whatever they are
		}
		mem := sp.fs.Kill()
		content := []byte(readAll(t, mem, name))
		at := int(off) % (len(content) + 1)
		content = append(content[:at:at], append(patch, content[min(len(content), at+len(patch)):]...)...)
		if grow < 0 {
			content = content[:max(0, len(content)+int(grow))]
		} else {
			content = append(content, make([]byte, grow)...)
		}
		put(t, mem, name, string(content))
		err := unchanged(mem, func() error {
			opt := trialOptions(blockstore.SyncNever)
			opt.ReadOnly = true
			s, err := openTrial(mem, opt)
			if err != nil {
				return nil // refused, which is fair
			}
			defer s.Close()
			if !strings.HasSuffix(name, ".blk") {
				return nil // streams may have other names now
			}
			_, err = sp.inspect(s)
			return err
		})
		if err != nil && !strings.Contains(err.Error(), "version") && !strings.Contains(err.Error(), "newer") {
			t.Errorf("%s, %d bytes at %d, %d bytes longer: %v", name, len(patch), at, grow, err)
		}
	})
}
