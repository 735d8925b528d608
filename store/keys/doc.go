// Package keys reads what unlocks an encrypted store, and has the envelope around the store's data key.
//
// Its terms. A [Secret] is what the user has: a key of 32 bytes, from a file or a descriptor, or a
// passphrase. The data key encrypts the store; it is random, made with the store, and never changes. The
// envelope is the data key, sealed under the secret: another secret needs another envelope only.
//
// Secrets are overwritten by [Secret.Wipe]; no error and no log has anything of one in it.
package keys
