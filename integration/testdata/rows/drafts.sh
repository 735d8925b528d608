# design: 3.1.6 mv tmp ORDERS/orders.new for a draft tmp
# layout: A message directory: .name, name~, name.swp, name.swx, a file made by mkstemp(3)
mkdir S
echo a > S/.tmp
echo b >> S/.tmp
is "$(ls -A S)" .tmp
is "$(cat S/.tmp; wc -l < S/.log)" "$(printf 'a\nb\n0')"
mv S/.tmp S/orders.new
is "$(ls -A S)" 000000000001
is "$(cat S/orders.new)" "$(printf 'a\nb')"

# Other names of drafts, which are files like any other.
for name in .x y~ .z.swp w.swx; do echo draft > "S/$name"; done
is "$(ls -A S | wc -l)" 5
chmod 600 S/y~
touch -d 2020-02-02 S/y~
is "$(stat -c '%a %s' S/y~) $(date -d @"$(stat -c %Y S/y~)" +%F)" "600 6 2020-02-02"
sed -i s/draft/better/ S/.x
is "$(cat S/.x)" better
mv S/y~ S/.y
rm S/.z.swp S/w.swx S/.y S/.x
is "$(ls -A S)" 000000000001

# mkstemp(3) makes one.
python3 - <<'P'
import os, tempfile
f = tempfile.NamedTemporaryFile(dir="S", delete=False)
f.write(b"careful\n"); f.flush(); os.fsync(f.fileno()); f.close()
assert len(os.listdir("S")) == 2
os.rename(f.name, "S/orders.new")
P
is "$(ls -A S | lines) $(cat S/2)" "000000000001 000000000002 careful"

# What was changed in memory before the rename is in the message; what is written after it is refused.
python3 - <<'P'
import mmap, os
fd = os.open("S/.mapped", os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 9000)
m = mmap.mmap(fd, 9000)
m[8000:8003] = b"abc"
os.rename("S/.mapped", "S/mapped")
message = open("S/mapped", "rb").read()
assert len(message) == 9000 and message[8000:8003] == b"abc", message[7990:8010]
for late in lambda: os.pwrite(fd, b"late", 0), lambda: os.ftruncate(fd, 1), lambda: (m.seek(0), m.write(b"late"), m.flush()):
    try: late()
    except PermissionError: continue
    raise Exception("this was not refused")
assert open("S/mapped", "rb").read() == message
P
reason 'write S/.mapped EPERM it is a message'
is "$(ls -A S | wc -l)" 3
rm S/3

# A rename that is refused leaves the draft, and a draft keeps its stream from rmdir.
echo kept > S/.d
refused . 'mv S/.d S/a..b'
reason 'rename S/.d EINVAL'
refused 'not permitted' 'mv S/.d S/.log'
is "$(cat S/.d)" kept
rm S/1 S/2
refused 'not empty' 'rmdir S'
mv S/.d S/.jsfs/subjects/docs/d.txt
is "$(cat S/4) $(attr subject S/4) $(attr header.Jsfs-Filename S/4)" "kept docs d.txt"
