package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/keys"
)

type jsfsPeer struct {
	st      store.Store
	s       store.Stream
	buf     []byte
	entries []store.Entry
}

func openJsfs(tb testing.TB, dir string, k kept) peer {
	tb.Helper()
	opt := blockstore.Options{Sync: blockstore.SyncInterval}
	if k.always {
		opt.Sync = blockstore.SyncAlways
	}
	if k.s2 {
		opt.Compression = store.CompressionS2
	}
	if k.cipher != "" {
		key, err := keys.OfKey([]byte(secret))
		if err != nil {
			tb.Fatal(err)
		}
		opt.Secret, opt.Cipher = key, map[string]keys.Cipher{"aes": keys.AES, "chacha20": keys.ChaCha20}[k.cipher]
	}
	st, err := blockstore.OpenDir(dir, opt)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := st.Stream(bg, "S")
	if err != nil {
		s, err = st.Create(bg, store.Config{Name: "S"})
	}
	if err != nil {
		tb.Fatal(err)
	}
	return &jsfsPeer{st: st, s: s, buf: make([]byte, 4096)}
}

var bg = context.Background()

func (p *jsfsPeer) append(subject string, data []byte) error {
	_, err := p.s.Append(bg, store.Entry{Subject: subject, Data: data})
	return err
}

func (p *jsfsPeer) appendAll(subjects []string, data []byte) error {
	p.entries = p.entries[:0]
	for _, s := range subjects {
		p.entries = append(p.entries, store.Entry{Subject: s, Data: data})
	}
	_, err := p.s.AppendAll(bg, p.entries)
	return err
}

func (p *jsfsPeer) load(seq uint64) error {
	_, err := p.s.Load(bg, store.Seq(seq), p.buf)
	return err
}

func (p *jsfsPeer) scan(n int) error {
	for _, err := range p.s.Scan(bg, store.Query{}) {
		if err != nil {
			return err
		}
		if n--; n == 0 {
			return nil
		}
	}
	return errors.New("the scan ended early")
}

func (p *jsfsPeer) remove(seq uint64) error {
	_, err := p.s.Remove(bg, store.Seq(seq))
	return err
}

func (p *jsfsPeer) purge(subject string) (uint64, error) {
	n, err := p.s.Purge(bg, store.Purge{Subject: subject})
	return uint64(n), err
}

func (p *jsfsPeer) next(subject string, from uint64) (uint64, error) {
	m, err := p.s.Next(bg, store.Query{From: store.Seq(from), Subject: subject}, p.buf)
	return uint64(m.Seq), err
}

func (p *jsfsPeer) last(subject string) (uint64, error) {
	m, err := p.s.LoadLast(bg, subject, p.buf)
	return uint64(m.Seq), err
}

func (p *jsfsPeer) seek(t time.Time) (uint64, error) {
	seq, err := p.s.SeekTime(bg, t.UnixNano())
	return uint64(seq), err
}

func (p *jsfsPeer) count(pattern string) (uint64, error) {
	c, err := p.s.Count(bg, store.Query{Subject: pattern})
	return c.Messages, err
}

func (p *jsfsPeer) subjects() (n uint64, err error) {
	for c, err := range p.s.Subjects(bg, "", "") {
		if err != nil {
			return 0, err
		}
		n += c.Messages
	}
	return n, nil
}

func (p *jsfsPeer) pending(subject string, from uint64) (uint64, error) {
	n, _, err := p.s.Pending(bg, store.Query{From: store.Seq(from), Subject: subject}, false)
	return n, err
}

func (p *jsfsPeer) close() error { return p.st.Close() }

func (p *jsfsPeer) erase(seq uint64) error {
	_, err := p.s.Erase(bg, store.Seq(seq))
	return err
}
