package main

import (
	"fmt"
	"log/slog"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/keys"
)

// settings are what a mount was asked to be, from flags and from -o alike.
type settings struct {
	readOnly   bool
	allowOther bool
	noXattr    bool
	listed     bool // .jsfs is listed in streams' directories
	nonEmpty   bool
	debugFuse  bool
	transport  string // how requests come from the kernel; "": the default
	daemon     bool
	detached   bool // this is the process that --daemon has started

	sync      string        // "always", "interval" or "never"
	interval  time.Duration // of "interval"
	uid, gid  *uint32       // nil: of the process
	umask     *uint32       // nil: the default
	seqWidth  int           // 0: the default
	subjects  []string      // of streams that mkdir makes; nil: the default
	blockSize int64         // 0: the default
	limits    store.AccountLimits
	maxMemory int64 // of a memory store; 0: the default

	keepDeleted time.Duration // 0: the default; negative: nothing is kept
	keepLimits  bool

	compression store.Compression // of streams that mkdir makes; "": the default
	key         keyArgs
	point       string // where it is to be mounted
	handed      string // where the daemon has its secret from: key:N or phrase:N, a descriptor

	legacyKeys []string // files with keys for payloads of the first generation

	logLevel slog.Level
	logFile  string
}

// mountOption is one thing that -o knows.
type mountOption struct {
	name  string
	value string // what the value is, for people; "" if there is none
	set   func(s *settings, value string) error
}

// mountOptions are all options of -o that do something.
var mountOptions = []mountOption{
	{"allow_other", "", func(s *settings, _ string) error { s.allowOther = true; return nil }},
	{"block_size", "BYTES", (*settings).setBlockSize},
	{"cipher", "aes|chacha20", (*settings).setCipher},
	{"compression", "none|s2", (*settings).setCompression},
	{"control", "hidden|listed", (*settings).setControl},
	{"debug", "", func(s *settings, _ string) error { s.debugFuse = true; return nil }},
	{"gid", "GROUP", (*settings).setGID},
	{"keep_deleted", "DURATION", (*settings).setKeepDeleted},
	{"keep_limits", "yes|no", (*settings).setKeepLimits},
	{"key_file", "FILE", func(s *settings, v string) error { s.key.file = v; return nil }},
	{"legacy_key_file", "FILE", func(s *settings, v string) error { s.legacyKeys = append(s.legacyKeys, v); return nil }},
	{"nonempty", "", func(s *settings, _ string) error { s.nonEmpty = true; return nil }},
	{"max_consumers", "NUMBER", func(s *settings, v string) error { return setCount(&s.limits.MaxConsumers, v) }},
	{"max_memory", "BYTES", func(s *settings, v string) error { return setSize(&s.maxMemory, v) }},
	{"max_storage", "BYTES", func(s *settings, v string) error { return setSize(&s.limits.MaxStorage, v) }},
	{"max_streams", "NUMBER", func(s *settings, v string) error { return setCount(&s.limits.MaxStreams, v) }},
	{"noxattr", "", func(s *settings, _ string) error { s.noXattr = true; return nil }},
	{"ro", "", func(s *settings, _ string) error { s.readOnly = true; return nil }},
	{"rw", "", func(s *settings, _ string) error { s.readOnly = false; return nil }},
	{"seq_width", "DIGITS", (*settings).setSeqWidth},
	{"subjects", "PATTERN[;PATTERN...]", (*settings).addSubjects},
	{"sync", "always|interval[=DURATION]|never", (*settings).setSync},
	{"transport", "auto|dev|uring", (*settings).setTransport},
	{"uid", "USER", (*settings).setUID},
	{"umask", "OCTAL", (*settings).setUmask},
}

// ignoredOptions are passed along by mount(8) and fstab, and change nothing here: a mount of ours is
// always nosuid, nodev and noexec, permissions are always checked, and its messages have no access times.
var ignoredOptions = []string{
	"_netdev", "async", "atime", "auto", "default_permissions", "defaults", "dev", "diratime", "exec", "fsname", "group",
	"iversion", "lazytime", "loud", "mand", "noatime", "noauto", "nodev", "nodiratime", "noexec", "nofail", "noiversion",
	"nolazytime", "nomand", "norelatime", "nostrictatime", "nosuid", "nouser", "owner", "relatime", "silent", "strictatime",
	"subtype", "suid", "user", "users", "comment",
}

// setMountOptions applies the value of one -o: options separated by commas.
func (s *settings) setMountOptions(list string) error {
	for item := range strings.SplitSeq(list, ",") {
		if err := s.setMountOption(item); err != nil {
			return err
		}
	}
	return nil
}

func (s *settings) setMountOption(item string) error {
	name, value, given := strings.Cut(item, "=")
	lower := strings.ToLower(name)
	if item == "" || strings.HasPrefix(lower, "x-") || slices.Contains(ignoredOptions, name) {
		return nil
	}
	i := slices.IndexFunc(mountOptions, func(o mountOption) bool { return o.name == name })
	if i < 0 {
		return fmt.Errorf("option -o %s is not known; there are %s", name, knownOptions())
	}
	o := mountOptions[i]
	if o.name == "sync" && !given {
		value, given = "always", true // mount(8)'s own sync
	}
	switch {
	case o.value == "" && given:
		return fmt.Errorf("option -o %s takes no value", name)
	case o.value != "" && value == "":
		return fmt.Errorf("option -o %s needs a value: %s=%s", name, name, o.value)
	}
	if err := o.set(s, value); err != nil {
		return fmt.Errorf("option -o %s: %w", item, err)
	}
	return nil
}

// knownOptions lists what -o takes.
func knownOptions() string {
	var names []string
	for _, o := range mountOptions {
		if o.value != "" {
			names = append(names, o.name+"="+o.value)
		} else {
			names = append(names, o.name)
		}
	}
	return strings.Join(names, ", ")
}

// setKeepDeleted takes for how long what was removed is kept: 0 is not at all.
func (s *settings) setKeepDeleted(v string) error {
	d, err := time.ParseDuration(v)
	if v == "0" {
		d, err = 0, nil
	}
	if err != nil || d < 0 {
		return fmt.Errorf("%q is no duration, such as 24h or 0", v)
	}
	if s.keepDeleted = d; d == 0 {
		s.keepDeleted = -1
	}
	return nil
}

func (s *settings) setKeepLimits(v string) error {
	if v != "yes" && v != "no" {
		return fmt.Errorf("%q is neither yes nor no", v)
	}
	s.keepLimits = v == "yes"
	return nil
}

func (s *settings) setSync(v string) error {
	policy, every, given := strings.Cut(v, "=")
	switch policy {
	case "always", "never":
		if given {
			return fmt.Errorf("%s takes no duration", policy)
		}
	case "interval":
		s.interval = 0
		if given {
			d, err := time.ParseDuration(every)
			if err != nil || d < time.Millisecond || d > time.Second {
				return fmt.Errorf("%q is no duration from 1ms to 1s, for example 200ms", every)
			}
			s.interval = d
		}
	default:
		return fmt.Errorf("%q is no sync policy; use always, interval, interval=200ms or never", v)
	}
	s.sync = policy
	return nil
}

func (s *settings) setTransport(v string) error {
	switch v {
	case "auto", "dev", "uring":
		s.transport = v
		return nil
	}
	return fmt.Errorf("%q is no transport; use auto, dev or uring", v)
}

func (s *settings) setControl(v string) error {
	if v != "hidden" && v != "listed" {
		return fmt.Errorf("%q is neither hidden nor listed", v)
	}
	s.listed = v == "listed"
	return nil
}

func (s *settings) setCompression(v string) error {
	s.compression = store.Compression(v)
	if s.compression != store.CompressionNone && s.compression != store.CompressionS2 {
		return fmt.Errorf("%q is no compression; use none or s2", v)
	}
	return nil
}

func (s *settings) setBlockSize(v string) error {
	if err := setSize(&s.blockSize, v); err != nil {
		return err
	}
	return blockstore.CheckBlockSize(s.blockSize)
}

func setSize(to *int64, v string) error {
	n, err := parseSize(v)
	if err == nil {
		*to = n
	}
	return err
}

func setCount(to *int, v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no number from 1 on", v)
	}
	*to = n
	return nil
}

// parseSize reads a number of bytes, with an optional K, M, G or T for powers of 1024.
func parseSize(v string) (int64, error) {
	digits, shift := v, 0
	for i, unit := range "KMGT" {
		if cut, ok := strings.CutSuffix(strings.ToUpper(v), string(unit)); ok {
			digits, shift = cut, 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > 1<<62>>shift {
		return 0, fmt.Errorf("%q is no size, for example 8M", v)
	}
	return n << shift, nil
}

func (s *settings) setSeqWidth(v string) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > 20 {
		return fmt.Errorf("%q is no number of digits from 1 to 20", v)
	}
	s.seqWidth = n
	return nil
}

func (s *settings) setCipher(v string) error {
	_, err := keys.ParseCipher(v)
	s.key.cipher = v
	return err
}

// addSubjects adds patterns separated by semicolons, since commas separate options.
func (s *settings) addSubjects(v string) error {
	for p := range strings.SplitSeq(v, ";") {
		if err := store.CheckPattern(p); err != nil {
			return err
		}
		s.subjects = append(s.subjects, p)
	}
	return nil
}

func (s *settings) setUmask(v string) error {
	n, err := strconv.ParseUint(v, 8, 32)
	if err != nil || n > 0o777 {
		return fmt.Errorf("%q is no octal number up to 777", v)
	}
	mask := uint32(n)
	s.umask = &mask
	return nil
}

func (s *settings) setUID(v string) error {
	id, err := numericID(v, func() (string, error) {
		u, err := user.Lookup(v)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
	s.uid = id
	return err
}

func (s *settings) setGID(v string) error {
	id, err := numericID(v, func() (string, error) {
		g, err := user.LookupGroup(v)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
	s.gid = id
	return err
}

// numericID reads a user's or group's number, or asks for it by name.
func numericID(v string, lookup func() (string, error)) (*uint32, error) {
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil {
		text, lookupErr := lookup()
		if lookupErr != nil {
			return nil, lookupErr
		}
		if n, err = strconv.ParseUint(text, 10, 32); err != nil {
			return nil, err
		}
	}
	id := uint32(n)
	return &id, nil
}
