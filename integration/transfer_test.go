package integration

import (
	"fmt"
	"strings"
	"testing"
)

// transferStores makes stores in a directory: a, with the stream S of many messages, some of them removed, T of
// a few and EMPTY of none; b, another one; none of them is mounted.
func transferStores(t *testing.T, messages int) command {
	t.Helper()
	c := command{dir: scratch(t)}
	c.ok(t, fmt.Sprintf(`"$JSFS" mount --daemon --sync=interval a mnt
		mkdir mnt/S mnt/T mnt/EMPTY
		seq -f 'message number %%.0f of this stream, and some more text' %d >> mnt/S/.log
		printf 'no newline' > mnt/S/x; head -c 300 /dev/urandom > mnt/S/y; : > mnt/S/z; sync mnt/S
		cd mnt/S; rm -f 1 2 17 500 "$(ls | tail -n 1)"; cd ../..
		mkdir mnt/S/.jsfs/consumers/billing mnt/S/.jsfs/consumers/unused; cd mnt/S/.jsfs/consumers/billing
		echo '{"ack_wait":3600000000000}' > config # what is delivered stays so, however long a test takes
		for i in 1 2 3 4 5; do cat next > ../../../../../taken.$i; done; rm pending/000000000003 pending/000000000005; mv pending/6 nak/; cat next; cd ../../../../..
		echo one > mnt/T/a; echo two > mnt/T/b; rm mnt/T/2
		"$JSFS" umount mnt
		"$JSFS" mount --daemon b mnt; mkdir mnt/OTHER; echo other > mnt/OTHER/x; "$JSFS" umount mnt`, messages))
	return c
}

// contents prints the messages and the consumers of all streams of a store, and where each stream ends.
const contents = `contents() {
	rm -rf "contents.$1"; "$JSFS" backup --plain --stream "$2" "$1" "contents.$1" > /dev/null || return
	grep -ahE '^{"(seq|consumer)"' "contents.$1"/* || true; sed -n '1s/.*"last_seq":\([0-9]*\),"last_time":"\([^"]*\)".*/\1 \2/p' "contents.$1"/*.jsonl
}
same() { # the stream $2 of store $1 is stream $4 of store $3
	contents "$1" "$2" > one && contents "$3" "$4" > two && cmp one two && test -s one
}
`

func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	c := transferStores(t, 3000)
	for _, to := range []string{"dir", "file.jsonl", "file.jsonl.zst"} {
		t.Run(to, func(t *testing.T) {
			c.ok(t, contents+`
				"$JSFS" backup --verify a `+to+` > out; grep -q '^S: 2998 messages' out; grep -q '^EMPTY: 0 messages' out
				"$JSFS" backup a `+to+` | grep -q '^S: .*2998 of them were there already'
				"$JSFS" restore --check `+to+` > out2; cmp out out2
				"$JSFS" restore --verify `+to+` back; "$JSFS" check back; for s in S T EMPTY; do same a $s back $s; done
				"$JSFS" restore --stream T --as T2 `+to+` back; same a T back T2
				"$JSFS" restore `+to+` back | grep -q '2998 of them were there already'
				"$JSFS" mount --daemon back mnt; ls mnt | tr '\n' ' ' | grep -qx 'EMPTY S T T2 '; test "$(cat mnt/T/1)" = one
				echo three > mnt/T/c; test -e mnt/T/000000000003
				cd mnt/S/.jsfs/consumers; test "$(ls billing/pending | tr '\n' ' ')" = '000000000004 000000000006 000000000007 '
				cat billing/next | grep -q 'message number 8 '; grep -q '"num_redelivered": 1' billing/info; test "$(cat unused/next)" = "$(cat ../../000000000003)"
				cd ../../../..; "$JSFS" umount mnt; rm -r back`)
		})
	}
}

// TestAPartOfABackupIsRestoredAlone has one of a backup's files, and asks for the stream in it.
func TestAPartOfABackupIsRestoredAlone(t *testing.T) {
	t.Parallel()
	c := transferStores(t, 20)
	c.ok(t, contents+`set -e; "$JSFS" backup a dir; mkdir part; cp dir/S.jsonl.zst part; "$JSFS" restore --stream S part alone; same a S alone S
		! "$JSFS" restore part all 2> said || wrong; grep -q 'is not whole: it had 3 streams, and 1 are here' said`)
}

// TestNewDirectoriesAreDurable looks whether the names of directories that are made are synced, with what is in them.
func TestNewDirectoriesAreDurable(t *testing.T) {
	t.Parallel()
	c := transferStores(t, 20)
	c.ok(t, `set -e; synced() { grep -Eq "fsync\([0-9]+<$1>\) += 0" trace; }
		strace -f -y -e trace=fsync -o trace "$JSFS" backup a new/backup; synced "$PWD"; synced "$PWD/new"; synced "$PWD/new/backup"
		strace -f -y -e trace=fsync -o trace "$JSFS" restore new/backup other/store; synced "$PWD"; synced "$PWD/other"; synced "$PWD/other/store"`)
}

func TestCopy(t *testing.T) {
	t.Parallel()
	c := transferStores(t, 3000)
	c.ok(t, contents+`
		"$JSFS" copy --verify a/S b/S; same a S b S; "$JSFS" copy a/S b/ | grep -q '2998 of them were there already'
		"$JSFS" copy a/S a/S2; same a S a S2; "$JSFS" copy ./a/T new/T; same a T new T
		"$JSFS" copy a/EMPTY b/; same a EMPTY b EMPTY
		for s in a b new; do "$JSFS" check $s; done`)
}

// transferRefusals are command lines that must be refused with a sentence, in a directory with the stores of
// transferStores, a backup of a in dir, and the store m, which is mounted at mm.
var transferRefusals = []struct{ args, want string }{
	{"backup", "a SOURCE and a DIR or FILE"},
	{"backup nothing new", "there is no store"},
	{"backup mem: new", "a memory store is gone"},
	{"backup file new", "source file is a file"},
	{"backup other new", "belongs to something else"},
	{"backup m new", "mounted at"},
	{"backup mm new", "is in the mount of"},
	{"backup mm/S new", "is in the mount of"},
	{"check mm", "is in the mount of"},
	{"mount mm new", "is in the mount of"},
	{"backup a a/inside", "in its own store"},
	{"backup a a", "in its own store"},
	{"backup a other", "is not empty: precious is no part of this backup"},
	{"backup b dir", "is not empty"},
	{"backup a file.jsonl", "file.jsonl exists already: it is no whole backup"},
	{"backup a missing/x.jsonl", "its directory does not exist"},
	{"backup empty new", "has no streams"},
	{"backup --stream NONE a new", "not found"},
	{"restore nothing new", "no such file"},
	{"restore other new", "there is no file in it whose name ends in"},
	{"restore file.jsonl new", "no backup of jsfs begins here"},
	{"restore dir m", "run `jsfs umount"},
	{"restore dir file", "source file is a file"},
	{"restore --as X dir new", "--as needs --stream"},
	{"restore --stream NONE dir b", "has no stream NONE"},
	{"restore unfinished new", "is not finished"},
	{"restore partial new2", "is not whole: it had 3 streams, and 2 are here"},
	{"restore --stream T --as OTHER dir b", "exists already"},
	{"copy a/NONE new/S", "not found"},
	{"copy a/S a/S", "are the same stream"},
	{"copy a/T b/OTHER", "exists already"},
	{"copy a b", "names no stream of a store"},
	{"copy a/ b/", "names no stream"},
	{"copy m/S b/", "mounted at"},
	{"copy a/S m/S", "mounted at"},
	{"rescue nothing new", "there is no store"},
	{"rescue other new", "belongs to something else"},
	{"rescue m new", "mounted at"},
	{"rescue a a", "into itself"},
	{"rescue a a/new", "inside the store"},
	{"rescue a b", "stream OTHER exists already"},
	{"restore --check pipe.jsonl", "no regular file"},
	{"restore pipe.jsonl new", "no regular file"},
	{"rescue piped new", "no regular file"},
}

func TestBadTransfersAreRefusedAndChangeNothing(t *testing.T) {
	c := transferStores(t, 20)
	c.ok(t, `"$JSFS" backup a dir; "$JSFS" mount --daemon m mm; mkdir mm/S other unfinished partial; echo x > other/precious
		mkdir piped; mkfifo pipe.jsonl piped/jsfs.store
		echo x > file; echo nonsense > file.jsonl; cp dir/S.jsonl.zst unfinished/S.jsonl.zst.part; cp dir/[ST]* partial
		"$JSFS" mount --daemon empty mnt; "$JSFS" umount mnt`)
	t.Cleanup(func() { c.ok(t, `"$JSFS" umount mm`) })
	sums := func() string {
		return c.ok(t, `find a b empty dir other file file.jsonl unfinished -type f ! -name lock -exec sha256sum {} + | sort; ls -d new 2> /dev/null || true`)
	}
	before := sums()
	for _, r := range transferRefusals {
		got := c.run(t, `exec timeout 60 "$JSFS" `+r.args)
		if got.code != 1 && got.code != 2 || !strings.Contains(got.err, r.want) || strings.Count(got.err, "\n") > 2 {
			t.Errorf("jsfs %s: got %+v, want a sentence with %q", r.args, got, r.want)
		}
	}
	if after := sums(); after != before {
		t.Errorf("what is there changed:\n%s\nwas:\n%s", after, before)
	}
}

func TestADamagedBackupIsToldAndNothingWrongRestored(t *testing.T) {
	t.Parallel()
	c := transferStores(t, 60_000)
	c.ok(t, `"$JSFS" backup --stream S a good.jsonl.zst`)
	for _, damage := range []string{
		`head -c $(($(stat -c %s good.jsonl.zst) * 3 / 4)) good.jsonl.zst > bad.jsonl.zst`,
		`cp good.jsonl.zst bad.jsonl.zst; printf 'XXXXXXXX' | dd of=bad.jsonl.zst bs=1 conv=notrunc seek=$(($(stat -c %s good.jsonl.zst) * 3 / 4)) 2> /dev/null`,
	} {
		r := c.run(t, contents+damage+`; rm -rf back; "$JSFS" restore --check bad.jsonl.zst 2>&1; "$JSFS" restore bad.jsonl.zst back`)
		if r.code != 1 || !strings.Contains(r.err, "can't be used from byte") || !strings.Contains(r.err, "messages are good (up to") || !strings.Contains(r.out, "can't be used") {
			t.Errorf("got %+v", r)
		}
		c.ok(t, contents+`contents back S | grep '^{"seq"' > part; contents a S | grep '^{"seq"' > whole; cmp -n $(stat -c %s part) part whole; test $(wc -l < part) -gt 20000
			"$JSFS" restore --verify good.jsonl.zst back; same a S back S; "$JSFS" check back`)
	}
}

func TestDump(t *testing.T) {
	c := transferStores(t, 300)
	c.ok(t, `sums() { find a -type f ! -name lock -exec sha256sum {} +; }; sums > before
		test $("$JSFS" dump --records a/S | grep -c 'subject "s"') = 300; "$JSFS" dump a | grep -q 'stream "EMPTY"'; ! "$JSFS" dump a | grep WRONG || wrong
		sums | cmp before -; cp a/streams/*1/00000001.blk one.blk; rm a/jsfs.store a/streams/*1/state
		printf 'XXXXXXXX' | dd of=one.blk bs=1 conv=notrunc seek=10000 2> /dev/null; test $("$JSFS" dump one.blk | grep -c WRONG) = 1
		"$JSFS" dump a | grep -q 'jsfs.store: , MISSING'; test $("$JSFS" dump --records --block 1 a/S | grep -c 'subject "s"') = 300`)
	for args, want := range map[string]string{
		"a/NONE": "no such stream", "--block 9 a/S": "no such stream or block", "nothing": "no such file", "contents": "is no store", "": "takes a SOURCE",
	} {
		if r := c.run(t, `mkdir -p contents; exec "$JSFS" dump `+args); r.code != 2 || !strings.Contains(r.err, want) {
			t.Errorf("dump %s: got %+v, want %q", args, r, want)
		}
	}
}

func TestRescue(t *testing.T) {
	c := transferStores(t, 3000)
	c.ok(t, `cp -a a broken; f=$(ls broken/streams/*1/*.blk); printf 'XXXXXXXX' | dd of=$f bs=1 conv=notrunc seek=40000 2> /dev/null; rm broken/jsfs.store`)
	r := c.run(t, `find broken -type f -exec sha256sum {} + > before; "$JSFS" rescue --verify --json broken new > report; code=$?
		find broken -type f -exec sha256sum {} + | cmp - before && exit $code`)
	if r.code != 1 || !strings.Contains(r.err, "lost: 1 message; everything else is rescued") {
		t.Errorf("got %+v", r)
	}
	c.ok(t, contents+`"$JSFS" check new; same a T new T; contents a S > was; contents new S > is
		test "$(diff was is | grep -c '^<')" = 1; grep -q '"lost"' report; grep -q '"first_seq"' report
		"$JSFS" rescue broken new | grep -q '2997 of them were there already'; "$JSFS" rescue a whole | grep -q '^S: 2998 messages'`)
}

// TestTransfersGoOnAfterKill kills each command as one of its threads enters its Nth write, a later one each time, and lets it
// finish. How many writes a thread makes is up to the scheduler: where none gets so far the command has finished, and the next one
// begins anew with the first write.
func TestTransfersGoOnAfterKill(t *testing.T) {
	t.Parallel()
	needs(t, "strace")
	c := transferStores(t, scaled(20_000, 60_000, 60_000))
	c.ok(t, `"$JSFS" backup a dir; for k in k1 k2; do head -c 32 /dev/urandom > $k; chmod 600 $k; done; "$JSFS" copy --dest-key-file k1 a/S sealed/`)
	for _, cmd := range []struct{ args, check string }{
		{"rescue a new", `same a S new S && same a T new T && "$JSFS" check new`},
		{"copy --key-file k1 --dest-key-file k2 sealed/S new/", `"$JSFS" check --key-file k2 new && "$JSFS" copy --key-file k2 new/S back/ && same a S back S`},
		{"backup a new", `"$JSFS" restore --verify new back && same a S back S && same a T back T`},
		{"backup a new.jsonl", `"$JSFS" restore --verify new.jsonl back && same a S back S && same a T back T`},
		{"restore dir new", `same a S new S && same a T new T && "$JSFS" check new`},
		{"copy a/S new/S", `same a S new S && "$JSFS" check new`},
	} {
		t.Run(cmd.args, func(t *testing.T) {
			for killed, when := 0, 1; killed < scaled(6, 12, 40); when++ {
				r := c.run(t, fmt.Sprintf(`strace -f -qq -o /dev/null -e trace=pwrite64,fsync,rename,renameat -e inject=pwrite64,fsync,rename,renameat:signal=SIGKILL:when=%d "$JSFS" %s`, when, cmd.args))
				switch {
				case r.code == 128+9:
					killed++
				case r.code != 0 || when == 1:
					t.Fatalf("got %+v, want a kill at write %d", r, when)
				default:
					c.ok(t, contents+cmd.check+"; rm -rf back new new.jsonl*")
					when = 0
				}
			}
			c.ok(t, contents+`"$JSFS" `+cmd.args+" && "+cmd.check)
			c.ok(t, `rm -rf back new new.jsonl*`)
		})
	}
}

func TestAnInterruptGoesOn(t *testing.T) {
	c := transferStores(t, 60_000)
	r := c.run(t, `"$JSFS" copy a/S new/S & sleep 0.05; kill -INT $!; wait $!`)
	if r.code != 0 && (r.code != 1 || !strings.Contains(r.err, "the same command goes on where it stopped")) {
		t.Errorf("got %+v", r)
	}
	c.ok(t, contents+`"$JSFS" copy --verify a/S new/S; same a S new S; "$JSFS" check new`)
}

// TestTransfersOntoAFullDisk fills a small disk: nothing is lost, and the command goes on when there is room.
func TestTransfersOntoAFullDisk(t *testing.T) {
	t.Parallel()
	c := transferStores(t, 60_000)
	c.ok(t, `"$JSFS" backup a dir; mkdir disk`)
	for _, cmd := range []struct{ args, check string }{
		{"backup a disk/new.jsonl", `"$JSFS" restore --verify disk/new.jsonl back && same a S back S`},
		{"restore dir disk/new", `ln -s disk/new new && same a S new S && "$JSFS" check new`},
		{"copy a/S disk/new/S", `ln -s disk/new new && same a S new S && "$JSFS" check new`},
	} {
		t.Run(cmd.args, func(t *testing.T) {
			c.ok(t, `mount -t tmpfs -o size=3m none disk; mountpoint -q disk`)
			defer c.ok(t, `umount disk; rm -rf back new`)
			before := c.ok(t, `find a dir -type f ! -name lock -exec sha256sum {} +`)
			if r := c.run(t, `"$JSFS" `+cmd.args); r.code != 1 || !strings.Contains(r.err, "the disk is full; make room") {
				t.Errorf("got %+v", r)
			}
			if after := c.ok(t, `find a dir -type f ! -name lock -exec sha256sum {} +`); after != before {
				t.Errorf("the original changed")
			}
			c.ok(t, contents+`mount -o remount,size=60m disk && "$JSFS" `+cmd.args+" && "+cmd.check)
		})
	}
}
