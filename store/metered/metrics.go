package metered

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jsfs/store"
)

// op is an operation that is counted. Its name is the label.
type op string

const (
	opStreams       op = "streams"
	opStream        op = "stream"
	opUsage         op = "usage"
	opClose         op = "close"
	opCreate        op = "create"
	opUpdate        op = "update"
	opTruncate      op = "truncate"
	opDrop          op = "drop"
	opState         op = "state"
	opLoad          op = "load"
	opLoadRun       op = "load_run"
	opStat          op = "stat"
	opLoadLast      op = "load_last"
	opScan          op = "scan"
	opAppend        op = "append"
	opRestore       op = "restore"
	opRemove        op = "remove"
	opErase         op = "erase"
	opUndelete      op = "undelete"
	opSync          op = "sync"
	opNext          op = "next"
	opPrev          op = "prev"
	opSeekTime      op = "seek_time"
	opCount         op = "count"
	opSubjects      op = "subjects"
	opCountSubjects op = "count_subjects"
	opLastSeqs      op = "last_seqs"
	opSubjectOf     op = "subject_of"
	opPending       op = "pending"
	opGaps          op = "gaps"
	opPurge         op = "purge"
	opCompact       op = "compact"
	opSkip          op = "skip"
	opRanges        op = "remove_ranges"
	opSkipTo        op = "skip_to"
	opExtents       op = "extents"
	opDamage        op = "damage"

	opDraftCreate  op = "draft_create"
	opDraftOpen    op = "draft_open"
	opDraftRename  op = "draft_rename"
	opDraftRemove  op = "draft_remove"
	opDraftPublish op = "draft_publish"
	opDraftRestore op = "draft_restore"
	opDraftList    op = "draft_list"
	opDraftScratch op = "draft_scratch"

	opDraftRead     op = "draft_read"
	opDraftWrite    op = "draft_write"
	opDraftTruncate op = "draft_truncate"
	opDraftSize     op = "draft_size"
	opDraftModTime  op = "draft_mod_time"
	opDraftSync     op = "draft_sync"
	opDraftClose    op = "draft_close"

	opCreateConsumer  op = "create_consumer"
	opRestoreConsumer op = "restore_consumer"
	opUpdateConsumer  op = "update_consumer"
	opDropConsumer    op = "drop_consumer"
	opConsumer        op = "consumer"
	opConsumerNames   op = "consumer_names"
	opOpen            op = "open_deliveries"
	opInfo            op = "consumer_info"
	opDeliver         op = "deliver"
	opAck             op = "ack"
	opNak             op = "nak"
	opInProgress      op = "in_progress"
	opTerm            op = "term"
	opScanKept        op = "scan_kept"
	opLoadKept        op = "load_kept"
	opStatKept        op = "stat_kept"
	opRemoved         op = "removed_streams"
	opLoadRemoved     op = "load_removed"
	opRevive          op = "revive"
	opReclaim         op = "reclaim"
	opDropSealed      op = "drop_sealed"
)

var ops = []op{
	opStreams, opStream, opUsage, opClose, opCreate, opUpdate, opTruncate, opDrop, opState, opLoad, opLoadRun, opStat, opLoadLast, opScan, opAppend, opRestore, opRemove, opErase, opUndelete,
	opSync, opNext, opPrev, opSeekTime, opCount, opSubjects, opCountSubjects, opLastSeqs, opSubjectOf, opPending, opGaps, opPurge, opCompact, opSkip, opRanges,
	opSkipTo, opExtents, opDamage, opDraftCreate, opDraftOpen, opDraftRename, opDraftRemove, opDraftPublish, opDraftRestore, opDraftList, opDraftScratch,
	opDraftRead, opDraftWrite, opDraftTruncate, opDraftSize, opDraftModTime, opDraftSync, opDraftClose,
	opCreateConsumer, opRestoreConsumer, opUpdateConsumer, opDropConsumer, opConsumer, opConsumerNames, opOpen, opInfo, opDeliver, opAck, opNak, opInProgress, opTerm,
	opScanKept, opLoadKept, opStatKept, opRemoved, opLoadRemoved, opRevive, opReclaim, opDropSealed,
}

// metrics are the counters of one store. All of them may be used concurrently.
type metrics struct {
	took     map[op]prometheus.Observer
	failed   map[op]prometheus.Counter
	stored   prometheus.Counter // messages
	bytesIn  prometheus.Counter
	loaded   prometheus.Counter // messages
	bytesOut prometheus.Counter
}

// buckets reach from a message that is in memory to a disk that hangs, in seconds.
var buckets = prometheus.ExponentialBuckets(1e-6, 4, 13)

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	took := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "jsfs_store_operation_seconds", Help: "How long operations of the store took. A scan counts as long as its caller took for it.",
		Buckets: buckets,
	}, []string{"op"})
	failed := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "jsfs_store_operation_errors_total", Help: "Operations of the store that failed, refusals and messages that are not there included.",
	}, []string{"op"})
	messages := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "jsfs_store_messages_total", Help: "Messages that were stored, and that were loaded with their payloads.",
	}, []string{"direction"})
	bytes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "jsfs_store_payload_bytes_total", Help: "Bytes of payload that were stored, and that were loaded.",
	}, []string{"direction"})
	for _, c := range []prometheus.Collector{took, failed, messages, bytes} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	m := &metrics{
		took: map[op]prometheus.Observer{}, failed: map[op]prometheus.Counter{},
		stored: messages.WithLabelValues("stored"), loaded: messages.WithLabelValues("loaded"),
		bytesIn: bytes.WithLabelValues("stored"), bytesOut: bytes.WithLabelValues("loaded"),
	}
	for _, o := range ops {
		m.took[o], m.failed[o] = took.WithLabelValues(string(o)), failed.WithLabelValues(string(o))
	}
	return m, nil
}

// done counts one operation that began at start and ended with err.
func (m *metrics) done(o op, start time.Time, err error) {
	m.took[o].Observe(time.Since(start).Seconds())
	if err != nil {
		m.failed[o].Inc()
	}
}

// load counts a message that was loaded.
func (m *metrics) load(o op, start time.Time, msg *store.Msg, err error) {
	m.done(o, start, err)
	if err == nil {
		m.loaded.Inc()
		m.bytesOut.Add(float64(len(msg.Data)))
	}
}

// loadRun counts n messages that were loaded in one walk.
func (m *metrics) loadRun(o op, start time.Time, n, bytes int, err error) {
	m.done(o, start, err)
	m.loaded.Add(float64(n))
	m.bytesOut.Add(float64(bytes))
}

// store counts the first n of some entries, which were stored.
func (m *metrics) store(o op, start time.Time, es []store.Entry, n int, err error) {
	m.done(o, start, err)
	m.stored.Add(float64(n))
	bytes := 0
	for i := range es[:n] {
		bytes += len(es[i].Data)
	}
	m.bytesIn.Add(float64(bytes))
}

// restored counts the first n of some messages, which were restored.
func (m *metrics) restored(o op, start time.Time, ms []store.Msg, n int, err error) {
	m.done(o, start, err)
	m.stored.Add(float64(n))
	bytes := 0
	for i := range ms[:n] {
		bytes += len(ms[i].Data)
	}
	m.bytesIn.Add(float64(bytes))
}

// stateCollector asks the streams for their numbers when somebody wants to know.
type stateCollector struct{ st store.Store }

var (
	descMessages = prometheus.NewDesc("jsfs_stream_messages", "Live messages of a stream.", []string{"stream"}, nil)
	descBytes    = prometheus.NewDesc("jsfs_stream_payload_bytes", "Bytes of payload in the live messages of a stream.", []string{"stream"}, nil)
	descLast     = prometheus.NewDesc("jsfs_stream_last_sequence", "The highest sequence that a stream ever had.", []string{"stream"}, nil)
	descLost     = prometheus.NewDesc("jsfs_stream_lost_messages", "Messages of a stream that are known to be lost to damage.", []string{"stream"}, nil)
	descUnread   = prometheus.NewDesc("jsfs_stream_unreadable", "1 for a stream that can't be served.", []string{"stream"}, nil)
	descFree     = prometheus.NewDesc("jsfs_store_free_bytes", "Room that is left for new messages.", nil, nil)
	descUsed     = prometheus.NewDesc("jsfs_store_used_bytes", "Room that the store takes.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (c stateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descMessages, descBytes, descLast, descLost, descUnread, descFree, descUsed} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector]. What can't be told is left out.
func (c stateCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ctx := context.Background()
	if u, err := c.st.Usage(ctx); err == nil {
		gauge(descFree, float64(u.Free))
		gauge(descUsed, float64(u.Used))
	}
	names, _ := c.st.Streams(ctx)
	for _, name := range names {
		s, err := c.st.Stream(ctx, name)
		if errors.Is(err, store.ErrNotFound) {
			continue // removed meanwhile
		}
		if err != nil {
			gauge(descUnread, 1, name)
			continue
		}
		if st, err := s.State(ctx); err == nil {
			gauge(descMessages, float64(st.Live.Messages), name)
			gauge(descBytes, float64(st.Live.Payload), name)
			gauge(descLast, float64(st.Last), name)
			gauge(descLost, float64(st.Lost), name)
		}
	}
}
