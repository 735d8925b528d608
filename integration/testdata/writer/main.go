// Writer writes a file in one of the ways that programs have, and ends without closing it.
//
//	writer exit PATH     several threads, a few writes, then exit(0) from another thread
//	writer slow PATH     many small writes with pauses, close, "closed" to standard output; then it waits
package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// parts is how many writes make a message; part is one of them.
const parts = 10

var part = strings.Repeat("0123456789", 10)

func main() {
	mode, path := os.Args[1], os.Args[2]
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for range 3 {
		go func() {
			runtime.LockOSThread()
			for {
				time.Sleep(time.Millisecond)
			}
		}()
	}
	for i := range parts {
		if i == parts-1 {
			part = part[:96] + "end\n"
		}
		if _, err := f.WriteString(part); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if mode == "slow" {
			time.Sleep(2 * time.Millisecond)
		}
	}
	if mode == "exit" {
		go os.Exit(0)
		select {}
	}
	if err := f.Close(); err == nil {
		fmt.Println("closed")
	}
	time.Sleep(time.Hour)
}
