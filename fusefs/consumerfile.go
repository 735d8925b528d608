package fusefs

import (
	"encoding/json"
	"fmt"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"jsfs/mapping"
	"jsfs/store"
)

// consumerFileAttr fills in the attributes of a file below a consumer's directory.
func (fs *FS) consumerFileAttr(c *call, s *stream, p place, h handle, a *fuse.Attr) error {
	id := p.node(s)
	consumer, err := p.consumer(c, s)
	if err != nil {
		return err
	}
	switch p.control() {
	case mapping.ControlConsumerConfig:
		fs.configAttr(consumerConfig(consumer), id, h, a)
		return nil
	case mapping.ControlOpenMessage:
		m, err := fs.openMeta(c, s, p, consumer)
		if err == nil {
			fs.fileAttr(a, id, m.Size, m.Time) // its owner may remove it: rm asks if the mode says that he can't write
		}
		return err
	case mapping.ControlConsumerInfo:
		info, err := consumer.Info(c)
		if err != nil {
			return err
		}
		fs.fileAttr(a, id, int64(len(mapping.ConsumerInfo(s.name, info))), fs.now().UnixNano())
	default: // next: reading it changes the consumer, so only who may write can read
		fs.fileAttr(a, id, 0, fs.now().UnixNano())
		a.Mode = a.Mode&^0o666 | a.Mode&0o222<<1
		return nil
	}
	a.Mode &^= 0o222
	return nil
}

// consumerConfig is what a consumer's config file shows.
func consumerConfig(consumer store.Consumer) []byte {
	b, err := json.MarshalIndent(consumer.Config(), "", "  ")
	if err != nil {
		return nil // a configuration is made of what JSON has
	}
	return append(b, '\n')
}

// openConsumerFile opens a file below a consumer's directory.
func (fs *FS) openConsumerFile(c *call, s *stream, p place, in *fuse.OpenIn) (handle, uint32, error) {
	consumer, err := p.consumer(c, s)
	if err != nil {
		return nil, 0, err
	}
	if p.control() == mapping.ControlConsumerConfig {
		return openJudged(consumerConfig(consumer), judgeConsumer(s, consumer), in)
	}
	if p.control() == mapping.ControlOpenMessage {
		return fs.openOpen(c, s, p, consumer, in)
	}
	if wantsWrite(in.Flags) {
		return nil, 0, refuse(syscall.EPERM, "it can only be read")
	}
	switch p.control() {
	case mapping.ControlNext, mapping.ControlNextJSON:
		const flags = fuse.FOPEN_DIRECT_IO | fuse.FOPEN_NONSEEKABLE | fuse.FOPEN_STREAM | fuse.FOPEN_NOFLUSH
		return newNextReader(fs, s, consumer, p.control() == mapping.ControlNextJSON), flags, nil
	}
	info, err := consumer.Info(c)
	if err != nil {
		return nil, 0, err
	}
	return &bytesHandle{content: mapping.ConsumerInfo(s.name, info), mtime: fs.now().UnixNano()}, fuse.FOPEN_DIRECT_IO, nil
}

// judgeConsumer is the judge of what is written to a consumer's config file.
func judgeConsumer(s *stream, consumer store.Consumer) judge {
	return func(c *call, content []byte) (func(*call) error, error) {
		cfg, err := store.ParseConsumerConfig(content)
		if err != nil {
			return nil, err
		}
		was := consumer.Config()
		if cfg.Name == "" && cfg.Durable == "" {
			cfg.Name = was.Name
		}
		cfg = cfg.WithDefaults()
		if cfg.Name != was.Name {
			return nil, fmt.Errorf("name: %w: consumer %s can't become %s", store.ErrInvalid, was.Name, cfg.Name)
		}
		if err := cfg.Check(); err != nil {
			return nil, err
		}
		info, err := consumer.Info(c)
		if err == nil && info.Delivered.Consumer > 0 {
			err = was.CheckUpdate(cfg)
		}
		return func(c *call) error { return s.UpdateConsumer(c, cfg) }, err
	}
}
