package store

import "fmt"

// NumberOf says how many there are of something, for people: "1 message", "2 messages".
func NumberOf[N ~int | ~int64 | ~uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
