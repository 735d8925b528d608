package integration

import (
	"testing"
)

// What reads the program's messages may go away: the mount stays.
func TestAMountOutlivesWhoReadsItsMessages(t *testing.T) {
	dir := scratch(t)
	c := command{dir: dir}
	t.Cleanup(func() { c.run(t, `"$JSFS" umount --lazy mnt 2>/dev/null; true`) })
	for _, script := range []string{
		`"$JSFS" mount --daemon store mnt 2>&1 | head -n 1`,
		`"$JSFS" mount --daemon --log-level=debug store mnt 2>&1 | true`,
		`("$JSFS" mount --log-level=debug store mnt 2>&1 & echo $! > pid) | head -n 1`,
	} {
		c.run(t, script)
		eventually(t, patience, script+" mounts", func() bool { return c.run(t, "mountpoint -q mnt").code == 0 })
		if r := c.run(t, `mkdir -p mnt/S && echo hi > mnt/S/x && sleep 0.2 && cat mnt/S/.last && echo no > mnt/S/1`); r.out != "hi\n" {
			t.Errorf("%s: the mount gives %+v", script, r)
		}
		c.ok(t, `"$JSFS" umount mnt`)
	}
}
