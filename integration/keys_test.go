package integration

import (
	"strings"
	"testing"
)

// keyedStores makes the stores one, two and three, encrypted with one.key (AES), two.key (ChaCha20) and a passphrase, and plain,
// each with a stream S of its own and some drafts, in a directory with the keys.
func keyedStores(t *testing.T) command {
	t.Helper()
	c := command{dir: scratch(t)}
	c.ok(t, `for k in one two wrong; do head -c 32 /dev/urandom > $k.key; done; chmod 600 *.key; echo "correct horse" > phrase
		fill() { mkdir mnt/S && seq -f "secret $1 %.0f" 500 >> mnt/S/.log && head -c 5000 /dev/urandom > mnt/S/y && rm mnt/S/3 && echo "secret draft" > mnt/S/.draft && "$JSFS" umount mnt; }
		"$JSFS" mount --daemon --sync=never --key-file one.key one mnt; fill one
		"$JSFS" mount --daemon --sync=never --key-file two.key --cipher chacha20 -o compression=s2 two mnt; fill two
		"$JSFS" mount --daemon --sync=never --passphrase=fd:5 three mnt 5< phrase; fill three
		"$JSFS" mount --daemon --sync=never plain mnt; fill plain`)
	return c
}

// keyed is one command that needs keys: it must do its work, and check be true then.
var keyed = []struct{ name, cmd, check string }{
	{"copy from one key to another", `copy --verify --key-file one.key --dest-key-file two.key one/S two/T`,
		`"$JSFS" check --key-file two.key two && same "--key-file one.key" one S "--key-file two.key" two T && same "--key-file two.key" two S "--key-file two.key" two S`},
	{"copy into a new store with a key", `copy --key-file one.key --dest-key-file two.key --dest-cipher chacha20 one/S new/`,
		`same "--key-file one.key" one S "--key-file two.key" new S && sealed new`},
	{"copy into a new store with a passphrase", `copy --key-file one.key --dest-passphrase=fd:5 one/S new/ 5< phrase`,
		`same "--key-file one.key" one S "--passphrase=fd:5" new S && sealed new`},
	{"copy with passphrases on both sides", `copy --passphrase=fd:5 --dest-passphrase=fd:6 three/S new/ 5< phrase 6<<< other`,
		`"$JSFS" check --passphrase=fd:5 new 5<<< other && sealed new`},
	{"copy out of encryption", `copy --key-file one.key one/S plain/T`, `same "--key-file one.key" one S "" plain T`},
	{"copy into encryption", `copy --dest-key-file two.key plain/S two/T`, `same "" plain S "--key-file two.key" two T`},
	{"copy inside a store", `copy --key-file one.key one/S one/T`, `same "--key-file one.key" one S "--key-file one.key" one T`},
	{"rescue with two keys", `rescue --verify --key-file one.key --dest-key-file two.key one new`,
		`same "--key-file one.key" one S "--key-file two.key" new S && sealed new && mounted "--key-file two.key" new`},
	{"rescue with passphrases", `rescue --passphrase=fd:5 --dest-passphrase=fd:6 --dest-cipher chacha20 three new 5< phrase 6< phrase`,
		`same "--passphrase=fd:5" three S "--passphrase=fd:5" new S && sealed new`},
	{"rescue out of encryption", `rescue --passphrase=fd:5 three new 5< phrase`, `same "--passphrase=fd:5" three S "" new S && mounted "" new`},
	{"rescue without jsfs.store", `rescue --key-file one.key --dest-key-file two.key lame new`,
		`same "--key-file one.key" one S "--key-file two.key" new S`},
	{"export", `export --jsonl --key-file one.key one/S out.jsonl`, `test $(wc -l < out.jsonl) = 500`},
	{"export with a passphrase into envelopes", `export --jsonl --fsv2 --legacy-key-file two.key --passphrase=fd:5 three/S out.jsonl 5< phrase`,
		`test $(wc -l < out.jsonl) = 500 && mkdir -p old/S && mv out.jsonl old/S/messages.jsonl && "$JSFS" mount --daemon --legacy-key-file two.key old mnt && test "$(cat mnt/S/2)" = "secret three 2" && "$JSFS" umount mnt`},
	{"backup", `backup --verify --key-file one.key one out.jsonl.zst`, `"$JSFS" restore --check out.jsonl.zst`},
	{"backup with a passphrase", `backup --passphrase=fd:5 three out 5< phrase`, `"$JSFS" restore --check out`},
	{"restore into a passphrase", `restore --verify --passphrase=fd:5 --cipher chacha20 plain.jsonl new 5< phrase`, `same "" plain S "--passphrase=fd:5" new S && sealed new`},
	{"restore beside others", `restore --stream S --as T --key-file one.key plain.jsonl one`, `same "" plain S "--key-file one.key" one T`},
	{"check", `check --json --key-file one.key one > out`, `grep -q '"messages": 500' out && ! grep key_missing out`},
	{"check with a passphrase", `check --passphrase=fd:5 three 5< phrase > out`, `grep -q 'S: 500 messages' out`},
	{"check without the key", `check one > out`, `grep -q "no key was given" out`},
	{"check forgets old files", `check --forget-migrated --key-file two.key converted`, `! test -e converted/OLD`},
	{"dump", `dump --records --key-file one.key one/S > out`, `test $(grep -c 'subject "s"' out) = 500 && ! grep WRONG out`},
	{"dump with a passphrase", `dump --records --passphrase=fd:5 three 5< phrase > out`, `grep -q '"name":"S"' out && ! grep WRONG out`},
	{"dump a block", `dump --records --key-file two.key two/streams/*1/*1.blk > out`, `test $(grep -c 'subject "s"' out) = 500`},
	{"dump without the key", `dump --records one > out`, `grep -q encrypted out; ! grep -q 'subject "s"' out || wrong; ! grep WRONG out`},
	{"rekey to a passphrase", `rekey --key-file one.key --new-passphrase=fd:5 one 5< phrase`, `"$JSFS" check --passphrase=fd:5 one 5< phrase`},
	{"rekey from a passphrase", `rekey --passphrase=fd:5 --new-key-file one.key three 5< phrase`, `"$JSFS" check --key-file one.key three`},
}

// keyedShell compares streams of stores by what a backup of them has, and looks for what should be sealed.
const keyedShell = `
	content() { rm -rf content; "$JSFS" backup --plain $1 --stream "$3" "$2" content 5< phrase > /dev/null && grep -h '^{"seq"' content/*; }
	same() { content "$1" "$2" "$3" > one.content && content "$4" "$5" "$6" > two.content && cmp one.content two.content && test $(wc -l < one.content) -ge 500; }
	sealed() { ! grep -raq secret $1; }
	mounted() { "$JSFS" mount --daemon $1 $2 mnt && test "$(cat mnt/S/.draft)" = "secret draft" && "$JSFS" umount mnt; }
	`

// TestEveryCommandTakesKeys runs every command that opens a store on encrypted ones, with keys and with passphrases.
func TestEveryCommandTakesKeys(t *testing.T) {
	t.Parallel()
	c := keyedStores(t)
	c.ok(t, `"$JSFS" backup --plain plain plain.jsonl; cp -a one lame; rm lame/jsfs.store
		mkdir -p converted/OLD; echo '{"Sequence":1,"PayloadBase64":"aGk=","TimestampUtc":"2023-04-05T08:07:01Z"}' > converted/OLD/messages.jsonl
		"$JSFS" mount --daemon --key-file two.key converted mnt; "$JSFS" umount mnt; test -e converted/OLD/messages.jsonl.migrated
		mkdir all; cp -a one two three plain lame converted all`)
	for _, k := range keyed {
		t.Run(k.name, func(t *testing.T) {
			c.ok(t, keyedShell+`"$JSFS" `+k.cmd+" && "+k.check)
			c.ok(t, `rm -rf new out out.jsonl* old one two three plain lame converted; cp -a all/* .`)
		})
	}
}

// wrongKeys are command lines with keys that are not the right ones, or none, in the directory of keyedStores.
var wrongKeys = []struct{ args, want string }{
	{`copy one/S new/`, "give what unlocks it with --key-file"},
	{`copy --key-file wrong.key one/S new/`, "wrong or missing key"},
	{`copy --key-file one.key plain/S new/`, "made without a key"},
	{`copy --passphrase=fd:5 one/S new/ 5< phrase`, "a key unlocks it, no passphrase"},
	{`copy --key-file one.key three/S new/`, "a passphrase unlocks it, no key"},
	{`copy --key-file one.key one/S two/T`, "give what unlocks it with --dest-key-file"},
	{`copy --key-file one.key --dest-key-file one.key one/S two/T`, "with --dest-key-file"},
	{`copy --key-file one.key --dest-key-file one.key one/S plain/T`, "made without a key"},
	{`copy --key-file one.key --dest-key-file one.key one/S one/T`, "both source and destination"},
	{`copy --key-file one.key --dest-key-file nothing one/S new/`, "no such file"},
	{`copy --key-file one.key --dest-cipher aes one/S new/`, "give --dest-key-file"},
	{`copy --key-file one.key --dest-cipher rot13 --dest-key-file two.key one/S new/`, "--dest-cipher"},
	{`copy --key-file one.key --dest-key-file two.key --dest-passphrase=fd:5 one/S new/`, "not both"},
	{`copy --key-file one.key --dest-key-file two.key --dest-cipher aes one/S two/T`, "encrypted with"},
	{`rescue one new`, "give what unlocks it"},
	{`rescue --key-file wrong.key one new`, "wrong or missing key"},
	{`rescue --key-file wrong.key lame new`, "wrong or missing key"},
	{`rescue lame new`, "give what unlocks it"},
	{`rescue --key-file one.key keyless new`, "jsfs.key, the envelope of the key, is missing"},
	{`rescue --key-file one.key --dest-key-file wrong.key one two`, "with --dest-key-file"},
	{`export --jsonl one/S out`, "give what unlocks it"},
	{`export --jsonl --key-file wrong.key one/S out`, "wrong or missing key"},
	{`backup one out`, "give what unlocks it"},
	{`backup --key-file wrong.key one out`, "wrong or missing key"},
	{`backup --passphrase=fd:5 three out 5<<< wrong`, "wrong or missing key"},
	{`restore --key-file wrong.key plain.jsonl one`, "wrong or missing key"},
	{`restore plain.jsonl one`, "give what unlocks it"},
	{`restore --key-file one.key plain.jsonl plain`, "made without a key"},
	{`check --key-file wrong.key one`, "wrong or missing key"},
	{`check --passphrase=fd:5 three 5<<< wrong`, "wrong or missing key"},
	{`check --forget-migrated one`, "give what unlocks it"},
	{`dump --key-file wrong.key one`, "wrong or missing key"},
	{`dump --key-file one.key plain`, "made without a key"},
	{`rekey --key-file wrong.key --new-key-file two.key one`, "wrong or missing key"},
	{`rekey --passphrase=fd:5 --new-key-file two.key three 5<<< wrong`, "wrong or missing key"},
	{`rekey --key-file one.key --new-key-file two.key plain`, "made without a key"},
	{`mount --key-file "" new mnt`, "nothing would be encrypted"},
	{`mount --passphrase= new mnt`, "nothing would be encrypted"},
	{`copy --key-file one.key --dest-key-file= one/S new/`, "nothing would be encrypted"},
	{`export --jsonl --fsv2 --legacy-key-file= plain/S out`, "nothing would be encrypted"},
}

func TestWrongKeysAreRefusedAndChangeNothing(t *testing.T) {
	t.Parallel()
	c := keyedStores(t)
	c.ok(t, `"$JSFS" backup --plain plain plain.jsonl; cp -a one lame; rm lame/jsfs.store; cp -a one keyless; rm keyless/jsfs.key`)
	sums := func() string {
		return c.ok(t, `find . -type f -exec sha256sum {} + | sort; ls -d new out 2> /dev/null || true`)
	}
	before := sums()
	for _, w := range wrongKeys {
		r := c.run(t, `exec timeout 60 "$JSFS" `+w.args)
		if r.code != 1 && r.code != 2 || !strings.Contains(r.err, w.want) || strings.Count(r.err, "\n") > 2 {
			t.Errorf("jsfs %s: got %+v, want a sentence with %q", w.args, r, w.want)
		}
		if strings.Contains(r.out+r.err, "secret") {
			t.Errorf("jsfs %s: it tells what is in the store: %+v", w.args, r)
		}
	}
	if after := sums(); after != before {
		t.Errorf("what is there changed:\n%s\nwas:\n%s", after, before)
	}
}
