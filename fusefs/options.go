package fusefs

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"jsfs/mapping"
	"jsfs/store"
)

// Options say how a store is shown. The zero Options shows it read-write to the
// user who runs the program.
type Options struct {
	// ReadOnly refuses every change with EROFS.
	ReadOnly bool
	// Unchanging says that nobody else changes the store either while it is mounted. With ReadOnly, files are read
	// without being opened then, which halves what reading many files costs. It goes with ReadOnly alone.
	Unchanging bool
	// AllowOther lets other users in, as far as owner and mode let them.
	AllowOther bool
	// UID and GID own everything; nil is whoever runs the program.
	UID, GID *uint32
	// Umask takes bits away from 0777 for directories and 0666 for files; nil is 022.
	Umask *uint32
	// NoXattr switches extended attributes off for the whole mount.
	NoXattr bool
	// SeqWidth is how many digits listed names have at least; 0 is mapping.DefaultWidth.
	SeqWidth int
	// Subjects are the patterns that a stream takes which mkdir makes; none is the
	// engine's default.
	Subjects []string
	// Compression is that of a stream which mkdir makes; "" is none.
	Compression store.Compression
	// Durable says that what was acknowledged is to be on disk, as the engine's sync policy is that: it is so for what this package keeps until the engine
	// stores it.
	Durable bool
	// Transport says how requests come from the kernel; "" is TransportAuto.
	Transport Transport
	// ListControl lists .jsfs in the streams' own directories.
	ListControl bool
	// Settings are what .jsfs/config says besides these options: those of the engine, under
	// the names of their options. They must be what JSON has, and must not change.
	Settings map[string]any
	// Source is what mount(8) and df name as the file system; "" is "jsfs".
	Source string
	// Version is what .jsfs/version says.
	Version string
	// Metrics makes the content of .jsfs/metrics; nil leaves the file out. It is called
	// concurrently.
	Metrics func() ([]byte, error)
	// Logger gets what happens, refusals included; nil is silent.
	Logger *slog.Logger
	// Debug logs every request and answer.
	Debug bool
}

const (
	minSeqWidth = 1
	maxSeqWidth = 20
)

func (o Options) withDefaults() Options {
	if o.UID == nil {
		o.UID = ref(uint32(os.Geteuid()))
	}
	if o.GID == nil {
		o.GID = ref(uint32(os.Getegid()))
	}
	if o.Umask == nil {
		o.Umask = ref(uint32(0o022))
	}
	if o.SeqWidth == 0 {
		o.SeqWidth = mapping.DefaultWidth
	}
	if o.Transport == "" {
		o.Transport = TransportAuto
	}
	if o.Source == "" {
		o.Source = "jsfs"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	if o.SeqWidth < minSeqWidth || o.SeqWidth > maxSeqWidth {
		return fmt.Errorf("seq_width=%d: it must be between %d and %d", o.SeqWidth, minSeqWidth, maxSeqWidth)
	}
	if *o.Umask > 0o777 {
		return fmt.Errorf("umask=%o: it must be between 0 and 777", *o.Umask)
	}
	if o.Unchanging && !o.ReadOnly {
		return errors.New("a mount that can be written to is not unchanging")
	}
	return o.Transport.validate()
}

func ref[T any](v T) *T { return &v }
