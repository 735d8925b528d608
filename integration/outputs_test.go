package integration

import "testing"

// TestOutputsReplaceNothing gives each command that writes a file one that is a device, a pipe, a directory or a link to a device. It
// is refused and stays what it is: a root that has its /dev/null replaced has a broken machine.
func TestOutputsReplaceNothing(t *testing.T) {
	t.Parallel()
	c := command{dir: scratch(t)}
	c.ok(t, `"$JSFS" mount --daemon st mnt; mkdir mnt/S; echo one > mnt/S/x; "$JSFS" umount mnt
		mknod -m 666 null.jsonl c 1 3; mknod -m 666 full.jsonl c 1 7; mkfifo pipe.jsonl; mkdir dir.jsonl; ln -s null.jsonl link.jsonl
		ls -lR --time-style=full-iso *.jsonl > before`)
	for _, file := range []string{"null", "full", "pipe", "dir", "link"} {
		file += ".jsonl"
		for _, cmd := range []string{"backup st " + file, "backup --verify st " + file, "export --jsonl st/S " + file, "copy st/S " + file + "/S", "rescue st " + file} {
			if cmd == "copy st/S dir.jsonl/S" || cmd == "rescue st dir.jsonl" {
				continue // a directory is what they want
			}
			if r := c.run(t, `timeout 100 "$JSFS" `+cmd); r.code != 1 {
				t.Errorf("%s: got %+v, want exit code 1", cmd, r)
			}
		}
	}
	c.ok(t, `ls -lR --time-style=full-iso *.jsonl | diff before - >&2; test -z "$(ls -A | grep -F .part)"`)
	for _, cmd := range []string{"export --jsonl st/S", "dump st", "dump --records st/S"} {
		c.ok(t, `"$JSFS" `+cmd+" > null.jsonl")
		if r := c.run(t, `"$JSFS" `+cmd+" > full.jsonl"); r.code != 1 {
			t.Errorf("%s on a full disk: got %+v, want exit code 1", cmd, r)
		}
	}
	c.ok(t, `"$JSFS" mount --daemon --log-file null.jsonl st mnt; "$JSFS" umount mnt; test -c null.jsonl && test -c full.jsonl`)
}
