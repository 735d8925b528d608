package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"jsfs/store/blockstore"
)

func rekeyCommand() *cobra.Command {
	var old, fresh keyArgs
	c := &cobra.Command{
		Use:   "rekey SOURCE",
		Short: "Give an encrypted store another key or passphrase",
		Long: `Replaces the key or the passphrase that unlocks the encrypted store in the directory
SOURCE, which must not be mounted. After a crash either the old one or the new one is
good. What is stored is not written again: who has had the old key and a copy of the
store's directory can still read that.`,
		Example: `  jsfs rekey --key-file old.key --new-key-file new.key ./orders.store
  jsfs rekey --key-file old.key --new-passphrase ./orders.store`,
		Args: exactArgs("a SOURCE"),
		RunE: func(c *cobra.Command, args []string) error {
			if !old.given() || !fresh.given() {
				return usageError("give what unlocks the store now (--key-file or --passphrase) and what is to (--new-key-file or --new-passphrase)")
			}
			if err := rekey(args[0], &old, &fresh); err != nil {
				return err
			}
			note(c.ErrOrStderr(), "the store %s has its new key; the old one does not unlock it any more", args[0])
			return nil
		},
	}
	old.add(c, "", "the store")
	fresh.add(c, "new-", "the store from now on")
	return c
}

func rekey(arg string, old, fresh *keyArgs) error {
	src, err := parseSource(arg)
	if err == nil && (src.dir == "" || isNewStore(src.dir)) {
		err = fmt.Errorf("source %s: there is no store", arg)
	}
	if err != nil {
		return err
	}
	was, err := old.read("the store "+src.name, false, src.dir)
	if err != nil {
		return err
	}
	defer was.Wipe()
	will, err := fresh.read("the store "+src.name+" from now on", true, src.dir)
	if err != nil {
		return err
	}
	defer will.Wipe()
	if err := blockstore.Rekey(src.dir, was, will); err != nil {
		return explainStore(src, err)
	}
	return nil
}
