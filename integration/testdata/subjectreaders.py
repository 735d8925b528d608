"""subjectreaders.py WRITTEN READ DIR ROUNDS SIZE...: while one process appends messages of these sizes to WRITTEN, programs
read READ, which is the newest of them. Each must get one message, whole, and tell no error. Prints what was wrong."""
import mmap, os, shutil, signal, subprocess, sys

written, read, tmp, rounds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
sizes = [int(n) for n in sys.argv[5:]]


def message(i):
    return bytes([97 + i % 26]) * sizes[i % len(sizes)]


def append(i):
    with open(written, "wb") as f:
        f.write(message(i))


def is_message(b):
    return len(b) in sizes and b == b[:1] * len(b)


def wrong(who, b, err=""):
    print(f"{who}: {len(b)} bytes of {bytes(sorted(set(b)))[:4]} {err}")


def check(who, b, err=""):
    if err or not is_message(b):
        wrong(who, b, err)


def content(name):
    with open(name, "rb") as f:
        return f.read()


def run(who, command, out=None):
    p = subprocess.run(["bash", "-c", command], capture_output=True)
    err = p.stderr.decode() + (f"exit code {p.returncode}" if p.returncode else "")
    check(who, content(out) if out and os.path.exists(out) else p.stdout, err)


def size_told(who, command):
    n = int(subprocess.run(["bash", "-c", command], capture_output=True).stdout.split()[0])
    if n not in sizes:
        print(f"{who}: {n}")


def python():
    with open(read, "rb") as f:
        size, b = os.fstat(f.fileno()).st_size, f.read()
        check("Python", b, f"fstat told {size}" if size != len(b) else "")
    with open(read, "rb") as f:
        m = mmap.mmap(f.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
        check("Python, mapped", m[:])
    with open(read, "rb") as f, open("/proc/self/fd/%d" % f.fileno(), "rb") as again:
        check("Python, opened again", again.read())
    shutil.copyfile(read, tmp + "/copyfile")
    check("Python, copyfile", content(tmp + "/copyfile"))


append(0)
writer = os.fork()
if writer == 0:
    i = 1
    while True:
        append(i)
        i += 1
try:
    dir, name = os.path.split(read)
    for i in range(rounds):
        run("cat", f"cat {read}")
        run("cp", f"cp {read} {tmp}/cp", tmp + "/cp")
        run("tar", f"rm -rf {tmp}/{name}; tar -C {dir} -cf {tmp}/tar {name} && tar -C {tmp} -xf {tmp}/tar", f"{tmp}/{name}")
        run("rsync", f"rm -f {tmp}/rsync; rsync -a {read} {tmp}/rsync", tmp + "/rsync")
        run("dd", f"dd if={read} bs=64k status=none")
        run("tail", f"tail -c +1 {read}")
        size_told("wc -c of the name", f"wc -c {read}")
        size_told("wc -c", f"wc -c < {read}")
        python()
finally:
    os.kill(writer, signal.SIGTERM)
    os.waitpid(writer, 0)
