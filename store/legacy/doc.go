// Package legacy reads and writes the data of the first generation: a stream as a file of JSON
// lines, messages.jsonl, whose payloads may be kept in envelopes named FSV1 and FSV2.
//
// Its terms. A line is one message, or what is left of one. A payload is plain or in an envelope,
// which has a magic, says whether the payload is compressed and encrypted, and holds a check of the
// key and one of the payload. FSV1 is only ever read; FSV2 is written, too.
//
// Reading is strict. [Read] gives each line either as a message that is right in every part or with the
// reason why it is not; where a line can be taken in two ways it is not guessed at:
//
//   - A payload is in an envelope if it begins with 17 bytes that can be an envelope's header: a magic, no
//     unknown flag, no key check where nothing is encrypted, a payload check that is not all zeros. Anything
//     else that begins with a magic is a plain payload.
//   - A payload in an envelope counts if it agrees with the payload check. If not, it is damaged, and the
//     line is bad.
//   - An encrypted payload whose key check is of none of the keys given ends the reading with
//     [store.ErrKey]: that is no damage, and nothing is to be done without the key.
//
// Nothing is allocated for a size that a file claims before it is compared with a bound. The package
// takes readers and byte slices, and opens no file.
package legacy
