// Package firstgen reads the files of the first generation that stand in a store's directory: one for each stream, with a
// message a line. What a line says is package legacy's; what becomes of the messages is the block store's.
package firstgen
