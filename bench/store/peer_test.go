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

//go:linkname newNats github.com/nats-io/nats-server/v2/server.newFileStore
func newNats(server.FileStoreConfig, server.StreamConfig) (*natsStore, error)

//go:linkname natsStoreMsg github.com/nats-io/nats-server/v2/server.(*fileStore).StoreMsg
func natsStoreMsg(fs *natsStore, subject string, hdr, msg []byte, ttl int64) (uint64, int64, error)

//go:linkname natsLoadMsg github.com/nats-io/nats-server/v2/server.(*fileStore).LoadMsg
func natsLoadMsg(fs *natsStore, seq uint64, sm *server.StoreMsg) (*server.StoreMsg, error)

//go:linkname natsRemoveMsg github.com/nats-io/nats-server/v2/server.(*fileStore).RemoveMsg
func natsRemoveMsg(fs *natsStore, seq uint64) (bool, error)

//go:linkname natsStop github.com/nats-io/nats-server/v2/server.(*fileStore).Stop
func natsStop(fs *natsStore) error

type natsPeer struct {
	fs *natsStore
	sm server.StoreMsg
}

func openNats(tb testing.TB, dir string, always bool) peer {
	tb.Helper()
	fs, err := newNats(
		server.FileStoreConfig{StoreDir: dir, SyncAlways: always, SyncInterval: 2 * time.Minute},
		server.StreamConfig{Name: "S", Subjects: []string{">"}, Storage: server.FileStorage})
	if err != nil {
		tb.Fatal(err)
	}
	return &natsPeer{fs: fs}
}

func (p *natsPeer) append(subject string, data []byte) error {
	_, _, err := natsStoreMsg(p.fs, subject, nil, data, 0)
	return err
}

func (p *natsPeer) load(seq uint64) error {
	_, err := natsLoadMsg(p.fs, seq, &p.sm)
	return err
}

func (p *natsPeer) remove(seq uint64) error {
	_, err := natsRemoveMsg(p.fs, seq)
	return err
}

func (p *natsPeer) close() error { return natsStop(p.fs) }

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
