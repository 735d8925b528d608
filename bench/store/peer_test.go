package store

import (
	"testing"
	"time"
	"unsafe" // for go:linkname, and a field without a name outside

	"github.com/nats-io/nats-server/v2/server"
)

// natsStore stands for nats-server's file store, which has no exported constructor; its
// methods are reached by their link names.
type natsStore struct{ _ byte }

type natsKey func(context []byte) ([]byte, error)

//go:linkname newNats github.com/nats-io/nats-server/v2/server.newFileStoreWithCreated
func newNats(fcfg server.FileStoreConfig, cfg server.StreamConfig, created time.Time, key, old natsKey) (*natsStore, error)

//go:linkname natsStoreMsg github.com/nats-io/nats-server/v2/server.(*fileStore).StoreMsg
func natsStoreMsg(fs *natsStore, subject string, hdr, msg []byte, ttl int64) (uint64, int64, error)

//go:linkname natsLoadMsg github.com/nats-io/nats-server/v2/server.(*fileStore).LoadMsg
func natsLoadMsg(fs *natsStore, seq uint64, sm *server.StoreMsg) (*server.StoreMsg, error)

//go:linkname natsRemoveMsg github.com/nats-io/nats-server/v2/server.(*fileStore).RemoveMsg
func natsRemoveMsg(fs *natsStore, seq uint64) (bool, error)

//go:linkname natsEraseMsg github.com/nats-io/nats-server/v2/server.(*fileStore).EraseMsg
func natsEraseMsg(fs *natsStore, seq uint64) (bool, error)

//go:linkname natsPurgeEx github.com/nats-io/nats-server/v2/server.(*fileStore).PurgeEx
func natsPurgeEx(fs *natsStore, subject string, seq, keep uint64) (uint64, error)

//go:linkname natsStop github.com/nats-io/nats-server/v2/server.(*fileStore).Stop
func natsStop(fs *natsStore) error

//go:linkname natsLoadNextMsg github.com/nats-io/nats-server/v2/server.(*fileStore).LoadNextMsg
func natsLoadNextMsg(fs *natsStore, filter string, wc bool, start uint64, sm *server.StoreMsg) (*server.StoreMsg, uint64, error)

//go:linkname natsLoadLastMsg github.com/nats-io/nats-server/v2/server.(*fileStore).LoadLastMsg
func natsLoadLastMsg(fs *natsStore, subject string, sm *server.StoreMsg) (*server.StoreMsg, error)

//go:linkname natsSeqFromTime github.com/nats-io/nats-server/v2/server.(*fileStore).GetSeqFromTime
func natsSeqFromTime(fs *natsStore, t time.Time) uint64

//go:linkname natsFilteredState github.com/nats-io/nats-server/v2/server.(*fileStore).FilteredState
func natsFilteredState(fs *natsStore, from uint64, subject string) (server.SimpleState, error)

//go:linkname natsSubjectsTotals github.com/nats-io/nats-server/v2/server.(*fileStore).SubjectsTotals
func natsSubjectsTotals(fs *natsStore, filter string) map[string]uint64

//go:linkname natsNumPending github.com/nats-io/nats-server/v2/server.(*fileStore).NumPending
func natsNumPending(fs *natsStore, from uint64, filter string, lastPerSubject bool) (uint64, uint64, error)

type natsPeer struct {
	fs *natsStore
	sm server.StoreMsg
}

func openNats(tb testing.TB, dir string, k kept) peer {
	tb.Helper()
	fcfg := server.FileStoreConfig{StoreDir: dir, SyncAlways: k.always, SyncInterval: 2 * time.Minute, AsyncFlush: k.batched}
	if k.s2 {
		fcfg.Compression = server.S2Compression
	}
	var key natsKey
	if k.cipher != "" {
		fcfg.Cipher = map[string]server.StoreCipher{"aes": server.AES, "chacha20": server.ChaCha}[k.cipher]
		key = func([]byte) ([]byte, error) { return []byte(secret), nil }
	}
	fs, err := newNats(fcfg, server.StreamConfig{Name: "S", Subjects: []string{">"}, Storage: server.FileStorage}, time.Now().UTC(), key, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return &natsPeer{fs: fs}
}

// natsSeq returns the sequence of a message, which has no exported name.
func natsSeq(sm *server.StoreMsg) uint64 {
	type mirror struct {
		subject           string
		header, data, buf []byte
		seq               uint64
		time              int64
	}
	return (*mirror)(unsafe.Pointer(sm)).seq
}

func (p *natsPeer) append(subject string, data []byte) error {
	_, _, err := natsStoreMsg(p.fs, subject, nil, data, 0)
	return err
}

// appendAll stores one by one: what nats-server has instead of batches is a flush in the background.
func (p *natsPeer) appendAll(subjects []string, data []byte) error {
	for _, s := range subjects {
		if err := p.append(s, data); err != nil {
			return err
		}
	}
	return nil
}

func (p *natsPeer) load(seq uint64) error {
	_, err := natsLoadMsg(p.fs, seq, &p.sm)
	return err
}

func (p *natsPeer) scan(n int) error {
	for seq := uint64(1); n > 0; n-- {
		_, at, err := natsLoadNextMsg(p.fs, ">", true, seq, &p.sm)
		if err != nil {
			return err
		}
		seq = at + 1
	}
	return nil
}

func (p *natsPeer) remove(seq uint64) error {
	_, err := natsRemoveMsg(p.fs, seq)
	return err
}

func (p *natsPeer) erase(seq uint64) error {
	_, err := natsEraseMsg(p.fs, seq)
	return err
}

func (p *natsPeer) purge(subject string) (uint64, error) { return natsPurgeEx(p.fs, subject, 0, 0) }

func (p *natsPeer) next(subject string, from uint64) (uint64, error) {
	sm, _, err := natsLoadNextMsg(p.fs, subject, false, from, &p.sm)
	if err != nil {
		return 0, err
	}
	return natsSeq(sm), nil
}

func (p *natsPeer) last(subject string) (uint64, error) {
	sm, err := natsLoadLastMsg(p.fs, subject, &p.sm)
	if err != nil {
		return 0, err
	}
	return natsSeq(sm), nil
}

func (p *natsPeer) seek(t time.Time) (uint64, error) { return natsSeqFromTime(p.fs, t), nil }

func (p *natsPeer) count(pattern string) (uint64, error) {
	s, err := natsFilteredState(p.fs, 1, pattern)
	return s.Msgs, err
}

func (p *natsPeer) subjects() (n uint64, err error) {
	for _, k := range natsSubjectsTotals(p.fs, ">") {
		n += k
	}
	return n, nil
}

func (p *natsPeer) pending(subject string, from uint64) (uint64, error) {
	n, _, err := natsNumPending(p.fs, from, subject, false)
	return n, err
}

func (p *natsPeer) close() error { return natsStop(p.fs) }
