package blockstore_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
	"jsfs/store/keys"
	"jsfs/store/legacy"
)

func TestEncryptedPayloadsAreConvertedIntoAnEncryptedStore(t *testing.T) {
	o := newOldStore(t)
	mem := o.fs.Kill()
	secret, err := keys.OfKey(bytes.Clone(legacyKey))
	must(t, err)
	opt := trialOptions(blockstore.SyncAlways)
	opt.Secret = secret
	for round := range 2 {
		s, err := blockstore.Open(mem, opt)
		must(t, err)
		for name, want := range o.want {
			if err := checkStream(s, name, want); err != nil {
				t.Error(err)
			}
		}
		for _, c := range s.Conversion().Streams {
			if round > 0 || c.Sealed || c.Left != nil {
				t.Errorf("round %d: got %+v", round, c)
			}
		}
		must(t, s.Close())
	}
	for name, text := range files(t, mem, "streams") {
		if strings.Contains(text, "a secret payload") || strings.Contains(text, "LONG 5. ") {
			t.Errorf("%s has a message in the clear", name)
		}
	}
	got, err := blockstore.ForgetMigratedFS(bg, mem, opt)
	if err != nil || len(left(got)) > 0 || len(got) != 3 {
		t.Errorf("forget: got %+v, %v", got, err)
	}
}

func TestAnEncryptedStoreDoesNotConvertWhatItsKeyDoesNotOpen(t *testing.T) {
	o := newOldStore(t)
	mem := o.fs.Kill()
	secret, err := keys.OfKey([]byte(strings.Repeat("k", 32)))
	must(t, err)
	opt := trialOptions(blockstore.SyncAlways)
	opt.Secret = secret
	err = unchanged(mem, func() error {
		_, err := blockstore.Open(mem, opt)
		return err
	})
	if !errors.Is(err, store.ErrKey) || !errors.Is(err, blockstore.ErrUnconverted) || strings.Contains(err.Error(), "changes") {
		t.Errorf("got %v, want %v", err, store.ErrKey)
	}
	opt.LegacyKeys = []legacy.Key{legacyKey} // another one than the store's
	s, err := blockstore.Open(mem, opt)
	must(t, err)
	if err := checkStream(s, "SEALED", o.want["SEALED"]); err != nil {
		t.Error(err)
	}
	must(t, s.Close())
}
