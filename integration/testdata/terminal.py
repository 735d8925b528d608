# terminal.py KEYS COMMAND...: runs COMMAND on a terminal and types KEYS, which are separated by '|' and may have
# escapes; after each it waits until the screen rests. Prints what was on the screen, and ends with COMMAND's exit code.
import os, pty, select, sys, time

keys = [k.encode().decode("unicode_escape").encode("latin1") for k in sys.argv[1].split("|")]
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[2], sys.argv[2:])


def screen(limit=10):
    out, end = b"", time.time() + limit
    while time.time() < end and select.select([fd], [], [], 0.3)[0]:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        out += data
    return out


seen = screen()
for k in keys:
    try:
        os.write(fd, k)
    except OSError:
        break
    seen += screen()
end = time.time() + 20
while time.time() < end:
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        break
    seen += screen(1)
else:
    os.kill(pid, 9)
    status = 9
sys.stdout.write(seen.decode("utf8", "replace"))
sys.exit(os.waitstatus_to_exitcode(status) if status != 9 else 99)
