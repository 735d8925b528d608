package sealeddraft

import (
	"bytes"
	"testing"
)

func TestNamesAreSealedAlikeAndOpenedOnlyWhole(t *testing.T) {
	key := make([]byte, NamesKeySize)
	for i := range key {
		key[i] = byte(i)
	}
	n := NewNames(key)
	for _, name := range []string{".draft", "x", "~", string(bytes.Repeat([]byte("long "), 60))} {
		b := n.Seal(name)
		if !bytes.Equal(b, n.Seal(name)) {
			t.Errorf("%q has two forms", name)
		}
		if bytes.Contains(b, []byte(name)) && len(name) > 1 {
			t.Errorf("%q shows", name)
		}
		if got, ok := n.Open(b); !ok || got != name {
			t.Errorf("%q is opened as %q, %v", name, got, ok)
		}
		for i := range b {
			bad := bytes.Clone(b)
			bad[i] ^= 1
			if got, ok := n.Open(bad); ok {
				t.Errorf("%q with byte %d changed is opened as %q", name, i, got)
			}
		}
	}
	if _, ok := n.Open(make([]byte, NameTag)); ok {
		t.Error("a tag alone is opened")
	}
	other := bytes.Clone(key)
	other[0] ^= 1
	if got, ok := NewNames(other).Open(n.Seal(".draft")); ok {
		t.Errorf("another key opens it as %q", got)
	}
}
