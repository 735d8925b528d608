package blockstore_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"jsfs/store"
	"jsfs/store/blockstore"
)

func TestWhatIsNoDirectoryOfTheFirstGenerationIsRefused(t *testing.T) {
	good := legacyFile(legacyMsgs("A", 1)...)
	for name, c := range map[string]struct {
		content map[string]string
		want    error
		text    string
	}{
		"a file beside the streams":              {map[string]string{"A/messages.jsonl": good, "notes.txt": "x"}, store.ErrNotStore, "notes.txt"},
		"a directory beside the streams":         {map[string]string{"A/messages.jsonl": good, "B/other": "x"}, store.ErrNotStore, `"B"`},
		"a stream alone":                         {map[string]string{"messages.jsonl": good}, store.ErrNotStore, "the directory that it is in"},
		"what was migrated, without its store":   {map[string]string{"A/messages.jsonl.migrated": good}, store.ErrNotStore, `"A"`},
		"a directory of a name no stream has":    {map[string]string{"a.b/messages.jsonl": good}, store.ErrInvalid, "rename the directory"},
		"a directory of a name a store has":      {map[string]string{"streams/messages.jsonl": good}, store.ErrInvalid, "rename the directory"},
		"a directory in place of the file":       {map[string]string{"A/x": "x"}, store.ErrNotStore, `"A"`},
		"the same, with a name that begins well": {map[string]string{"A/messages.jsonl.bak": "x"}, store.ErrNotStore, `"A"`},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			mem := newLegacy(t, c.content)
			for _, readOnly := range []bool{false, true} {
				opt := trialOptions(blockstore.SyncAlways)
				opt.ReadOnly = readOnly
				var changes []string
				mem.Hook = func(change string) { changes = append(changes, change) }
				_, err := blockstore.Open(mem, opt)
				if err == nil || !readOnly && (!errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text)) || len(changes) > 0 {
					t.Errorf("read-only %v: got %v, changes %q, want %v with %q and none", readOnly, err, changes, c.want, c.text)
				}
			}
		})
	}
}

func TestAFileThatGrowsIsNotConverted(t *testing.T) {
	file := legacyFile(legacyMsgs("A", 1, 2)...)
	mem := newLegacy(t, map[string]string{"A/messages.jsonl": file})
	grown := false
	mem.Hook = func(change string) {
		if !grown && strings.Contains(change, ".blk") {
			grown = true
			f, err := mem.Open("A/messages.jsonl")
			must(t, err)
			_, err = f.WriteAt([]byte(legacyFile(legacyMsg("A", 3))), int64(len(file)))
			must(t, err)
		}
	}
	_, err := blockstore.Open(mem, trialOptions(blockstore.SyncAlways))
	if err == nil || !strings.Contains(err.Error(), "end the older program first") {
		t.Errorf("got %v, want that somebody writes", err)
	}
	s, err := blockstore.Open(mem, trialOptions(blockstore.SyncAlways))
	must(t, err)
	if err := checkStream(s, "A", legacyMsgs("A", 1, 2, 3)); err != nil {
		t.Error(err)
	}
	must(t, s.Close())
}

func TestAnythingInAStreamsOldFormIsConvertedOrKept(t *testing.T) {
	for _, text := range []string{"\n", "\x00\x00", "{}", "\xff\xfe{", strings.Repeat("{}\n", 500), base64.StdEncoding.EncodeToString(make([]byte, 5000))} {
		mem := newLegacy(t, map[string]string{"A/messages.jsonl": text})
		s, err := blockstore.Open(mem, trialOptions(blockstore.SyncAlways))
		must(t, err)
		if err := checkStream(s, "A", nil); err != nil {
			t.Error(err)
		}
		must(t, s.Close())
		if got := strings.Join(inQuarantine(t, mem, ".bad"), ""); strings.TrimSpace(text) != strings.TrimSpace(got) {
			t.Errorf("kept aside: got %q, want %q", got, text)
		}
	}
}
