package blockstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"jsfs/store"
	"jsfs/store/internal/record"
)

// takeName takes the stream's name from a configuration that can't be honoured, so that no other stream gets it.
func (o *opening) takeName(content []byte) {
	var named struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(content, &named) == nil && store.CheckName(named.Name) == nil {
		cfg := o.config.Load().Clone()
		cfg.Name = named.Name
		o.config.Store(&cfg)
	}
}

func streamDir(inc uint64) string { return fmt.Sprintf("streams/%016x", inc) }

// damagedPrefix begins the names of streams that have lost theirs.
const damagedPrefix = "damaged-"

func damagedName(inc uint64) string { return fmt.Sprintf("%s%d", damagedPrefix, inc) }

func (o *opening) readConfig() error {
	name := o.dir + "/config"
	cfg := store.Config{Name: damagedName(o.inc)}
	cfg = cfg.WithDefaults()
	o.config.Store(&cfg)
	b, err := readFile(o.fs, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !o.opt.spares(err) {
		return fmt.Errorf("configuration of stream %d: %w", o.inc, err)
	}
	content, damaged, err := o.st.openSmallFile(record.MagicConfig, o.inc, b)
	if record.IsVersion(err) {
		return fmt.Errorf("configuration of stream %d: %w", o.inc, err)
	}
	var read store.Config
	if err == nil {
		read, err = store.ParseConfig(content)
	}
	var unknown *store.UnknownFieldError
	if errors.As(err, &unknown) {
		o.takeName(content)
		return fmt.Errorf("configuration of stream %d: %w: %w", o.inc, store.ErrVersion, err)
	}
	if err == nil {
		read = read.WithDefaults()
		err = read.CheckKept()
	}
	if err == nil {
		o.config.Store(&read)
	}
	if err != nil || damaged {
		cause := "one copy of the configuration is damaged"
		if err != nil {
			cause = "both copies of the configuration are damaged; the stream has another name, and takes every subject"
		}
		o.note(store.Damage{File: name, Length: int64(len(b)), Cause: cause})
	}
	return nil
}

func (o *opening) readState() error {
	name := o.dir + "/state"
	b, err := readFile(o.fs, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !o.opt.spares(err) {
		return fmt.Errorf("state of stream %d: %w", o.inc, err)
	}
	state, damaged, err := record.OpenState(b)
	if record.IsVersion(err) {
		return fmt.Errorf("state of stream %d: %w", o.inc, err)
	}
	if err == nil && (state.Store != o.st.id || state.Incarnation != o.inc) {
		err = fmt.Errorf("it belongs to another stream: %w", record.ErrBad)
		state = record.State{}
	}
	if err != nil || damaged {
		o.note(store.Damage{File: name, Length: int64(len(b)), Cause: "state is damaged or missing: it is rebuilt from the blocks"})
	}
	o.state = state
	o.trusted = err == nil && !damaged
	o.clean = o.trusted && state.Clean
	o.reboot = !o.trusted || state.Boot != o.boot
	return nil
}
