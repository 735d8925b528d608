package blockstore

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cespare/xxhash/v2"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/keys"
)

// TestAFutureFormIsRefusedAndNotDamage gives single files of golden stores a version that there is not yet, under right
// checksums: what has it is refused with ErrVersion and not changed, and the rest is served.
func TestAFutureFormIsRefusedAndNotDamage(t *testing.T) {
	envelope := func(magic string, content []byte) []byte { return record.Envelope(magic, content) }
	for name, c := range map[string]struct {
		kind, file string
		change     func(t *testing.T, b []byte) []byte
		streamOnly bool // the store opens, without that stream
	}{
		"a block": {"v1", streamDir(1) + "/00000002.blk", func(_ *testing.T, b []byte) []byte {
			for _, at := range []int{0, record.HeaderCopy, len(b) - record.TrailerSize} {
				binary.LittleEndian.PutUint32(b[at+8:], record.Version+1)
				binary.LittleEndian.PutUint64(b[at+120:], xxhash.Sum64(b[at:at+120]))
			}
			return b
		}, true},
		"a feature of a block": {"v1-aes", streamDir(1) + "/00000001.blk", func(_ *testing.T, b []byte) []byte {
			for _, at := range []int{0, record.HeaderCopy, len(b) - record.TrailerSize} {
				b[at+12] |= 0x40
				binary.LittleEndian.PutUint64(b[at+120:], xxhash.Sum64(b[at:at+120]))
			}
			return b
		}, true},
		"a way to derive a key": {"v1-aes", keyName, func(t *testing.T, b []byte) []byte {
			content, _, err := record.OpenEnvelope(keys.Magic, b)
			if err != nil {
				t.Fatal(err)
			}
			content[0] = 9
			return envelope(keys.Magic, content)
		}, false},
		"a cipher": {"v1-aes", keyName, func(t *testing.T, b []byte) []byte {
			content, _, err := record.OpenEnvelope(keys.Magic, b)
			if err != nil {
				t.Fatal(err)
			}
			content[1] = 9
			return envelope(keys.Magic, content)
		}, false},
		"a field of a configuration": {"v1", streamDir(1) + "/config", func(*testing.T, []byte) []byte {
			return envelope(record.MagicConfig, []byte(`{"name":"ORDERS","subjects":["orders.>"],"keep_for_good":true}`))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS("testdata/"+c.kind)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, c.file)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, c.change(t, b), 0o600); err != nil {
				t.Fatal(err)
			}
			before := contentOf(t, dir)
			var kind goldenKind
			for _, k := range goldenKinds {
				if k.name == c.kind {
					kind = k
				}
			}
			for _, readOnly := range []bool{true, false} {
				opt := kind.options(t)
				opt.ReadOnly = readOnly
				st, err := OpenDir(dir, opt)
				if !c.streamOnly {
					if !errors.Is(err, store.ErrVersion) {
						t.Errorf("read-only %v: got %v, want ErrVersion", readOnly, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if _, err := st.Stream(t.Context(), "ORDERS"); !errors.Is(err, store.ErrVersion) {
					t.Errorf("read-only %v: stream ORDERS: got %v, want ErrVersion", readOnly, err)
				}
				if _, err := st.Stream(t.Context(), "EMPTY"); err != nil {
					t.Errorf("read-only %v: stream EMPTY: %v", readOnly, err)
				}
				if err := st.Close(); err != nil {
					t.Fatal(err)
				}
			}
			after := contentOf(t, dir)
			for name, content := range before {
				if filepath.Dir(name) == filepath.Dir(path) && after[name] != content {
					t.Errorf("%s was changed", name)
				}
			}
		})
	}
}
