package integration

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestLargeMessagesReadBackInAnyPieces(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S")
	rng := rand.New(rand.NewPCG(5, 6))
	for i, size := range []int{0, 1, 4095, 4096, 4097, 128 << 10, 128<<10 + 1, 5<<20 + 3} {
		data := make([]byte, size)
		for j := range data {
			data[j] = byte(rng.Uint32())
		}
		m.write("S/x", string(data))
		name := fmt.Sprintf("S/%012d", i+1)
		eventually(t, patience, name+" is there", func() bool { // an empty one is appended just after its close
			_, err := os.Stat(m.path(name))
			return err == nil
		})
		if got := m.read(name); sha256.Sum256([]byte(got)) != sha256.Sum256(data) {
			t.Errorf("%d bytes: got %d, or others", size, len(got))
		}
		f, err := os.Open(m.path(name))
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			off, n := rng.IntN(size+10), rng.IntN(300_000)
			buf := make([]byte, n)
			got, _ := f.ReadAt(buf, int64(off))
			lo := min(off, size)
			if want := data[lo:min(lo+n, size)]; !bytes.Equal(buf[:got], want) {
				t.Errorf("%d bytes at %d of %d: got %d, want %d, the same ones", n, off, size, got, len(want))
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	m.sh("cat S/8 | cmp - S/8; tail -c 10 S/8 | wc -c; dd if=S/8 bs=777 status=none | cmp - S/8; cp S/8 ../c && cmp ../c S/8")
}

func TestMessagesCanBeMapped(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; seq 1000 > S/x")
	f, err := os.Open(m.path("S/1"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	data, err := syscall.Mmap(int(f.Fd()), 0, 3893, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(data, []byte("1\n2\n3\n")) {
		t.Errorf("got %q", data[:6])
	}
	if err := syscall.Munmap(data); err != nil {
		t.Error(err)
	}
}

// What refuses to change a message says so, and leaves it as it is.
func TestMessagesAreNotChangedByTools(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S; echo one > S/x; echo two > S/x; echo other > ../f")
	before := m.sh("ls -l --time-style=full-iso S; cat S/*")
	for _, script := range []string{
		"echo x > S/1", "echo x >> S/1", "echo x > S/000000000001", "truncate -s 0 S/1", "truncate -s 10 S/2",
		"cp ../f S/1", "dd if=../f of=S/1 status=none", "tee S/1 < ../f", "chmod 777 S/1", "touch S/1", "touch -d yesterday S/2",
		"ln S/1 S/y", "ln -s S/1 S/y", "mv S/1 S/y", "mv S/1 S/2", "mv S T", "mkdir S/sub", "mkfifo S/p", "mknod S/q c 1 3",
		"python3 -c 'open(\"S/1\",\"r+\").write(\"x\")'", "setfattr -n user.jsfs.subject -v z S/1", "setfattr -n user.x -v z S/1",
		"rm .jsfs/README", "rmdir .jsfs", "mkdir .jsfs/x", "echo x > README", "touch S/.jsfs/x", "echo x > S/.info", "rm S/.first",
	} {
		if r := m.try(script); r.code == 0 {
			t.Errorf("%s: got exit code 0, want a refusal", script)
		}
	}
	if after := m.sh("ls -l --time-style=full-iso S; cat S/*"); after != before {
		t.Errorf("got %s\nwant %s", after, before)
	}
	if got := m.sh("grep -c . .jsfs/errors"); got < "2" {
		t.Errorf("lines in errors: got %s", got)
	}
}

// Whoever removes a message by one name has removed it by all, at once.
func TestARemovedMessageIsGoneByEveryName(t *testing.T) {
	m := mount(t)
	m.fill("S", 200)
	m.sh("ls -l S > /dev/null; cat S/* > /dev/null; cat $(seq -f S/%g 200) > /dev/null")
	for i := 1; i <= 200; i++ {
		listed, short := fmt.Sprintf("S/%012d", i), fmt.Sprintf("S/%d", i)
		rm, other := listed, short
		if i%2 == 0 {
			rm, other = short, listed
		}
		if err := os.Remove(m.path(rm)); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{rm, other} {
			if _, err := os.ReadFile(m.path(name)); !os.IsNotExist(err) {
				t.Errorf("cat %s after rm %s: got %v, want not found", name, rm, err)
			}
		}
		eventually(t, patience, "stat of "+other+" after rm "+rm+" says so", func() bool {
			_, err := os.Stat(m.path(other))
			return os.IsNotExist(err)
		})
	}
	if got := m.sh("ls S | wc -l"); got != "0\n" {
		t.Errorf("left: got %s, want 0", got)
	}
}

func TestWhatIsAppendedIsSeenByTheNextCall(t *testing.T) {
	m := mount(t)
	m.sh("mkdir S")
	for i := 1; i <= 300; i++ {
		name := fmt.Sprintf("S/%012d", i)
		if _, err := os.Stat(m.path(name)); !os.IsNotExist(err) {
			t.Fatalf("before it is there: got %v", err)
		}
		m.write("S/x", fmt.Sprint(i))
		if got := m.read(name); got != fmt.Sprint(i) {
			t.Fatalf("%s: got %q, want %d", name, got, i)
		}
		if got := m.read("S/x"); got != fmt.Sprint(i) {
			t.Fatalf("S/x: got %q, want %d", got, i)
		}
	}
	if got := len(strings.Fields(m.sh("ls S"))); got != 300 {
		t.Errorf("listed: got %d, want 300", got)
	}
}

// A message that somebody reads while it is removed gives its bytes or an error, never others.
func TestReadingWhileMessagesAreRemoved(t *testing.T) {
	m := mount(t, withSource("mem:"))
	m.fill("S", 3000)
	done := make(chan error, 1)
	go func() {
		for i := 1; i <= 3000; i++ {
			if err := os.Remove(m.path(fmt.Sprintf("S/%012d", i))); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for i := 3000; i >= 1; i-- {
		got, err := os.ReadFile(m.path(fmt.Sprintf("S/%012d", i)))
		if err == nil && string(got) != fmt.Sprintf("%d\n", i) {
			t.Errorf("message %d: got %q", i, got)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
