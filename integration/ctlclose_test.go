package integration

import "testing"

// A shell's child that ends closes the ctl file that it inherited, in the middle of a command.
func TestACommandIsNotDoneBeforeItsEnd(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; for i in 1 2 3; do echo $i > S/a; echo $i > S/b; done")
	m.sh("{ printf 'purge '; /bin/true; printf 'subject='; (:); echo b; } > S/.jsfs/ctl")
	if got, want := m.sh("cat S/*; ls S/b 2>&1 || true"), "1\n2\n3\nls: cannot access 'S/b': No such file or directory\n"; got != want {
		t.Errorf("a command in pieces: left is %q, want %q", got, want)
	}
	m.sh("{ printf 'purge '; /bin/true; printf 'seq=2'; } > S/.jsfs/ctl; exec 3> S/.jsfs/ctl; (:); printf 'compact ' >&3; printf 4 >&3; exec 3>&-")
	if got, want := m.sh("cat S/*"), "3\n"; got != want {
		t.Errorf("commands without a newline: left is %q, want %q", got, want)
	}
	// The opener has ended, and who inherited the file from it ends it.
	m.sh("sh -c 'exec 3> S/.jsfs/ctl; (sleep 0.2; printf purge >&3) & exit'")
	eventually(t, patience, "the last one who has it open ends the command", func() bool { return m.sh("ls S") == "" })
}

// The beginning of a command may be another one: purge seq=2 is one of purge seq=2000.
func TestHalfACommandOfAKilledProgramIsNotDone(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; for i in 1 2 3; do echo $i > S/a; done")
	for _, half := range []string{"purge", "purge seq=2", "erase 1", "truncate 0 force"} {
		r := m.try(`exec perl -e 'open F, ">", "S/.jsfs/ctl"; syswrite F, "` + half + `"; kill 9, $$'`)
		if r.code != 128+9 {
			t.Fatalf("%s: got %+v, want a program that was killed", half, r)
		}
		eventually(t, patience, half+" is reported as not done", func() bool { return m.try("tail -n 1 .jsfs/errors | grep -qF 'command \""+half+"\" '").code == 0 })
		if got, want := m.sh("cat S/*"), "1\n2\n3\n"; got != want {
			t.Errorf("%s: left is %q, want %q", half, got, want)
		}
	}
	m.sh(`perl -e 'open F, ">", "S/.jsfs/ctl"; syswrite F, "purge seq=3"'`) // this one ends, and so closes
	if got, want := m.sh("cat S/*"), "3\n"; got != want {
		t.Errorf("a program that ends: left is %q, want %q", got, want)
	}
}

// Who wrote a command is forgotten when it is done: it says nothing of who is in the middle of the next one.
func TestWhoWroteACommandSaysNothingOfTheNextOne(t *testing.T) {
	for _, c := range []struct{ name, first string }{
		{"the opener begins the one before, and a child ends it", "printf sy >&3; /bin/echo nc >&3"},
		{"a child begins it, and the opener ends it", "/usr/bin/printf sy >&3; echo nc >&3"},
		{"the opener writes all of it", "echo sync >&3"},
		{"it has no newline, and fsync is its end", `printf sync >&3; python3 -c "import os; os.fsync(3)"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mount(t)
			outside := m.command()
			outside.env = append(outside.env, "DIR="+t.TempDir())
			r := outside.strictly(t, `
				mkdir S; for i in 1 2 3; do echo $i > S/a; echo $i > S/b; done
				mkfifo $DIR/begun $DIR/closed
				exec 3> S/.jsfs/ctl
				`+c.first+`
				(
					printf 'purge ' >&3
					echo > $DIR/begun
					read -r < $DIR/closed
					echo subject=b >&3
				) &
				read -r < $DIR/begun
				exec 3>&-
				echo > $DIR/closed
				wait
				cat S/*`)
			if want := "1\n2\n3\n"; r.code != 0 || r.out != want {
				t.Errorf("got %+v, want %q left", r, want)
			}
		})
	}
}
