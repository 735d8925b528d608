package integration

import (
	"strings"
	"testing"
	"time"
)

// What is mounted at another place as well goes on there, and umount says so and does not wait.
func TestUmountOfABoundMount(t *testing.T) {
	m := mount(t)
	other := scratch(t)
	sh(t, "mount --bind "+quoted(m.dir, other))
	t.Cleanup(func() { _ = command{}.run(t, "umount -l "+quoted(other)) })
	m.sh("mkdir S; echo hi > S/x")
	if r := (command{timeout: 20 * time.Second}).run(t, `"$JSFS" umount `+quoted(m.dir)); r.code != 1 || !strings.Contains(r.err, "the same is mounted at "+other+", too") {
		t.Errorf("umount of one: %+v", r)
	}
	if got := sh(t, "cat "+quoted(other+"/S/1")); got != "hi\n" {
		t.Errorf("there stands %q", got)
	}
	if r := jsfs(t, "umount", other); r.code != 0 || r.err != "" {
		t.Errorf("umount of the other: %+v", r)
	}
	m.wait(patience)
}
