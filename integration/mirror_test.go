package integration

import (
	"strings"
	"testing"
)

func TestMirrorsAndSourcesFollowUnderTheMount(t *testing.T) {
	m := mount(t)
	m.sh(`mkdir O M S; echo before > O/o.1
		echo '{"mirror": {"name": "O"}}' > M/.jsfs/config
		echo '{"subjects": ["own"], "sources": [{"name": "O", "filter_subject": "o.2"}]}' > S/.jsfs/config`)
	m.sh(`echo after > O/o.2; for i in $(seq 1000); do test -e M/2 && test -e S/1 && break; sleep 0.05; done; cmp O/.log M/.log`)
	if got := m.sh("cat S/1 M/1"); got != "after\nbefore\n" {
		t.Errorf("got %q", got)
	}
	if got := m.sh("getfattr --only-values -n user.jsfs.headers S/1"); !strings.Contains(got, "Nats-Stream-Source: O 2 o.2 > o.2 ") {
		t.Errorf("got header %q", got)
	}
	if r := m.try("echo own > M/own"); r.code == 0 || !strings.Contains(r.err, "not permitted") {
		t.Errorf("an append to a mirror: %+v", r)
	}
	m.sh("echo own > S/own; cat S/own | grep -qx own")
	if got := m.sh("cat M/.info S/.info"); !strings.Contains(got, `"mirror": {`) || !strings.Contains(got, `"sources": [`) || strings.Contains(got, `"error"`) {
		t.Errorf("info: got %s", got)
	}
	if got := m.sh("tail -n 1 .jsfs/errors"); !strings.Contains(got, "it is a mirror of O") {
		t.Errorf("errors: got %q", got)
	}
	if r := m.try(`echo '{"sources": [{"name": "M"}]}' > ../cycle && cp ../cycle O/.jsfs/config`); r.code == 0 || !strings.Contains(r.err, "Invalid argument") {
		t.Errorf("a cycle: %+v", r)
	}
	if r := m.try(`echo '{"mirror": {"name": "O", "external": {"api": "x"}}}' > S/.jsfs/config`); r.code == 0 {
		t.Errorf("a mirror of elsewhere: %+v", r)
	}
}
