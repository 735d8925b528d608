package legacy

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jsfs/store"
)

var update = flag.Bool("update", false, "write the golden directories of the first generation anew")

// goldenKey opens the encrypted payloads of the golden directories; it stands in the file key beside them.
var goldenKey = Key("golden key of the 1st generation")

const goldenDir = "testdata/golden"

// goldenPayload is what message seq of a golden stream holds.
func goldenPayload(seq int) string {
	return strings.Repeat(fmt.Sprintf("payload %d, ", seq), 1+5*(seq%3))
}

// goldenLine is a line as the older program wrote it: a plus sign is an escape, and headers may be null.
func goldenLine(seq int, payload []byte) string {
	at := time.Date(2023, 4, 5, 6, 7, seq, 1234567*100, time.UTC).Format("2006-01-02T15:04:05.0000000Z")
	headers := "null"
	if seq%2 == 0 {
		headers = `"` + b64("NATS/1.0\r\nNumber: "+fmt.Sprint(seq)+"\r\n\r\n") + `"`
	}
	return fmt.Sprintf(`{"Sequence":%d,"Subject":"golden.%d","HeadersBase64":%s,"PayloadBase64":"%s","TimestampUtc":"%s"}`+"\n",
		seq, seq%2, headers, strings.ReplaceAll(b64(payload), "+", `\u002B`), at)
}

// goldenSeals are the ten forms of an envelope, by the stream that has it.
func goldenSeals() map[string]func([]byte) []byte {
	fsv2 := func(c Cipher, compress bool) func([]byte) []byte {
		nonces := rand.NewChaCha8([32]byte{byte(c)}) // so that nothing changes without a reason
		return Sealer{Compress: compress, Cipher: c, Key: goldenKey, Rand: nonces}.must
	}
	fsv1 := func(compress bool, key Key) func([]byte) []byte {
		return func(p []byte) []byte { return sealFSV1(p, compress, key) }
	}
	return map[string]func([]byte) []byte{
		"FSV1": fsv1(false, nil), "FSV1-DEFLATE": fsv1(true, nil), "FSV1-XOR": fsv1(false, goldenKey), "FSV1-DEFLATE-XOR": fsv1(true, goldenKey),
		"FSV2": fsv2(0, false), "FSV2-S2": fsv2(0, true),
		"FSV2-CHACHA20": fsv2(ChaCha20Poly1305, false), "FSV2-S2-CHACHA20": fsv2(ChaCha20Poly1305, true),
		"FSV2-AES": fsv2(AES256GCM, false), "FSV2-S2-AES": fsv2(AES256GCM, true),
	}
}

// goldenFiles returns the golden directories: name of a file, its content. What each gives when a store is opened
// on it, store/blockstore says.
func goldenFiles() map[string]string {
	file := func(seqs ...int) string {
		var b strings.Builder
		for _, seq := range seqs {
			b.WriteString(goldenLine(seq, []byte(goldenPayload(seq))))
		}
		return b.String()
	}
	out := map[string]string{
		"key":                              hex.EncodeToString(goldenKey) + "\n",
		"plain/ORDERS/messages.jsonl":      file(2, 3, 5, 8),
		"plain/EVENTS/messages.jsonl":      "\xef\xbb\xbf" + `{"sequence":1,"payloadbase64":"aGk=","timestamputc":"2023-04-05T08:07:01.5+02:00"}` + "\r\n",
		"plain/EVENTS/index.manifest.json": `{"LastSequence":1}` + "\n",
		"plain/EMPTY/messages.jsonl":       "",
		"plain/MAGIC/messages.jsonl":       goldenLine(1, []byte("FSV1 is a magic")) + goldenLine(2, []byte("FSV2"+strings.Repeat("\x00", 20))),
		"torn/TORN/messages.jsonl":         file(1, 2) + file(3)[:77],
	}
	for name, seal := range goldenSeals() {
		var b strings.Builder
		for seq := 1; seq <= 4; seq++ {
			b.WriteString(goldenLine(seq, seal([]byte(goldenPayload(seq)))))
		}
		out["sealed/"+name+"/messages.jsonl"] = b.String()
	}
	broken := func(b []byte) []byte {
		b[len(b)-3] ^= 0x10
		return b
	}
	s := Sealer{Compress: true, Rand: rand.NewChaCha8([32]byte{1}), Key: goldenKey, Cipher: AES256GCM}
	out["damaged/DAMAGED/messages.jsonl"] = file(1) +
		"{\"Sequence\":2,\"Subject\":\"golden.0\"\n" + // line 2: no JSON
		goldenLine(3, broken(sealFSV1([]byte(goldenPayload(3)), true, nil))) + // line 3: a damaged FSV1 envelope
		goldenLine(4, broken(s.must([]byte(goldenPayload(4))))) + // line 4: a damaged FSV2 envelope
		file(6) +
		file(5) + // line 6: a sequence that does not rise
		strings.Replace(file(7), "golden.1", "golden.*", 1) + // line 7: a subject with a wildcard
		file(8)
	return out
}

func TestGoldenDirectoriesAreWhatTheirGeneratorMakes(t *testing.T) {
	for name, want := range goldenFiles() {
		path := filepath.Join(goldenDir, name)
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if strings.Contains(name, "DEFLATE") || strings.Contains(name, "S2") || strings.HasPrefix(name, "damaged") {
			continue // another version of a compressor may find another way
		}
		if string(got) != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestGoldenStreamsOfAllEnvelopes(t *testing.T) {
	for name := range goldenSeals() {
		t.Run(name, func(t *testing.T) {
			file, err := os.ReadFile(filepath.Join(goldenDir, "sealed", name, "messages.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			encrypted := strings.HasSuffix(name, "XOR") || strings.HasSuffix(name, "CHACHA20") || strings.HasSuffix(name, "AES")
			seq := 0
			for l, err := range Read(bytes.NewReader(file), name, []Key{goldenKey}) {
				seq++
				if err != nil || l.Err != nil {
					t.Fatalf("line %d: %v, %v", l.Number, err, l.Err)
				}
				if l.Msg.Seq != store.Seq(seq) || string(l.Msg.Data) != goldenPayload(seq) || l.Form.String() != name[:4] || l.Encrypted != encrypted {
					t.Errorf("got %+v", l)
				}
			}
			if seq != 4 {
				t.Errorf("got %d messages, want 4", seq)
			}
		})
	}
}
