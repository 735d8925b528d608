// Package jsonl writes and reads messages as JSON lines: the lossless form of a
// message as text, one object a line,
//
//	{"seq":1,"time":"2026-01-02T03:04:05.000000006Z","subject":"orders.new","headers":"…","data":"…"}
//
// "headers" is missing when the message has none. Header and data are JSON strings
// where they are valid UTF-8; else the key is "headers_b64" or "data_b64" and the
// value base64 in the standard alphabet with padding.
//
// Engines keep sums of [Size], so the form of a line is part of their formats: it
// can't change without a new version of theirs.
package jsonl
