package blockstore_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/internal/record"
	"jsfs/store/internal/vfs"
	"jsfs/store/keys"
)

func secretOf(tb testing.TB, text string) *keys.Secret {
	tb.Helper()
	s, err := keys.OfKey([]byte(text))
	must(tb, err)
	return s
}

// TestTrialWrongKey opens a store with a thousand keys that are not its own, with a passphrase, with none, and with the
// envelope damaged or missing (P9): it is refused, and not one byte of the store changed, the lock file included.
func TestTrialWrongKey(t *testing.T) {
	t.Parallel()
	for seed, v := range variants {
		sp := newSpecimen(t, seed)
		refuse := func(what string, opt blockstore.Options, f *vfs.Mem) {
			t.Helper()
			var changes []string
			f.Hook = func(change string) { changes = append(changes, change) }
			s, err := blockstore.Open(f, opt)
			f.Hook = nil
			if err == nil {
				_ = s.Close()
			}
			if !errors.Is(err, store.ErrKey) || len(changes) > 0 {
				t.Fatalf("%s, %s: got %v, want ErrKey; changes %q", v.name, what, err, changes)
			}
		}
		opt := trialOptions(blockstore.SyncAlways)
		if v.cipher == 0 {
			opt.Secret = trialSecret
			refuse("a key for a store without one", opt, sp.fs)
			continue
		}
		refuse("no key", opt, sp.fs)
		for i := range rounds(1000, 10_000) {
			k := []byte("a key of 32 bytes that all know!")
			if i < 256 {
				k[i/8] ^= 1 << (i % 8)
			} else {
				_, _ = rand.Read(k)
			}
			opt.Secret = secretOf(t, string(k))
			opt.ReadOnly = i%2 == 0
			refuse(fmt.Sprintf("key %d", i), opt, sp.fs)
		}
		phrase, err := keys.OfPassphrase([]byte("a key of 32 bytes that all know!"))
		must(t, err)
		opt.Secret = phrase
		refuse("a passphrase", opt, sp.fs)
		opt.Secret = trialSecret
		for what, damage := range map[string]func(f vfs.FS){
			"envelope missing": func(f vfs.FS) { must(t, f.Remove("jsfs.key")) },
			"envelope empty":   func(f vfs.FS) { put(t, f, "jsfs.key", "") },
			"both copies damaged": func(f vfs.FS) {
				flip(t, f, "jsfs.key", 30, 0)
				flip(t, f, "jsfs.key", 4096+30, 0)
			},
			"another store's": func(f vfs.FS) {
				put(t, f, "jsfs.key", readAll(t, newSpecimen(t, seed+len(variants)).fs, "jsfs.key"))
			},
		} {
			f := sp.fs.Kill()
			damage(f)
			refuse(what, opt, f)
		}
	}
}

// TestNothingThatWasStoredIsInTheClear looks for subjects, payloads, headers and the stream's name in every file.
func TestNothingThatWasStoredIsInTheClear(t *testing.T) {
	for _, v := range variants {
		if v.cipher == 0 {
			continue
		}
		mem := vfs.NewMem()
		s, err := blockstore.Open(mem, v.of(trialOptions(blockstore.SyncAlways)))
		must(t, err)
		st, err := s.Create(bg, store.Config{Name: "SECRETNAME", Subjects: []string{"secretsubject.*"}, Description: "secretdescription"})
		must(t, err)
		for i := range 200 {
			e := store.Entry{Subject: fmt.Sprintf("secretsubject.%d", i), Data: []byte(strings.Repeat("secretdata", 10)), Header: []byte("NATS/1.0\r\nSecretHeader: 1\r\n\r\n")}
			_, err := st.Append(bg, e)
			must(t, err)
		}
		for _, name := range []string{".secretdraft", ".secret" + strings.Repeat("x", 240)} {
			d, err := st.CreateDraft(bg, name)
			must(t, err)
			_, err = d.WriteAt([]byte(strings.Repeat("secret content ", 2000)), 0)
			must(t, errors.Join(err, d.Close()))
		}
		infos, err := st.ListDrafts(bg)
		must(t, err)
		if len(infos) != 2 || infos[0].Name != ".secretdraft" || infos[0].Size != 30_000 || len(infos[1].Name) != 247 {
			t.Errorf("%s: got drafts %+v", v.name, infos)
		}
		must(t, s.Close())
		for name, content := range files(t, mem, ".") {
			if strings.Contains(strings.ToLower(name+content), "secret") {
				t.Errorf("%s: %s tells what was stored", v.name, name)
			}
		}
	}
}

// TestTrialNonces appends a million records in a thousand runs, each ended by a crash or a kill: no nonce is used twice,
// under whatever key.
func TestTrialNonces(t *testing.T) {
	t.Parallel()
	const each = 1000
	opt := variantOf(2).of(trialOptions(blockstore.SyncNever))
	opt.BlockSize = 1 << 20
	rng, seen := seeded(9), map[string]string{}
	var mem *vfs.Mem
	cycles := rounds(1000, 5000)
	for cycle := range cycles {
		if cycle%50 == 0 {
			mem = vfs.NewMem()
		}
		s, err := openTrial(mem, opt)
		must(t, err)
		st, err := s.Stream(bg, "S")
		if errors.Is(err, store.ErrNotFound) {
			st, err = s.Create(bg, store.Config{Name: "S"})
		}
		must(t, err)
		es := make([]store.Entry, each)
		for i := range es {
			es[i] = store.Entry{Subject: "s", Data: []byte("d")}
		}
		_, err = st.AppendAll(bg, es)
		must(t, err)
		state, err := st.State(bg)
		must(t, err)
		_, err = st.Remove(bg, state.Last)
		must(t, err)
		image := mem.Kill()
		if cycle%2 == 0 {
			image = mem.Crash(rng, 50)
		}
		addNonces(t, mem, seen) // also of what the crash takes away
		must(t, s.Close())
		mem = image
	}
	if len(seen) < cycles*each {
		t.Errorf("got %d records, want at least %d", len(seen), cycles*each)
	}
	t.Logf("%d records in %d cycles", len(seen), cycles)
}

// addNonces adds the nonces of all records in the newest two blocks of the stream, each with its place: whoever has
// the same nonce must be the same record.
func addNonces(t *testing.T, f vfs.FS, seen map[string]string) {
	t.Helper()
	const dir = "streams/0000000000000001"
	names, err := f.List(dir)
	must(t, err)
	blocks := slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, ".blk") })
	for _, name := range blocks[max(0, len(blocks)-2):] {
		b := []byte(readAll(t, f, dir+"/"+name))
		hdr, err := record.ParseHeader(b)
		must(t, err)
		c := hdr.Coder()
		for off := int64(record.DataStart); off < int64(len(b)) && !record.IsFooter(b[off:]); {
			h, err := c.Head(b[off:], off)
			if err != nil {
				break // the end that a crash has torn
			}
			rec := b[off:][:h.Size]
			nonce, place := string(h.Nonce(rec)), fmt.Sprintf("%x %d", hdr.Salt[:8], off)
			if at, ok := seen[nonce]; ok && at != place {
				t.Fatalf("the nonce % x of the record at %s was used at %s", nonce, place, at)
			}
			seen[nonce] = place
			off += h.Size
		}
	}
}

// TestTrialRekey cuts the power, and fails, before each change that giving a store another key makes: the old one or the
// new one unlocks it, with all that was there, and no third.
func TestTrialRekey(t *testing.T) {
	t.Parallel()
	fresh := secretOf(t, "another key of 32 bytes, not it.")
	for _, seed := range []int{2, 5} {
		sp := newSpecimen(t, seed)
		unlocks := func(at string, f *vfs.Mem) (byNew bool) {
			t.Helper()
			opened := 0
			for i, secret := range []*keys.Secret{trialSecret, fresh} {
				opt := trialOptions(blockstore.SyncAlways)
				opt.Secret, opt.ReadOnly = secret, true
				s, err := blockstore.Open(f, opt)
				if errors.Is(err, store.ErrKey) {
					continue
				}
				must(t, err)
				opened, byNew = opened+1, i == 1
				if found, err := sp.inspect(s); err != nil || len(found.lost) > 0 {
					t.Errorf("%s: %v, lost %v", at, err, found.lost)
				}
				must(t, s.Close())
			}
			if opened != 1 {
				t.Fatalf("%s: %d of the two keys unlock it", at, opened)
			}
			return byNew
		}
		f, rng := sp.fs.Kill(), seeded(seed)
		changes := 0
		f.Hook = func(op string) {
			changes++
			for _, keep := range []int{0, 50, 100} {
				unlocks("power lost before "+op, f.Crash(rng, keep))
			}
		}
		must(t, blockstore.RekeyFS(f, trialSecret, fresh))
		f.Hook = nil
		if changes < 4 || !unlocks("done", f) || !unlocks("power lost when done", f.Crash(rng, 0)) {
			t.Errorf("after %d changes the new key does not unlock it", changes)
		}
		err := unchanged(f, func() error { return blockstore.RekeyFS(f, trialSecret, trialSecret) })
		if !errors.Is(err, store.ErrKey) {
			t.Errorf("rekey with the old key: got %v, want ErrKey", err)
		}
		for n := range changes + 12 { // reads count, too
			mem := sp.fs.Kill()
			fail := vfs.NewFail(mem)
			fail.Set(vfs.Fault{At: n + 1, Err: syscall.EIO})
			if err := blockstore.RekeyFS(fail, trialSecret, fresh); err == nil && unlocks("no error", mem) {
				continue
			}
			unlocks(fmt.Sprintf("change %d failed", n), mem)
		}
	}
}
