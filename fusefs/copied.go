package fusefs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"

	"jsfs/mapping"
	"jsfs/store"
)

// copied is what decides whether a stream may get the configuration of another one, whose copy it is, by the
// attribute of its directory. Some programs set that before the messages are there, some after.
type copied struct {
	// used is set once something other than a restore is done with the stream's messages, in this mount or before it: with choosing
	// held, so either who gives the stream a configuration sees it, or what is done is done under that configuration.
	used atomic.Bool
	// held is the configuration that the stream was given before its messages, where that would keep them from being
	// restored: it holds for all but restores, and is in force when the copy is complete. nil is none.
	held atomic.Pointer[store.Config]

	// choosing is held by who gives the stream a configuration, from when he looks at the one that it has until the store
	// has the new one: what somebody wrote is not replaced by what was read or held back before. It is taken before the store's locks, and
	// of this package only the one of what is restored is taken behind it.
	choosing sync.Mutex
}

// use notes that something other than a restore is done with the messages, before it is done.
func (p *copied) use() {
	if p.used.Load() {
		return
	}
	p.choosing.Lock()
	defer p.choosing.Unlock()
	p.used.Store(true)
}

// change is use for who changes or removes messages, and refuses it where the stream is to be sealed.
func (p *copied) change() error {
	p.use()
	if held := p.held.Load(); held != nil {
		return held.CheckSealed()
	}
	return nil
}

// admit is use for who appends messages, and returns how many of them, from the first on, may be: a configuration that is
// held back is in force for them. The error says why not all.
func (p *copied) admit(es ...store.Entry) (int, error) {
	if !p.used.Load() {
		p.choosing.Lock()
		defer p.choosing.Unlock()
	}
	if held := p.held.Load(); held != nil {
		for i := range es {
			if err := held.CheckEntry(&es[i]); err != nil {
				return i, err
			}
			p.used.Store(true)
		}
	}
	p.used.Store(true)
	return len(es), nil
}

// everUsed says whether a stream that was found had a message.
func everUsed(s store.Stream) bool {
	st, err := s.State(context.Background())
	return err != nil || st.Last >= s.Config().First()
}

// newConfig is the configuration that mkdir gives.
func (fs *FS) newConfig(name string) store.Config {
	return store.Config{Name: name, Subjects: fs.opt.Subjects, Compression: fs.opt.Compression}
}

// Config is the stream's configuration, but for restores: what is in force for those is inForce.
func (s *stream) Config() store.Config {
	if held := s.copied.held.Load(); held != nil {
		return held.Clone()
	}
	return s.inForce()
}

// inForce is the stream's configuration in the store.
func (s *stream) inForce() store.Config { return s.Stream.Config() }

// sameConfig says whether two configurations, whatever their names, mean the same.
func sameConfig(a, b store.Config) bool {
	a.Name = b.Name
	x, errA := json.Marshal(a.WithDefaults())
	y, errB := json.Marshal(b.WithDefaults())
	return errA == nil && errB == nil && bytes.Equal(x, y)
}

// setStreamXattr gives a stream the configuration of the one that it is a copy of, if nobody gave it one and it has
// nothing but what was restored. One that it has anyway is always taken.
func (fs *FS) setStreamXattr(c *call, name string, value []byte, flags uint32) error {
	s, _, err := fs.splitWritable(c.hdr.NodeId)
	if err != nil {
		return err
	}
	switch {
	case name != mapping.XattrConfig:
		return refuse(syscall.EPERM, "a stream's only attribute is %s", mapping.XattrConfig)
	case flags&xattrCreate != 0:
		return refuse(syscall.EEXIST, "%s is set", name)
	}
	cfg, err := store.ParseConfig(value)
	if err != nil {
		return err
	}
	if err := s.restores.Settle(c); err != nil {
		return err
	}
	cfg.Name = s.name // a copy has a name of its own
	cfg = cfg.WithDefaults()
	if err := cmp.Or(cfg.Check(), shown(cfg.FirstSeq)); err != nil {
		return err
	}
	s.copied.choosing.Lock()
	defer s.copied.choosing.Unlock()
	switch {
	case sameConfig(cfg, s.Config()):
		return nil
	case !sameConfig(s.Config(), fs.newConfig(s.name)):
		return refuse(syscall.EPERM, "stream %s has a configuration already, and a copy of another stream does not replace it: write %s/.jsfs/config", s.name, s.name)
	case s.copied.used.Load():
		return refuse(syscall.EPERM, "stream %s is more than a copy, as its messages were appended, removed, or there before this mount, so it does not get another one's configuration: write %s/.jsfs/config", s.name, s.name)
	}
	return fs.giveConfig(c, s, cfg)
}

// giveConfig gives the stream a configuration; the caller holds choosing. While it is empty, what would refuse or mingle with the messages that a copy
// is about to bring is held back; so is what nobody could take back, if the server is killed before the copy is complete.
func (fs *FS) giveConfig(c *call, s *stream, cfg store.Config) error {
	st, err := s.State(c)
	if err != nil {
		return err
	}
	now := cfg.Clone()
	if st.Last < s.inForce().First() && (cfg.Sealed || len(cfg.Origins()) > 0) {
		now.Sealed, now.Mirror, now.Sources = false, nil, nil
		if cfg.Sealed { // which sets these
			now.DenyDelete, now.DenyPurge = false, false
		}
		if len(cfg.Origins()) > 0 {
			now.Subjects = []string{">"} // those of the origins' messages are not among its own
		}
	}
	if !sameConfig(now, cfg) {
		if err := fs.checkOrigins(c, cfg); err != nil {
			return err
		}
		s.copied.held.Store(&cfg)
	}
	if err := fs.adopt(c, now.WithDefaults()); err != nil {
		s.copied.held.Store(nil)
		return err
	}
	return nil
}

// checkOrigins refuses origins that the stream can't have in this store.
func (fs *FS) checkOrigins(c *call, cfg store.Config) error {
	return cfg.CheckOrigins(func(name string) (store.Config, bool) {
		o, err := fs.st.Stream(c, name)
		if err != nil {
			return store.Config{}, false
		}
		return o.Config(), true
	})
}

// adopt gives a copy its configuration.
func (fs *FS) adopt(ctx context.Context, cfg store.Config) error {
	if a, ok := fs.st.(store.Adopter); ok {
		return a.Adopt(ctx, cfg)
	}
	return fs.st.Update(ctx, cfg)
}

// finishCopy puts the configuration in force that was held back, if the stream has a message by now.
func (fs *FS) finishCopy(ctx context.Context, s *stream) error {
	held := s.copied.held.Load()
	if held == nil {
		return nil
	}
	st, err := s.State(ctx)
	if err != nil || st.Last < s.inForce().First() {
		return err
	}
	return fs.endHold(ctx, s, held)
}

// endHold puts the configuration in force that was held back.
func (fs *FS) endHold(ctx context.Context, s *stream, held *store.Config) error {
	s.copied.choosing.Lock()
	defer s.copied.choosing.Unlock()
	if s.copied.held.Load() != held {
		return nil // somebody chose another one meanwhile
	}
	if err := fs.adopt(ctx, *held); err != nil {
		return fmt.Errorf("the configuration that stream %s was given before its messages: %w", s.name, err)
	}
	s.copied.held.Store(nil)
	return nil
}

// endCopy puts in force what was held back, for who does to the whole stream what is no part of a copy.
func (fs *FS) endCopy(ctx context.Context, s *stream) error {
	s.copied.use() // nothing is held back from now on
	if held := s.copied.held.Load(); held != nil {
		return fs.endHold(ctx, s, held)
	}
	return nil
}

// finishCopies puts in force what was held back, at the end of the mount.
func (fs *FS) finishCopies() {
	for _, s := range fs.streams.all() {
		if held := s.copied.held.Load(); held != nil {
			c := fs.ownCall("unmount")
			if err := fs.endHold(c, s, held); err != nil {
				errno, _ := errnoOf(err)
				c.report(errno, err)
			}
		}
	}
}

// configure gives the stream a configuration that somebody chose, in place of any that was held back.
func (fs *FS) configure(ctx context.Context, s *stream, cfg store.Config) error {
	s.copied.choosing.Lock()
	defer s.copied.choosing.Unlock()
	return fs.configureLocked(ctx, s, cfg)
}

// seal seals the stream, whatever configuration it has.
func (fs *FS) seal(ctx context.Context, s *stream) error {
	s.copied.choosing.Lock()
	defer s.copied.choosing.Unlock()
	cfg := s.Config()
	cfg.Sealed = true
	return fs.configureLocked(ctx, s, cfg)
}

func (fs *FS) configureLocked(ctx context.Context, s *stream, cfg store.Config) error {
	s.settleIfPossible(ctx) // the new configuration may be what gives it room
	if err := fs.st.Update(ctx, cfg); err != nil {
		return err
	}
	s.copied.held.Store(nil)
	return nil
}

// removeStreamXattr takes away the configuration that mkdir gave, as who copies a directory without one does: it is there all the same.
func (fs *FS) removeStreamXattr(c *call, name string) error {
	s, _, err := fs.splitWritable(c.hdr.NodeId)
	switch {
	case err != nil:
		return err
	case name != mapping.XattrConfig:
		return refuse(syscall.EPERM, "a stream's only attribute is %s", mapping.XattrConfig)
	case !sameConfig(s.Config(), fs.newConfig(s.name)):
		return refuse(syscall.EPERM, "stream %s has a configuration, which can't be taken away: write %s/.jsfs/config", s.name, s.name)
	}
	return nil
}
