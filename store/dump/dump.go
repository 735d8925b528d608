package dump

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"encoding/json"

	"jsfs/store"
	"jsfs/store/internal/record"
	"jsfs/store/internal/seal"
	"jsfs/store/internal/vfs"
	"jsfs/store/keys"
)

// Options say what is shown.
type Options struct {
	// Stream restricts to one stream: its name, or the name of its directory. "" is all.
	Stream string
	// Block restricts to the blocks with that number; 0 is all.
	Block uint64
	// Records shows each record, else blocks are summed up and only what is wrong is shown.
	Records bool
	// Secret unlocks an encrypted store, so that what is in its records is shown; nil shows them as encrypted.
	Secret *keys.Secret
}

// dumper writes what it reads.
type dumper struct {
	fs  vfs.FS
	out *bufio.Writer
	opt Options

	key *seal.Key // nil if what is encrypted is shown as that
	id  record.ID // of the store that key is of
}

// open opens a directory of files to show, of the store in the directory home, which has the key.
func open(dir, home string, out io.Writer, opt Options) (*dumper, *vfs.OS, error) {
	fsys, err := vfs.NewOSReadOnly(dir)
	if err != nil {
		return nil, nil, err
	}
	d := &dumper{fs: vfs.Salvage(fsys), out: bufio.NewWriter(out), opt: opt}
	if opt.Secret != nil {
		if err := d.unlock(home); err != nil {
			return nil, nil, errors.Join(err, fsys.Close())
		}
	}
	return d, fsys, nil
}

// printf writes; its errors come up when the buffer is flushed.
func (d *dumper) printf(format string, args ...any) { _, _ = fmt.Fprintf(d.out, format, args...) }

// Store shows the store in a directory. It gives store.ErrNotFound if it has no such stream or block, store.ErrKey if
// opt.Secret does not unlock it; then nothing is shown.
func Store(out io.Writer, dir string, opt Options) (err error) {
	d, fsys, err := open(dir, dir, out, opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close(), fsys.Close()) }()
	if opt.Stream == "" && opt.Block == 0 {
		d.envelope("jsfs.store", record.MagicStore)
		d.envelope("incarnation", record.MagicNext)
	}
	dirs, err := d.fs.List("streams")
	if err != nil {
		return err
	}
	found := false
	for _, name := range dirs {
		found = d.stream("streams/"+name, name) || found
	}
	if !found && (opt.Stream != "" || opt.Block != 0) {
		return fmt.Errorf("no such stream or block is in %s: %w", dir, store.ErrNotFound)
	}
	return nil
}

// Block shows a single block file. If it is to be unlocked, it must lie in its store.
func Block(out io.Writer, path string, opt Options) (err error) {
	dir := filepath.Dir(path)
	d, fsys, err := open(dir, filepath.Join(dir, "..", ".."), out, opt)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close(), fsys.Close()) }()
	return d.block(filepath.Base(path))
}

// stream shows the stream in a directory, if it is asked for, and says whether anything was. What can't be read is shown as that.
func (d *dumper) stream(dir, base string) (shown bool) {
	name, cfg := d.config(dir)
	if d.opt.Stream != "" && d.opt.Stream != name && d.opt.Stream != base {
		return false
	}
	names, err := d.fs.List(dir)
	if err != nil {
		d.printf("\n%s: WRONG: it can't be listed: %v\n", dir, err)
		return d.opt.Stream != ""
	}
	if d.opt.Block == 0 {
		d.printf("\nstream %q in %s: %s\n", name, dir, cfg)
		d.state(dir + "/state")
		d.consumers(dir, names)
		shown = true
	}
	for _, file := range names {
		num, isBlock := strings.CutSuffix(file, ".blk")
		n, err := strconv.ParseUint(num, 10, 64)
		if !isBlock || err != nil && d.opt.Block != 0 || d.opt.Block != 0 && n != d.opt.Block {
			continue
		}
		shown = true
		if err := d.block(dir + "/" + file); err != nil {
			d.printf("\n%s/%s: WRONG: it can't be read: %v\n", dir, file, err)
		}
	}
	return shown
}

// config returns a stream's name, and the text of its configuration.
func (d *dumper) config(dir string) (name, text string) {
	content, verdict := d.read(dir+"/config", record.MagicConfig)
	if inc, err := strconv.ParseUint(filepath.Base(dir), 16, 64); err == nil && d.key != nil && len(content) > 0 {
		plain, err := record.SmallFileBox(d.key, d.id, record.MagicConfig, inc).Open(nil, content, nil)
		if err != nil {
			return "", "WRONG: it can't be decrypted, " + verdict
		}
		content = plain
	}
	var cfg store.Config
	if json.Unmarshal(content, &cfg) != nil {
		if len(content) > 0 {
			verdict = "its configuration is encrypted, or none, " + verdict
		}
		return "", verdict
	}
	return cfg.Name, fmt.Sprintf("%s, %s", content, verdict)
}

// read returns the content of an envelope, and how it is.
func (d *dumper) read(name, magic string) (content []byte, verdict string) {
	b, err := d.whole(name)
	if err != nil {
		return nil, reason(err)
	}
	content, damaged, err := record.OpenEnvelope(magic, b)
	switch {
	case err != nil:
		return nil, "WRONG: " + err.Error()
	case damaged:
		return content, "one copy is WRONG"
	}
	return content, "both copies right"
}

func (d *dumper) envelope(name, magic string) {
	content, verdict := d.read(name, magic)
	d.printf("%s: %s, %s\n", name, content, verdict)
}

// whole reads a small file.
func (d *dumper) whole(name string) ([]byte, error) {
	f, err := d.fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	const most = 10 << 20
	b := make([]byte, min(size, most))
	n, err := f.ReadAt(b, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:n], err
}

func (d *dumper) state(name string) {
	b, err := d.whole(name)
	if err != nil {
		d.printf("state: %s\n", reason(err))
		return
	}
	s, damaged, err := record.OpenState(b)
	if err != nil {
		d.printf("state: WRONG: %v\n", err)
		return
	}
	verdict := "both slots right"
	if damaged {
		verdict = "one slot is WRONG"
	}
	d.printf("state: generation %d, closed %v, mark %d, newest block %d with %d bytes on disk, last %d at %s, %s\n",
		s.Generation, s.Clean, s.Mark, s.Block, s.Len, s.Last, clock(s.LastTime), verdict)
}

func clock(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

// reason tells of a file that can't be read.
func reason(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "MISSING"
	}
	return "can't be read: " + err.Error()
}
