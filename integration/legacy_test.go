package integration

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
)

// oldLine is a line of a file of the first generation.
func oldLine(seq int, subject, payload string) string {
	return fmt.Sprintf(`{"Sequence":%d,"Subject":"%s","PayloadBase64":"%s","TimestampUtc":"2024-05-06T07:08:%02d.1234567Z"}`+"\n",
		seq, subject, base64.StdEncoding.EncodeToString([]byte(payload)), seq)
}

// writeFiles makes files, and the directories that they are in.
func writeFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		sub, _, _ := strings.Cut(name, "/")
		if err := os.MkdirAll(dir+"/"+sub, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/"+name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADirectoryOfTheFirstGenerationIsConvertedByMounting(t *testing.T) {
	dir := scratch(t)
	in := command{dir: dir}
	orders := oldLine(2, "orders.new", "two\n") + oldLine(3, "", "three\n") + "not a message\n" + oldLine(9, "orders.new", "nine\n") + oldLine(10, "x", "x")[:40]
	events := oldLine(1, "e", "one\n")
	writeFiles(t, dir+"/old", map[string]string{"ORDERS/messages.jsonl": orders, "EVENTS/messages.jsonl": events, "EVENTS/index.manifest.json": "{}"})
	before := checksums(t, dir+"/old")
	for _, args := range []string{"mount -o ro old mnt", "mount --daemon --read-only old mnt", "check old", "export --jsonl old/ORDERS"} {
		r := in.run(t, `exec timeout 100 "$JSFS" `+args)
		if r.code == 0 || !strings.Contains(r.err, "holds streams of the first generation") || !strings.Contains(r.err, "without --read-only") {
			t.Errorf("%s: got %+v, want a refusal that says what to do", args, r)
		}
	}
	if got := checksums(t, dir+"/old"); got != before {
		t.Errorf("what is there changed:\n%s\nwas:\n%s", got, before)
	}
	r := in.run(t, `"$JSFS" mount --log-level=error --daemon old mnt`)
	if r.code != 0 || strings.Count(r.err, "first generation") != 1 {
		t.Errorf("got %+v, want one line", r)
	}
	for _, want := range []string{"converted 2 streams of the first generation with 4 messages", "2 lines that are no messages", "(1 cut off by a crash)"} {
		if !strings.Contains(r.err, want) {
			t.Errorf("got %q, want %q in it", r.err, want)
		}
	}
	got := in.ok(t, `ls mnt/ORDERS; cat mnt/ORDERS/*; stat -c %y mnt/ORDERS/2; getfattr --only-values -n user.jsfs.subject mnt/ORDERS/3; echo
		"$JSFS" umount mnt; cat old/quarantine/*.bad; cat old/EVENTS/index.manifest.json; ls old/ORDERS`)
	for _, want := range []string{
		"000000000002\n000000000003\n000000000009\ntwo\nthree\nnine\n", "2024-05-06 07:08:02.123456700", "ORDERS\n",
		"not a message\n" + oldLine(10, "x", "x")[:40], "{}messages.jsonl.migrated",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
	if b, err := os.ReadFile(dir + "/old/ORDERS/messages.jsonl.migrated"); err != nil || string(b) != orders {
		t.Errorf("the old file: got %q, %v", b, err)
	}
	r = in.run(t, `"$JSFS" check old`)
	if r.code != 0 || !strings.Contains(r.out, "converted: ORDERS/messages.jsonl.migrated") || !strings.Contains(r.out, "nothing is damaged") {
		t.Errorf("check: got %+v", r)
	}
	r = in.run(t, `"$JSFS" check --forget-migrated old && ls old old/EVENTS`)
	if r.code != 0 || !strings.Contains(r.out, "removed EVENTS/messages.jsonl.migrated: the store has its 1 message") || !strings.Contains(r.out, "index.manifest.json") {
		t.Errorf("check --forget-migrated: got %+v", r)
	}
	if _, err := os.Stat(dir + "/old/ORDERS"); err == nil {
		t.Error("the empty directory is there still")
	}
	in.ok(t, `"$JSFS" mount --daemon old mnt && test "$(cat mnt/ORDERS/* | wc -l)" = 3 && "$JSFS" umount mnt`)
}

func TestWhatIsExportedIsConvertedToTheSame(t *testing.T) {
	t.Parallel()
	dir := scratch(t)
	in := command{dir: dir}
	in.ok(t, `"$JSFS" mount --daemon store mnt; mkdir mnt/S; echo one > mnt/S/a; seq 100000 > mnt/S/b; printf 'FSV1 is a magic' > mnt/S/c; head -c 100000 /dev/urandom > mnt/S/d
		printf 'FSV2\0\0\0\0\0 looks like an envelope' > mnt/S/e; rm mnt/S/1; cp -a mnt/S files; "$JSFS" umount mnt
		head -c 32 /dev/urandom > key; od -An -v -tx1 key | tr -d ' \n' > hexkey; head -c 32 /dev/urandom > other; chmod 600 key hexkey other`)
	for i, c := range []struct{ export, mount string }{
		{"", ""},
		{"--fsv2", ""},
		{"--fsv2 --compression none", ""},
		{"--fsv2 --legacy-key-file key", "--legacy-key-file hexkey"},
		{"--fsv2 --legacy-key-file hexkey --cipher aes --compression none", "-o legacy_key_file=key"},
		{"--fsv2 --legacy-key-file key --cipher chacha20", "--legacy-key-file other --legacy-key-file key"},
		{"--fsv2 --legacy-key-file key --cipher chacha20 --compression none", "--legacy-key-file key"},
	} {
		old := fmt.Sprintf("old%d", i)
		r := in.run(t, `mkdir -p `+old+`/S && "$JSFS" export --jsonl `+c.export+` store/S `+old+`/S/messages.jsonl`)
		if r.code != 0 || !strings.Contains(r.err, "exported 4 messages of S") {
			t.Errorf("export %s: got %+v", c.export, r)
			continue
		}
		before := checksums(t, dir+"/"+old)
		if c.mount != "" {
			for _, wrong := range []string{"", "--legacy-key-file other"} {
				r := in.run(t, `exec timeout 100 "$JSFS" mount `+wrong+` `+old+` mnt`)
				if r.code != 1 || !strings.Contains(r.err, "give their key with --legacy-key-file") || !strings.Contains(r.err, "S/messages.jsonl:1") {
					t.Errorf("mount with %q: got %+v", wrong, r)
				}
			}
			if got := checksums(t, dir+"/"+old); got != before {
				t.Errorf("what is there changed:\n%s\nwas:\n%s", got, before)
			}
		}
		r = in.run(t, `"$JSFS" mount --daemon `+c.mount+` `+old+` mnt && ls mnt/S && for f in mnt/S/*; do cmp $f files/${f##*/} || exit; done; "$JSFS" umount mnt`)
		if r.code != 0 || r.out != "000000000002\n000000000003\n000000000004\n000000000005\n" {
			t.Errorf("export %s: mounted again: got %+v", c.export, r)
		}
		if says := strings.Contains(r.err, "were encrypted, and in the store they are not"); says != (c.mount != "") {
			t.Errorf("export %s: got %q", c.export, r.err)
		}
	}
}

func TestBadExportsAreRefused(t *testing.T) {
	dir := scratch(t)
	in := command{dir: dir}
	seed(t, dir+"/store")
	in.ok(t, `echo there > file; echo short > key; head -c 32 /dev/urandom > open; chmod 600 key; chmod 644 open`)
	before := checksums(t, dir)
	for _, c := range []struct {
		name, args string
		code       int
		want       string
	}{
		{"no form", "store/S", 2, "--jsonl"},
		{"nothing", "--jsonl", 2, "a SOURCE/STREAM"},
		{"a store alone", "--jsonl store", 2, "names no stream"},
		{"a store with a slash", "--jsonl store/", 2, "names no stream"},
		{"a stream that is not there", "--jsonl store/T", 1, "not found"},
		{"a store that is not there", "--jsonl nothing/S", 1, "there is no store"},
		{"a file that is there", "--jsonl store/S file", 1, "is there already"},
		{"a directory that is not there", "--jsonl store/S nothing/file", 1, "no such file"},
		{"a key without envelopes", "--jsonl --legacy-key-file open store/S", 2, "give --fsv2"},
		{"a key that is too short", "--jsonl --fsv2 --legacy-key-file key store/S", 2, "32 bytes or 64 hexadecimal digits"},
		{"a key that others may read", "--jsonl --fsv2 --legacy-key-file open store/S", 2, "make it 0600"},
		{"a key that is not there", "--jsonl --fsv2 --legacy-key-file nothing store/S", 2, "no such file"},
		{"a cipher of no name", "--jsonl --fsv2 --cipher rot13 store/S", 2, "neither aes nor chacha20"},
		{"a compression of no name", "--jsonl --fsv2 --compression zip store/S", 2, "neither s2 nor none"},
		{"a memory store", "--jsonl mem:/S", 1, "a memory store is gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := in.run(t, `exec timeout 100 "$JSFS" export `+c.args)
			if r.code != c.code || !strings.Contains(r.err, c.want) || r.out != "" {
				t.Errorf("got %+v, want exit code %d and %q", r, c.code, c.want)
			}
		})
	}
	if got := checksums(t, dir); got != before {
		t.Errorf("what is there changed:\n%s\nwas:\n%s", got, before)
	}
}

func TestAKilledExportLeavesNothing(t *testing.T) {
	dir := scratch(t)
	in := command{dir: dir}
	seed(t, dir+"/store")
	in.ok(t, `mkdir out`)
	for _, call := range []string{"fsync", "linkat"} {
		r := in.run(t, `strace -f -qq -o /dev/null -e trace=`+call+` -e inject=`+call+`:signal=SIGKILL "$JSFS" export --jsonl store/S out/file`)
		if got := in.ok(t, `ls -A out`); r.code == 0 || got != "" {
			t.Errorf("killed at %s: got %+v, and there is %q, want nothing", call, r, got)
		}
	}
	in.ok(t, `"$JSFS" export --jsonl store/S out/file; test "$(ls -A out)" = file; test $(wc -l < out/file) = 2; test $(stat -c %a out/file) = 600`)
	// A file system that has no files without a name.
	in.ok(t, `strace -f -qq -o /dev/null -P "$PWD/out" -e trace=openat -e inject=openat:error=EOPNOTSUPP:when=1 "$JSFS" export --jsonl store/S out/other
		cmp out/file out/other; test "$(echo $(ls -A out))" = "file other"`)
}

func TestKillingAConversionLosesAndDoublesNothing(t *testing.T) {
	t.Parallel()
	dir := scratch(t)
	in := command{dir: dir}
	files := map[string]string{}
	for _, stream := range []string{"A", "B", "C"} {
		var b strings.Builder
		for seq := 1; seq <= 4000; seq++ {
			b.WriteString(strings.Replace(oldLine(seq%60, "s", stream+itoa(seq)+"\n"), fmt.Sprintf(":%d,", seq%60), ":"+itoa(2*seq)+",", 1))
		}
		files[stream+"/messages.jsonl"] = b.String() + "bad\n"
	}
	killed := 0
	for round := range 4 {
		old := "old" + itoa(round)
		if err := os.Mkdir(dir+"/"+old, 0o700); err != nil {
			t.Fatal(err)
		}
		writeFiles(t, dir+"/"+old, files)
		for try := range 2 {
			r := in.run(t, fmt.Sprintf(`timeout -s KILL 0.%03d "$JSFS" mount %s mnt; test $? = 137 && ! mountpoint -q mnt && test -e %s/C/messages.jsonl`, 30+60*round+20*try, old, old))
			if r.code == 0 {
				killed++
			}
			in.run(t, `"$JSFS" umount mnt || umount -l mnt`)
		}
		got := in.ok(t, `"$JSFS" mount --log-level=error --daemon `+old+` mnt >&2 && for s in A B C; do ls mnt/$s | wc -l; cat mnt/$s/.log | sha256sum; ls mnt/$s | tail -n 1; done; "$JSFS" umount mnt
			ls `+old+`/A `+old+`/B `+old+`/C; "$JSFS" check `+old+` | grep damaged`)
		want := in.ok(t, `for s in A B C; do echo 4000; seq 4000 | sed s/^/$s/ | sha256sum; echo 000000008000; done
			for s in A B C; do echo `+old+`/$s:; echo messages.jsonl.migrated; test $s = C || echo; done; echo nothing is damaged`)
		if got != want {
			t.Fatalf("round %d: got\n%s\nwant\n%s", round, got, want)
		}
	}
	if killed == 0 {
		t.Error("no conversion was killed before it was done")
	}
	t.Logf("%d conversions were killed before they were done", killed)
}

func TestOneBadLineIsToldAsOne(t *testing.T) {
	dir := scratch(t)
	writeFiles(t, dir+"/old", map[string]string{"S/messages.jsonl": oldLine(1, "a", "one\n") + "not a message\n"})
	r := command{dir: dir}.run(t, `"$JSFS" mount --log-level=error --daemon old mnt && "$JSFS" umount mnt`)
	if r.code != 0 || !strings.Contains(r.err, "1 line that is no message is kept in quarantine/") {
		t.Errorf("got %+v", r)
	}
}

// Who lost jsfs.store alone is not told to take another directory.
func TestAStoreWithoutItsMarkerIsTold(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; echo one > S/x")
	m.stop()
	sh(t, "rm "+quoted(m.store+"/jsfs.store"))
	r := command{dir: m.store + "/.."}.run(t, `"$JSFS" check `+quoted(m.store))
	if r.code != 2 || !strings.Contains(r.err, "lost its jsfs.store") || !strings.Contains(r.err, "jsfs rescue") {
		t.Errorf("got %+v, want where to go from here", r)
	}
}
