// Package sealeddraft keeps the content of an encrypted draft in a file that can be written anywhere, as a plain file can, and
// seals the names of drafts.
//
// The content is cut into frames, each sealed by itself and bound to its place. A frame has two slots, and what was synced is
// never overwritten before what replaces it is synced, too: so a crash costs nothing that a sync has promised.
package sealeddraft
