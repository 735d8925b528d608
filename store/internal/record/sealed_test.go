package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
	"jsfs/store/internal/seal"
)

// sealedHeader is exampleHeader for a sealed block, unlocked.
func sealedHeader(c seal.Cipher) *Header {
	h := exampleHeader()
	h.Sealed = true
	h.Unlock(seal.KeyOf(c, []byte("a data key has 32 bytes, as this")))
	return h
}

var ciphers = []seal.Cipher{seal.AES, seal.ChaCha20}

func TestSealedMessagesAreReadAsWritten(t *testing.T) {
	const off = 5_000_000
	for _, cipher := range ciphers {
		h := sealedHeader(cipher)
		c := h.Coder()
		for name, m := range map[string]Message{
			"the smallest":        {Seq: 1, Time: h.Time, Durable: DataStart, Subject: "x", JSON: 80},
			"a newline":           {Seq: 2, Time: h.Time + 5, Durable: DataStart, Subject: "x", Data: []byte("a\n"), JSON: 80},
			"header and payload":  {Seq: 3, Time: h.Time, Durable: DataStart, Subject: "x.y", Header: []byte("NATS/1.0\r\n\r\n"), Data: []byte("d"), JSON: 99},
			"compressed":          {Seq: 4, Time: h.Time, Durable: DataStart, Subject: "x", Data: make([]byte, 3000), JSON: 4000, Compress: true},
			"the largest numbers": {Seq: 1 << 63, Time: 1 << 62, Durable: 0, Subject: string(bytes.Repeat([]byte("s"), store.MaxSubject)), Header: make([]byte, store.MaxHeader), Data: make([]byte, 1<<20), JSON: 1<<20 + 400_000},
		} {
			rec := c.AppendMessage([]byte("before"), off, &m)[6:]
			head, err := c.Head(rec[:min(MaxHead, len(rec))], off)
			if err != nil {
				t.Fatalf("%v, %s: head: %v", cipher, name, err)
			}
			if bytes.Contains(rec, []byte("NATS")) || head.Size != int64(len(rec)) || len(rec) > Overhead+len(m.Subject)+len(m.Header)+len(m.Data) {
				t.Errorf("%v, %s: %d bytes, head says %d", cipher, name, len(rec), head.Size)
			}
			plain, err := c.Plain(nil, &head, rec, off)
			if err != nil || string(plain[head.Len:][:head.Subject]) != m.Subject {
				t.Errorf("%v, %s: opened with %v", cipher, name, err)
			}
			subject, header, data, err := c.Open(&head, rec, off)
			if err != nil || string(subject) != m.Subject || !bytes.Equal(header, m.Header) || !bytes.Equal(data, m.Data) {
				t.Errorf("%v, %s: opened with %v, or other bytes", cipher, name, err)
			}
			if head.Seq != m.Seq || head.Time != m.Time || head.Durable != m.Durable || head.JSON != m.JSON {
				t.Errorf("%v, %s: got %+v", cipher, name, head)
			}
		}
	}
}

func TestSealedControlsAreReadAsWritten(t *testing.T) {
	for _, cipher := range ciphers {
		c := sealedHeader(cipher).Coder()
		for _, want := range []Control{*exampleRemoval(), {Kind: FlagSkip, Seq: 4, Time: c.time, Skip: 1 << 40, Why: SkipReserved}} {
			b := c.AppendControl(nil, DataStart, DataStart, &want)
			twins := 0
			for off := int64(DataStart); len(b) > 0; twins++ {
				h, err := c.Head(b, off)
				if err != nil {
					t.Fatal(err)
				}
				rec, err := c.Plain(nil, &h, b[:h.Size], off)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := h.ControlOf(rec); err != nil || !got.Same(&want) {
					t.Errorf("%v: got %+v, %v, want %+v", cipher, got, err, want)
				}
				b, off = b[h.Size:], off+h.Size
			}
			if twins != 2 {
				t.Errorf("got %d records, want 2", twins)
			}
		}
	}
}

// accepts says whether c takes rec for a whole record at off, and opens it.
func accepts(c *Coder, rec []byte, off int64) bool {
	h, err := c.Head(append(bytes.Clone(rec), make([]byte, MaxHead)...), off)
	if err != nil || h.Size != int64(len(rec)) {
		return false
	}
	subject, _, _, err := c.Open(&h, bytes.Clone(rec), off)
	return err == nil && len(subject) == h.Subject
}

// forge makes the checksums of a sealed record right, as anybody can who has the block: they need no key.
func forge(c *Coder, rec []byte, headLen int, off int64) []byte {
	rec = bytes.Clone(rec)
	binary.LittleEndian.PutUint32(rec[headLen-checkSize:], c.headCheck(rec[:headLen-checkSize], off))
	n := len(rec) - sumSize
	binary.LittleEndian.PutUint64(rec[n:], c.sum(rec[:n], off))
	return rec
}

// Every byte of a record is tampered with, with the checksums left as they are and made right.
func TestNoTamperedRecordIsAccepted(t *testing.T) {
	for _, cipher := range ciphers {
		c := sealedHeader(cipher).Coder()
		for name, rec := range map[string][]byte{
			"message":    c.AppendMessage(nil, DataStart, exampleMessage()),
			"compressed": c.AppendMessage(nil, DataStart, exampleCompressed()),
			"control":    c.AppendControl(nil, DataStart, DataStart, exampleRemoval()),
		} {
			h, err := c.Head(rec, DataStart)
			if err != nil {
				t.Fatal(err)
			}
			rec = rec[:h.Size]
			if !accepts(&c, rec, DataStart) || !accepts(&c, forge(&c, rec, h.Len, DataStart), DataStart) {
				t.Fatalf("%v %s: what was written is not accepted", cipher, name)
			}
			for i := range rec {
				for flip := 1; flip < 256; flip++ {
					bad := bytes.Clone(rec)
					bad[i] ^= byte(flip)
					if accepts(&c, bad, DataStart) {
						t.Fatalf("%v %s: byte %d changed by %#x: accepted", cipher, name, i, flip)
					}
					inCheck := i >= h.Len-checkSize && i < h.Len || i >= len(rec)-sumSize
					if !inCheck && accepts(&c, forge(&c, bad, h.Len, DataStart), DataStart) {
						t.Fatalf("%v %s: byte %d changed by %#x, checksums made right: accepted", cipher, name, i, flip)
					}
				}
			}
		}
	}
}

func TestASealedRecordIsAcceptedInItsPlaceOnly(t *testing.T) {
	for _, cipher := range ciphers {
		home := sealedHeader(cipher)
		c := home.Coder()
		rec := c.AppendMessage(nil, DataStart, exampleMessage())
		h, err := c.Head(rec, DataStart)
		if err != nil {
			t.Fatal(err)
		}
		if accepts(&c, forge(&c, rec, h.Len, DataStart+100), DataStart+100) {
			t.Errorf("%v: accepted at another offset", cipher)
		}
		key := seal.KeyOf(cipher, []byte("a data key has 32 bytes, as this"))
		for name, change := range map[string]func(h *Header){
			"another store":        func(h *Header) { h.Store[0]++ },
			"another stream":       func(h *Header) { h.Incarnation++ },
			"another block":        func(h *Header) { h.Block++ },
			"another salt":         func(h *Header) { h.Salt[31]++ },
			"another sequence":     func(h *Header) { h.First++ },
			"another time":         func(h *Header) { h.Time++ },
			"another block before": func(h *Header) { h.Chain[0]++ },
			"another mark":         func(h *Header) { h.Mark++ },
		} {
			other := *home
			change(&other)
			other.Unlock(key)
			oc := other.Coder()
			if accepts(&oc, forge(&oc, rec, h.Len, DataStart), DataStart) {
				t.Errorf("%v: accepted in %s", cipher, name)
			}
		}
		plain := exampleHeader().Coder()
		unsealed := plain.AppendMessage(nil, DataStart, exampleMessage())
		if accepts(&c, unsealed, DataStart) || accepts(&plain, rec, DataStart) {
			t.Errorf("%v: a plain record was accepted in a sealed block, or the other way round", cipher)
		}
	}
}

func TestWithoutTheKeyAHeadTellsWhereAndWhich(t *testing.T) {
	h := sealedHeader(seal.AES)
	c := h.Coder()
	rec := c.AppendMessage(nil, DataStart, exampleMessage())
	locked := *h
	locked.keys = nil
	lc := locked.Coder()
	got, err := lc.Head(rec, DataStart)
	if err != nil || !got.Locked || got.Seq != 1 || got.Size != int64(len(rec)) || got.Time != 0 || got.Subject != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := lc.Check(rec, DataStart); err != nil {
		t.Errorf("checksum: %v", err)
	}
	if _, _, _, err := lc.Open(&got, rec, DataStart); !errors.Is(err, store.ErrKey) {
		t.Errorf("open: got %v, want ErrKey", err)
	}
}

func TestSealedFootersAreReadAsWrittenAndNotForged(t *testing.T) {
	for _, cipher := range ciphers {
		h, want := sealedHeader(cipher), exampleFooter()
		b := want.Append(nil, h)
		size := want.DataEnd + int64(len(b))
		if bytes.Contains(b, []byte("orders")) {
			t.Errorf("%v: a subject is in the clear", cipher)
		}
		tr, _, err := ParseTrailer(b[len(b)-TrailerSize:], size, h)
		if err != nil {
			t.Fatal(err)
		}
		section := func(b []byte, s Section) []byte {
			off, n := tr.Place(s)
			return b[off-want.DataEnd:][:n]
		}
		offs, err := tr.Offsets(h, section(b, Offsets))
		if err != nil || !cmp.Equal(offs, want.Offsets) {
			t.Errorf("%v: got %v, %v", cipher, offs, err)
		}
		if tr.Chain == [16]byte{} || tr.Chain != want.Chain {
			t.Errorf("%v: chain %x", cipher, tr.Chain)
		}
		for i := len(b) - TrailerSize; i < len(b)-8; i++ {
			bad := bytes.Clone(b[len(b)-TrailerSize:])
			bad[i-len(b)+TrailerSize] ^= 1
			binary.LittleEndian.PutUint64(bad[TrailerSize-8:], sum64(0, append(h.Append(nil), bad[HeaderSize:TrailerSize-8]...)))
			if i >= len(b)-TrailerSize+HeaderSize {
				if _, _, err := ParseTrailer(bad, size, h); err == nil {
					t.Fatalf("%v: byte %d of the trailer changed, its sum made right: accepted", cipher, i-len(b)+TrailerSize)
				}
			}
		}
		c := h.Coder()
		for s := range sections {
			for i := range section(b, s) {
				bad := bytes.Clone(section(b, s))
				bad[i] ^= 1
				forged := tr
				forged.parts[s].sum = c.sum(bad, forged.parts[s].off)
				if _, err := forged.section(s, h, bad); !errors.Is(err, ErrBad) {
					t.Fatalf("%v: byte %d of section %d changed: got %v", cipher, i, s, err)
				}
			}
		}
	}
}

func BenchmarkSealed(b *testing.B) {
	for _, cipher := range append([]seal.Cipher{0}, ciphers...) {
		h := exampleHeader()
		if cipher != 0 {
			h = sealedHeader(cipher)
		}
		c, m := h.Coder(), exampleMessage()
		m.Data, m.JSON = make([]byte, 128), 228
		rec := c.AppendMessage(nil, DataStart, m)
		b.Run(fmt.Sprintf("cipher=%v/append", cipher), func(b *testing.B) {
			buf := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				c.AppendMessage(buf, DataStart, m)
			}
		})
		b.Run(fmt.Sprintf("cipher=%v/open", cipher), func(b *testing.B) {
			buf := make([]byte, len(rec))
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, rec)
				head, err := c.Head(buf, DataStart)
				if err == nil {
					_, _, _, err = c.Open(&head, buf, DataStart)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
