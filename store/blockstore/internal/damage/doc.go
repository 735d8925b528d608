// Package damage remembers what of a stream is known to be damaged: where, which messages that costs, and so why a
// sequence has no message. Who finds damage adds it; nothing is ever taken out.
package damage
