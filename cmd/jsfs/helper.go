package main

import (
	"fmt"
	"strings"
)

// helperArgs translates the command line that mount(8) gives a helper program
// (`mount.jsfs SOURCE DIR [-sfnv] [-N namespace] [-o options] [-t type]`) into one of
// `jsfs mount --daemon`. mount(8) runs it when a link to jsfs is /sbin/mount.jsfs.
func helperArgs(argv []string) ([]string, error) {
	out := []string{"mount", "--daemon"}
	var operands []string
	for i := 0; i < len(argv); i++ {
		a := argv[i]
		switch {
		case a == "-o" || a == "-t" || a == "-N":
			if i++; i == len(argv) {
				return nil, fmt.Errorf("option %s needs a value", a)
			}
			if a == "-o" {
				out = append(out, "-o", argv[i])
			}
		case strings.HasPrefix(a, "-") && len(a) > 1:
			if strings.Trim(a[1:], "sfnvwr") != "" {
				return nil, fmt.Errorf("unknown option %s; mount(8) passes -s -f -n -v -r -w -N -o -t", a)
			}
			if strings.Contains(a, "f") {
				return nil, fmt.Errorf("option -f: there is no mounting without mounting")
			}
			if strings.Contains(a, "r") {
				out = append(out, "--read-only")
			}
		default:
			operands = append(operands, a)
		}
	}
	return append(append(out, "--"), operands...), nil
}
