package integration

import (
	"strings"
	"testing"
)

// The limits of a mount refuse what is new, say why, and df tells of them.
func TestMountLimits(t *testing.T) {
	m := mount(t, withArgs("-o", "max_streams=2,max_storage=300K,block_size=16K"))
	m.sh("mkdir A B")
	if r := m.try("mkdir C"); r.code == 0 || !strings.Contains(r.err, "No space left") {
		t.Errorf("a third stream: %+v", r)
	}
	if got := m.sh("tail -n 1 .jsfs/errors"); !strings.Contains(got, "max_streams of the store is 2") {
		t.Errorf("the reason: %q", got)
	}
	if r := m.try("for i in $(seq 500); do head -c 5000 /dev/zero > A/x || exit 1; done"); r.code == 0 {
		t.Errorf("a full store takes more: %+v", r)
	}
	m.try("echo x > A/x; head -c 5000 /dev/zero > A/x; head -c 5000 /dev/zero >> A/.log")
	for line := range strings.Lines(m.sh("grep -v max_streams .jsfs/errors")) {
		if !strings.Contains(line, "max_storage of the store is 307200 bytes") {
			t.Errorf("the reason: %q", line)
		}
	}
	if got := m.sh("df --output=size -B1 . | tail -n 1"); strings.TrimSpace(got) != "307200" {
		t.Errorf("df says that there are %q bytes", got)
	}
	m.sh("rm A/000000000001; rmdir B; mkdir C")
}

// The root's config tells for how long what was removed is kept, and the limits, under the names and in the form of the options.
func TestTheMountsConfigTellsWhatIsKept(t *testing.T) {
	for _, c := range []struct {
		name string
		opts []option
		want []string
	}{
		{"nothing was given", nil, []string{`"keep_deleted": "24h0m0s"`, `"keep_limits": "no"`, `"sync": "always"`, `"control": "hidden"`}},
		{"nothing is kept", []option{withArgs("-o", "keep_deleted=0")}, []string{`"keep_deleted": "0s"`}},
		{
			"a memory store", []option{withSource("mem:"), withArgs("-o", "keep_deleted=90m,keep_limits=yes,max_memory=1G,max_streams=7")},
			[]string{`"keep_deleted": "1h30m0s"`, `"keep_limits": "yes"`, `"max_memory": 1073741824`, `"max_streams": 7`},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mount(t, c.opts...)
			got := m.read(".jsfs/config")
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("there is no %s in %s", want, got)
				}
			}
		})
	}
}
