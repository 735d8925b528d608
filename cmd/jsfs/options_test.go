package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"jsfs/store"
)

func TestMountOptions(t *testing.T) {
	id := func(n uint32) *uint32 { return &n }
	for _, c := range []struct {
		name, list string
		want       settings
	}{
		{"nothing changes nothing", "", settings{}},
		{"what mount(8) and fstab pass along is ignored", "defaults,nosuid,dev,noauto,_netdev,x-systemd.automount,X-mount.mkdir,nofail,relatime", settings{}},
		{"flags are set", "ro,allow_other,noxattr,nonempty,debug", settings{readOnly: true, allowOther: true, noXattr: true, nonEmpty: true, debugFuse: true}},
		{"the last of ro and rw holds", "ro,rw", settings{}},
		{"subjects are separated by semicolons", "subjects=orders.*;audit.>", settings{subjects: []string{"orders.*", "audit.>"}}},
		{"subjects may be given several times", "subjects=a,subjects=b", settings{subjects: []string{"a", "b"}}},
		{"sync takes a policy", "sync=never", settings{sync: "never"}},
		{"sync alone is mount(8)'s and means always", "sync", settings{sync: "always"}},
		{"an interval may have a duration", "sync=interval=50ms", settings{sync: "interval", interval: 50 * time.Millisecond}},
		{"an interval may lack one", "sync=interval", settings{sync: "interval"}},
		{"owners are numbers", "uid=12,gid=0", settings{uid: id(12), gid: id(0)}},
		{"owners may be names", "uid=root,gid=root", settings{uid: id(0), gid: id(0)}},
		{"umask is octal", "umask=077", settings{umask: id(0o77)}},
		{"control directories are listed", "control=listed", settings{listed: true}},
		{"control directories are hidden again", "control=listed,control=hidden", settings{}},
		{"sequences have a width", "seq_width=6", settings{seqWidth: 6}},
		{"sizes may have a unit", "block_size=8M", settings{blockSize: 8 << 20}},
		{"the largest unit is T", "max_storage=2T", settings{limits: store.AccountLimits{MaxStorage: 2 << 40}}},
		{"what was removed is kept for a time", "keep_deleted=36h,keep_limits=yes", settings{keepDeleted: 36 * time.Hour, keepLimits: true}},
		{"what was removed is not kept", "keep_deleted=0,keep_limits=no", settings{keepDeleted: -1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got settings
			if err := got.setMountOptions(c.list); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, c.want, cmp.AllowUnexported(settings{}, keyArgs{})); diff != "" {
				t.Errorf("%q gives (-got +want):\n%s", c.list, diff)
			}
		})
	}
}

func TestMountOptionsThatAreRefused(t *testing.T) {
	for _, c := range []struct{ name, list, want string }{
		{"an unknown option lists those there are", "ro,colour=red", "-o colour is not known; there are allow_other, block_size=BYTES"},
		{"a flag takes no value", "ro=1", "takes no value"},
		{"a value must be there", "uid", "uid=USER"},
		{"a value must not be empty", "umask=", "umask=OCTAL"},
		{"an unknown policy lists those there are", "sync=often", "always, interval, interval=200ms or never"},
		{"an unknown cipher is the option's", "cipher=rot13", "option -o cipher=rot13: \"rot13\" is no cipher"},
		{"always has no duration", "sync=always=1s", "takes no duration"},
		{"an interval is at most a second", "sync=interval=2s", "from 1ms to 1s"},
		{"a umask is octal", "umask=999", "octal"},
		{"a umask has three digits", "umask=7777", "up to 777"},
		{"a user must exist", "uid=no-such-user-here", "no-such-user-here"},
		{"a user is not negative", "uid=-1", "-1"},
		{"control is hidden or listed", "control=maybe", "neither hidden nor listed"},
		{"a width is a number", "seq_width=0", "1 to 20"},
		{"a subject must be one", "subjects=a..b", "empty token"},
		{"a time of keeping is a duration", "keep_deleted=a day", "no duration"},
		{"keep_limits is yes or no", "keep_limits=1", "neither yes nor no"},
		{"a size is above zero", "block_size=0", "no size"},
		{"a block has room for a message", "block_size=5", "option -o block_size=5: block size 5: not valid: it is not between 5376 and 1073741824"},
		{"a block is not larger than 1 GiB", "block_size=2G", "it is not between"},
		{"a size does not overflow", "block_size=9999999999G", "no size"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := new(settings).setMountOptions(c.list)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q: got error %v, want one with %q", c.list, err, c.want)
			}
		})
	}
}

func TestHelperArgs(t *testing.T) {
	for _, c := range []struct{ name, args, want string }{
		{"mount(8) gives source, directory and options", "/s /m -o rw,noauto", "mount --daemon -o rw,noauto -- /s /m"},
		{"its own flags are swallowed", "/s /m -sv -n -t fuse.jsfs -o ro", "mount --daemon -o ro -- /s /m"},
		{"-r is read-only", "-r /s /m", "mount --daemon --read-only -- /s /m"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := helperArgs(strings.Fields(c.args))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, strings.Fields(c.want)); diff != "" {
				t.Errorf("(-got +want):\n%s", diff)
			}
		})
	}
	for _, args := range []string{"/s /m -o", "/s /m -z", "-f /s /m"} {
		if got, err := helperArgs(strings.Fields(args)); err == nil {
			t.Errorf("%q: got %q, want an error", args, got)
		}
	}
}

func TestDaemonArgs(t *testing.T) {
	for _, c := range []struct{ name, args, want string }{
		{"the command line is repeated with a flag", "jsfs mount --daemon s m", "mount --detached --daemon s m"},
		{"mount(8)'s form is translated", "/sbin/mount.jsfs s mount -o ro", "mount --detached --daemon -o ro -- s mount"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := strings.Fields(c.args)
			if diff := cmp.Diff(daemonArgs(args, ""), strings.Fields(c.want)); diff != "" {
				t.Errorf("(-got +want):\n%s", diff)
			}
			if got := strings.Join(args, " "); got != c.args {
				t.Errorf("the arguments became %q", got)
			}
		})
	}
}

// A key that a script left empty is no reason to make a store that is not encrypted.
func TestAnEmptyKeyIsRefused(t *testing.T) {
	for _, flag := range []string{"--key-file=", "--passphrase="} {
		dir := t.TempDir() + "/new"
		var out, said bytes.Buffer
		code := run(t.Context(), []string{"jsfs", "mount", flag, dir, dir + "-mnt"}, &out, &said)
		if code != 2 || !strings.Contains(said.String(), "nothing would be encrypted") {
			t.Errorf("%s: got exit code %d, %q", flag, code, said.String())
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: a store was made", flag)
		}
	}
}

// Every flag of `jsfs mount` and every option of -o has a row on the page about them, and no row is about one that is not there.
func TestThePageAboutMountingHasEveryFlagAndOption(t *testing.T) {
	text, err := os.ReadFile("../../docs/mounting.md")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^ +(?:-\w, )?(--[a-z-]+)`).FindAllStringSubmatch(mountCommand().Flags().FlagUsages(), -1) {
		there[m[1]] = true
	}
	for _, o := range mountOptions {
		there["-o "+strings.TrimSuffix(o.name+"="+o.value, "=")] = true
	}
	told := map[string]bool{}
	name := regexp.MustCompile("`(--[a-z-]+|-o [^`]+)`")
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.ReplaceAll(line, `\|`, "\x00"), "|")
		if len(cells) < 2 || cells[0] != "" {
			continue
		}
		for _, m := range name.FindAllStringSubmatch(cells[1], -1) {
			told[strings.ReplaceAll(m[1], "\x00", "|")] = true
		}
	}
	if diff := cmp.Diff(told, there); diff != "" {
		t.Errorf("docs/mounting.md (-tells of +there is):\n%s", diff)
	}
}
