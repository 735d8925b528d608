package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"jsfs/store/blockstore"
	"jsfs/store/keys"
)

// keyArgs say where the secret of an encrypted store comes from. The secret itself is in no argument, no
// variable of the environment and no log.
type keyArgs struct {
	file   string // a path, or fd:N
	phrase string // "ask", or fd:N; "" is none
	cipher string // of a new store
	prefix string // what the names of its flags begin with
}

// add adds the flags for a secret to c. what says of which store.
func (k *keyArgs) add(c *cobra.Command, prefix, what string) {
	k.prefix = prefix
	f := c.Flags()
	f.Var((*named)(&k.file), prefix+"key-file", "the key of "+what+": a file of 32 bytes or 64 hex digits that nobody else may read, or fd:N for a descriptor")
	f.Var((*named)(&k.phrase), prefix+"passphrase", "the passphrase of "+what+" instead of a key: asked for on the terminal, or read from fd:N")
	f.Lookup(prefix + "passphrase").NoOptDefVal = "ask"
}

// named is the value of a flag that says where a secret is. "" is refused: in a script it is a variable that was not set, and
// a store that is made without the secret is not encrypted.
type named string

// Set implements pflag.Value.
func (n *named) Set(v string) error {
	if v == "" {
		return errors.New("it is empty, and nothing would be encrypted: leave the flag out if that is meant")
	}
	*n = named(v)
	return nil
}

// String implements pflag.Value.
func (n *named) String() string { return string(*n) }

// Type implements pflag.Value.
func (*named) Type() string { return "string" }

// addCipher adds the flag for what the store is encrypted with if it is made.
func (k *keyArgs) addCipher(c *cobra.Command) {
	c.Flags().StringVar(&k.cipher, k.prefix+"cipher", "", "what a new store is encrypted with: aes (the default) or chacha20")
}

// addKeyFlags adds the flags for the key of a store that is mounted.
func (s *settings) addKeyFlags(c *cobra.Command) {
	s.key.add(c, "", "the store; a new one is encrypted then")
	s.key.addCipher(c)
	f := c.Flags()
	f.StringVar(&s.handed, "handed", "", "where the secret comes from that --daemon was given")
	_ = f.MarkHidden("handed")
}

// given says whether there is to be a secret.
func (k *keyArgs) given() bool { return k.file != "" || k.phrase != "" }

// read returns the secret of the store named of, nil if none is to be given. A new passphrase is asked for twice. A
// key's file must be in none of the directories notIn.
func (k *keyArgs) read(of string, isNew bool, notIn ...string) (*keys.Secret, error) {
	switch {
	case k.file != "" && k.phrase != "":
		return nil, usageError("give --%[1]skey-file or --%[1]spassphrase, not both", k.prefix)
	case k.file != "":
		if fd, ok, err := descriptorArg(k.file); ok || err != nil {
			if err != nil {
				return nil, err
			}
			return keys.ReadDescriptor(fd)
		}
		secret, err := keys.ReadFile(k.file, notIn...)
		if err != nil {
			return nil, fmt.Errorf("flag --%skey-file: %w", k.prefix, err)
		}
		return secret, nil
	case k.phrase == "ask":
		return askPassphrase(of, isNew)
	case k.phrase != "":
		fd, ok, err := descriptorArg(k.phrase)
		if err == nil && !ok {
			err = usageError("passphrase %q: give fd:N for a descriptor, or nothing to be asked; a passphrase is never an argument", "…")
		}
		if err != nil {
			return nil, err
		}
		return keys.ReadPhraseDescriptor(fd)
	}
	return nil, nil
}

// descriptorArg reads fd:N; ok says that arg is one.
func descriptorArg(arg string) (fd uintptr, ok bool, err error) {
	digits, ok := strings.CutPrefix(arg, "fd:")
	if !ok {
		return 0, false, nil
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return 0, true, usageError("%q is no descriptor, for example fd:3", arg)
	}
	return uintptr(n), true, nil
}

// askPassphrase asks for the passphrase of a store on the terminal, twice if it is new.
func askPassphrase(of string, isNew bool) (*keys.Secret, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("there is no terminal to ask for the passphrase; give it with --passphrase=fd:N: %w", err)
	}
	defer func() { _ = tty.Close() }()
	ask := func(prompt string) ([]byte, error) {
		defer giveBackEcho(tty)()
		_, _ = fmt.Fprint(tty, prompt)
		b, err := term.ReadPassword(int(tty.Fd())) //nolint:gosec // a descriptor is small
		_, _ = fmt.Fprintln(tty)
		return b, err
	}
	b, err := ask("Passphrase of " + of + ": ")
	if err != nil {
		return nil, fmt.Errorf("read the passphrase: %w", err)
	}
	if isNew {
		again, err := ask("The same again: ")
		same := err == nil && string(again) == string(b)
		clear(again)
		if !same {
			clear(b)
			return nil, errors.New("the passphrases differ")
		}
	}
	return keys.OfPassphrase(b)
}

// giveBackEcho sees to it that a signal which ends the program while the terminal shows nothing of what is typed leaves that
// as it is now. What it returns ends that.
func giveBackEcho(tty *os.File) (end func()) {
	fd := int(tty.Fd()) //nolint:gosec // a descriptor is small
	was, err := term.GetState(fd)
	if err != nil {
		return func() {}
	}
	signals, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	go func() {
		select {
		case s := <-signals:
			_ = term.Restore(fd, was)
			_, _ = fmt.Fprintln(tty)
			signal.Reset(s)
			_ = syscall.Kill(os.Getpid(), s.(syscall.Signal)) // die of it: a shell's loop ends by that
		case <-ended:
		}
	}()
	return func() {
		signal.Stop(signals)
		close(ended)
	}
}

// isNewStore says whether there is no store in dir yet.
func isNewStore(dir string) bool {
	_, err := os.Stat(dir + "/" + blockstore.Marker)
	return errors.Is(err, os.ErrNotExist)
}

// secretFor reads the secret of the store src, and its cipher. point is where it is to be mounted, "" if nowhere.
func (k *keyArgs) secretFor(src source, point string) (*keys.Secret, keys.Cipher, error) {
	var cipher keys.Cipher
	if k.cipher != "" {
		var err error
		if cipher, err = keys.ParseCipher(k.cipher); err != nil {
			return nil, 0, usageError("flag --%scipher: %w", k.prefix, err)
		}
		if !k.given() {
			return nil, 0, usageError("a cipher needs a key; give --%[1]skey-file or --%[1]spassphrase, too", k.prefix)
		}
	}
	if k.given() && src.dir == "" {
		return nil, 0, usageError("source %s: a memory store is not encrypted; leave the key out", src.name)
	}
	notIn := []string{src.dir}
	if point != "" {
		notIn = append(notIn, point)
	}
	secret, err := k.read("the store "+src.name, isNewStore(src.dir), notIn...)
	return secret, cipher, err
}

// secret reads the secret of the store that is to be mounted, nil if it has none, and its cipher.
func (s *settings) secret(src source) (*keys.Secret, keys.Cipher, error) {
	if s.handed == "" {
		return s.key.secretFor(src, s.point)
	}
	kind, at, _ := strings.Cut(s.handed, ":")
	fd, _, err := descriptorArg("fd:" + at)
	if err != nil {
		return nil, 0, err
	}
	var cipher keys.Cipher
	if s.key.cipher != "" {
		if cipher, err = keys.ParseCipher(s.key.cipher); err != nil {
			return nil, 0, err
		}
	}
	if kind == "phrase" {
		secret, err := keys.ReadPhraseDescriptor(fd)
		return secret, cipher, err
	}
	secret, err := keys.ReadDescriptor(fd)
	return secret, cipher, err
}

// hand reads a secret that the daemon could not, as it has neither the terminal nor the descriptors, into a
// pipe for it. It returns the pipe's end and the value of --handed, nil if there is nothing to hand.
func (s *settings) hand(sourceArg, pointArg string) (*os.File, string, error) {
	if s.key.phrase == "" && !strings.HasPrefix(s.key.file, "fd:") {
		return nil, "", nil
	}
	src, err := parseSource(sourceArg)
	if err != nil {
		return nil, "", err
	}
	secret, _, err := s.key.secretFor(src, pointArg)
	if err != nil {
		return nil, "", err
	}
	defer secret.Wipe()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, "", err
	}
	err = secret.HandOver(w) // it fits into the pipe
	if err = errors.Join(err, w.Close()); err != nil {
		_ = r.Close()
		return nil, "", err
	}
	if s.key.phrase != "" {
		return r, "phrase:3", nil
	}
	return r, "key:3", nil
}
