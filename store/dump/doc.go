// Package dump shows what stands in the files of a block store, for people with a broken disk: blocks,
// headers, records, controls and footers, and which of their checks are right. It reads the files by the codec alone, one by one,
// so it works on a store that does not open and on a single block, and changes nothing.
//
// Bytes that the disk can't read are shown as the damage that they are.
package dump
