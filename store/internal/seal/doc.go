// Package seal has the keys of an encrypted store: one data key, chosen at random when the store is
// made, and what is derived from it. FORMAT.md, section 11, beside package record says what is sealed
// with what.
//
// Its terms. A [Cipher] is an AEAD with 32-byte keys, 12-byte nonces and 16-byte tags. A [Key] is a store's
// data key. A [Box] seals under one derived key, each time with a random nonce that it puts before the ciphertext; a
// nonce is never counted or computed, so no crash and no restored backup makes one repeat. It does no I/O.
package seal
