// Package subjects keeps the subjects of a stream in memory, finds them by the patterns of a query, and sorts names.
//
// Its terms. A [Map] has of each subject a number, how many live messages are on it, and the first and the last of them. A
// [Filter] is the patterns of a query. It takes no locks and knows nothing of blocks or messages: who has a Map keeps it
// true.
package subjects
