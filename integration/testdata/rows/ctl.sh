# design: 2.2.4 ctl
# layout: .jsfs/ of a stream's own directory: ctl
orders
grep -q purge S/.jsfs/ctl
is "$(stat -c %s S/.jsfs/ctl)" "$(wc -c < S/.jsfs/ctl)"

# purge removes as rm does: all, a subject's, those below a number, all but some, and any of it at once.
many() { rm -rf P; mkdir P; for i in 1 2 3 4; do echo $i > P/a; echo $i > P/b; done; }
purged() { many; echo "$1" > P/.jsfs/ctl; is "$(cat P/* 2> /dev/null | lines)" "$2"; is "$(ls P/.jsfs/deleted | wc -l)" $((8 - $(ls P | wc -l))); }
purged 'purge' ''
purged 'purge subject=a' '1 2 3 4'
purged 'purge subject=* seq=7' '4 4'
purged 'purge seq=4' '2 3 3 4 4'
purged 'purge keep=2' '4 4'
purged 'purge subject=b keep=1' '1 2 3 4 4'
mv P/.jsfs/deleted/* P/
is "$(ls P | wc -l)" 8
many
is "$("$JSFS" purge --dry-run --keep=3 P; "$JSFS" purge --keep=3 P; ls P | wc -l)" "$(printf 'would purge 5 messages of P\npurged 5 messages of P\n3')"

# What is no ASCII is part of a subject, also where it is white space.
n=$(printf 'a\302\240b')
mkdir W; echo 1 > W/a; echo 2 > "W/$n"
echo "purge subject=$n" > W/.jsfs/ctl
is "$(cat W/*)" 1
printf 'Subject: %s\n\n3' "$n" > W/.jsfs/post
is "$(tail -n +1 W/3)" 3
is "$("$JSFS" purge --subject "$n" W)" "purged 1 message of W"
rm -r W

# compact removes below a number, and lets the next message have it.
echo 'compact 3' > S/.jsfs/ctl
is "$(ls S | lines)" "000000000003 000000000004"
echo 'compact 9' > S/.jsfs/ctl
echo nine > S/a
is "$(ls S)" 000000000009

# erase overwrites the bytes; on disk they are nowhere.
echo a-secret-of-mine > S/a
is "$(cat S/10)" a-secret-of-mine
echo sync > S/.jsfs/ctl
if [ -n "$STORE" ]; then grep -rq a-secret-of-mine "$STORE"; fi
echo 'erase 10' > S/.jsfs/ctl
refused 'No such file' 'cat S/10'
if [ -n "$STORE" ]; then ! grep -rq a-secret-of-mine "$STORE" || wrong; fi

# truncate removes above a number, whose successors are used again.
many
refused 'Invalid argument' 'echo "truncate 4" > P/.jsfs/ctl'
echo 'truncate 4 force' > P/.jsfs/ctl
echo five > P/x
is "$(cat P/5; cat P/0* | lines)" "$(printf 'five\n1 1 2 2 five')"

# erase takes a message from who had it open before its stream was truncated, too.
mkdir E; echo a-secret > E/a; echo goes > E/b
exec 4< E/1 5< E/.jsfs/msg/1/raw 6< E/a
is "$(cat E/1)" a-secret
echo 'truncate 1 force' > E/.jsfs/ctl
erase() { echo 'erase 1' > E/.jsfs/ctl; } 2> /dev/null
eventually erase # for a moment the kernel has the name of the stream before
refused 'Stale file handle' 'cat <&5'
refused 'Stale file handle' 'cat <&6'
stale() { ! python3 -c 'import os; os.pread(4, 1, 0)' 2> /dev/null; }
eventually stale
exec 4<&- 5<&- 6<&-
rmdir E

# An unknown command does nothing.
refused 'Invalid argument' 'echo prune > P/.jsfs/ctl'
reason 'is no command'

# What follows a command that is refused is not done, however its writer goes on: bash's printf writes each line by itself.
is "$(ls P | wc -l)" 5
refused 'Invalid argument' 'printf "sync\nprune\npurge\n" > P/.jsfs/ctl'
refused 'Invalid argument' 'printf "sync\nprune\npurge" > P/.jsfs/ctl'
is "$(ls P | wc -l)" 5
python3 -c '
import os
fd = os.open("P/.jsfs/ctl", os.O_WRONLY)
assert os.write(fd, b"sync\nprune\npurge\n") == 5
try: os.close(fd)
except OSError: pass
else: raise Exception("nobody was told")'
is "$(ls P | wc -l)" 5
# Nor is the beginning of one that is too long.
refused 'File too large' '{ printf purge; head -c 1100000 /dev/zero | tr "\\0" " "; echo keep=9; } | cat > P/.jsfs/ctl'
is "$(ls P | wc -l)" 5
exec 3> P/.jsfs/ctl
! echo prune >&3 2> /dev/null || wrong
echo sync >&3
exec 3>&-

# Who has it open for reading and writing hears how many went.
is "$(python3 -c '
import os
fd = os.open("P/.jsfs/ctl", os.O_RDWR)
os.write(fd, b"purge seq=4\n")
print(os.pread(fd, 100, 0).decode(), end="")')" 3

# A sealed stream stays as it is, until it goes as a whole.
echo seal > P/.jsfs/ctl
refused 'Read-only' 'echo x > P/a'
refused 'Read-only' 'rm P/5'
refused 'Read-only' 'echo purge > P/.jsfs/ctl'
is "$(ls P | wc -l)" 2
echo 'remove force' > P/.jsfs/ctl
is "$(ls)" S
