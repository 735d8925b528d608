package integration

import (
	"os"
	"strings"
	"testing"
)

// TestAnEncryptedStore makes, mounts, checks and rekeys encrypted stores as people do.
func TestAnEncryptedStore(t *testing.T) {
	t.Parallel()
	for _, cipher := range []string{"aes", "chacha20"} {
		t.Run(cipher, func(t *testing.T) {
			dir := scratch(t)
			in := command{dir: dir}
			in.ok(t, `head -c 32 /dev/urandom > key; od -An -tx1 -v key | tr -d ' \n' > hex; head -c 32 /dev/urandom > other; chmod 600 key hex other`)
			in.ok(t, `"$JSFS" mount --daemon --key-file key --cipher `+cipher+` -o compression=s2 store mnt
				mkdir mnt/ORDERS; for i in 1 2 3; do yes "secret payload $i" | head -n 100 > mnt/ORDERS/orders.new; done
				echo "a secret draft" > mnt/ORDERS/.draft; rm mnt/ORDERS/2`)
			if cmdline := in.ok(t, `cat /proc/[0-9]*/cmdline | tr '\0' ' '`); strings.Contains(cmdline, in.ok(t, "cat hex")) {
				t.Error("the key is in a command line")
			}
			in.ok(t, `"$JSFS" umount mnt`)
			if r := in.run(t, `grep -raEl 'secret|ORDERS|orders' store`); r.out != "" {
				t.Errorf("in the clear: %s", r.out)
			}
			before := checksums(t, dir+"/store")
			for args, want := range map[string]string{
				"mount store mnt":                                  "give what unlocks it",
				"mount --key-file other store mnt":                 "wrong or missing key",
				"mount --key-file store/lock store mnt":            "it is to protect",
				"mount --key-file key --passphrase=fd:0 store mnt": "not both",
				"mount --passphrase=secret store mnt":              "never an argument",
				"mount --passphrase=fd:0 store mnt":                "a key unlocks it, no passphrase",
				"mount --cipher rot13 --key-file key store mnt":    "is no cipher",
				"check --key-file other store":                     "wrong or missing key",
				"rekey --key-file other --new-key-file key store":  "wrong or missing key",
				"rekey --key-file key store":                       "--new-key-file",
				"backup store out":                                 "give what unlocks it",
			} {
				if strings.HasPrefix(args, "mount --cipher") || strings.Contains(args, "store/lock") {
					in.ok(t, `chmod 600 store/lock`)
				}
				if r := in.run(t, `echo phrase | timeout 100 "$JSFS" `+args); r.code == 0 || !strings.Contains(r.err, want) {
					t.Errorf("%s: got %+v, want %q", args, r, want)
				}
			}
			in.ok(t, `chmod 644 hex`)
			if r := in.run(t, `timeout 100 "$JSFS" mount --key-file hex store mnt`); r.code == 0 || !strings.Contains(r.err, "make it 0600") {
				t.Errorf("a key that others may read: got %+v", r)
			}
			if got := checksums(t, dir+"/store"); got != before {
				t.Errorf("a refusal changed the store:\n%s\nwas:\n%s", got, before)
			}
			if out := in.ok(t, `"$JSFS" check store`); !strings.Contains(out, "no key was given") || !strings.Contains(out, "nothing is damaged") {
				t.Errorf("check without the key: got %q", out)
			}
			if out := in.ok(t, `"$JSFS" check --key-file fd:7 store 7<key`); !strings.Contains(out, "ORDERS: 2 messages") || strings.Contains(out, "no key") {
				t.Errorf("check with the key: got %q", out)
			}
			in.ok(t, `"$JSFS" backup --key-file key store b.jsonl && "$JSFS" restore --key-file other --cipher `+cipher+` b.jsonl copy`)
			if out := in.ok(t, `"$JSFS" check --key-file other copy; grep -raEl 'secret|ORDERS|orders' copy || true`); !strings.Contains(out, "ORDERS: 2 messages") || strings.Contains(out, "copy/") {
				t.Errorf("restored into an encrypted store: got %q", out)
			}
			in.ok(t, `"$JSFS" rekey --key-file key --new-passphrase=fd:5 store 5<<<"correct horse"`)
			got := in.ok(t, `"$JSFS" mount --daemon --passphrase=fd:5 store mnt 5<<<"correct horse"
				cat mnt/ORDERS/1 | head -n 1; cat mnt/ORDERS/3 | wc -l; cat mnt/ORDERS/.draft; ls mnt/ORDERS; "$JSFS" umount mnt`)
			if want := "secret payload 1\n100\na secret draft\n000000000001\n000000000003\n"; got != want {
				t.Errorf("with the passphrase: got %q, want %q", got, want)
			}
			if r := in.run(t, `timeout 100 "$JSFS" mount --key-file key store mnt`); r.code == 0 || !strings.Contains(r.err, "a passphrase unlocks it") {
				t.Errorf("the old key: got %+v", r)
			}
		})
	}
}

func TestAStoreThatWasMadeWithoutAKeyStaysSo(t *testing.T) {
	in := command{dir: scratch(t)}
	in.ok(t, `head -c 32 /dev/urandom > key; chmod 600 key; "$JSFS" mount --daemon store mnt; "$JSFS" umount mnt`)
	r := in.run(t, `timeout 100 "$JSFS" mount --key-file key store mnt`)
	if r.code == 0 || !strings.Contains(r.err, "made without a key") {
		t.Errorf("got %+v", r)
	}
	if r := in.run(t, `timeout 100 "$JSFS" mount --key-file key mem: mnt`); r.code == 0 || !strings.Contains(r.err, "memory store is not encrypted") {
		t.Errorf("a memory store: got %+v", r)
	}
	if _, err := os.Stat(in.dir + "/store/jsfs.key"); err == nil {
		t.Error("there is an envelope of a key")
	}
}

// withKey makes the file key beside the mount point.
func withKey(m *mnt) {
	sh(m.t, "cd "+quoted(strings.TrimSuffix(m.dir, "/mnt"))+" && head -c 32 /dev/urandom > key && chmod 600 key")
}

// What a server is writing looks damaged to who reads it at the same time.
func TestCheckWithoutTheKeyLooksAtNoStoreThatIsInUse(t *testing.T) {
	m := mount(t, withArgs("--key-file", "key"), withKey)
	m.sh("mkdir S && echo x > S/a")
	if r := jsfs(t, "check", m.store); r.code != 2 || !strings.Contains(r.err, "is mounted at "+m.dir) || !strings.Contains(r.err, itoa(m.pid())) {
		t.Errorf("got %+v, want exit code 2, where it is mounted, and the pid %d", r, m.pid())
	}
	m.stop()
	if r := jsfs(t, "check", m.store); r.code != 0 || !strings.Contains(r.out, "no key was given") {
		t.Errorf("when nobody has it: got %+v", r)
	}
}

// Who presses Ctrl-C at the prompt sees again what he types, and the program has died of it.
func TestAnInterruptedPromptGivesBackTheEcho(t *testing.T) {
	needs(t, "script")
	in := command{dir: scratch(t)}
	in.ok(t, `"$JSFS" mount --daemon --passphrase=fd:3 store mnt 3<<< secret; "$JSFS" umount mnt; mkfifo keys
		printf '%s\n' 'trap : INT; "$JSFS" check --passphrase store; echo $? > code; stty -a > modes' > run`)
	got := in.ok(t, `timeout 20 script -qfc "bash run" said < keys > /dev/null & it=$!; exec 9> keys
		until grep -q Passphrase said || ! kill -0 $it; do read -t 0.01 < <(:) || true; done
		printf '\003' >&9; exec 9>&-; wait; cat code; tr ';' '\n' < modes | grep -ow -e '-*echo'`)
	if got != "130\necho\n" {
		t.Errorf("got %q, want that it died of the signal, and echo", got)
	}
}
