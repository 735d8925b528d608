# design: 1.1.1 a directory
# design: 1.1.2 nats://HOST:4222, or nats:CONTEXT
# design: 1.1.3 natsdir:PATH
# design: 1.1.4 mem:
cd "$T"
trap '"$JSFS" umount --lazy a 2> /dev/null || true' EXIT

# A directory: what is written is there the next time.
"$JSFS" mount --daemon a.store a
mkdir a/S
echo one > a/S/x
"$JSFS" umount a
"$JSFS" mount --daemon a.store a
is "$(cat a/S/1)" one
echo two > a/S/x
refused "is in use" '"$JSFS" mount --daemon a.store b'
"$JSFS" umount a
"$JSFS" check a.store

# The memory store: nothing of it is.
"$JSFS" mount --daemon mem: a
is "$(ls a)" ""
mkdir a/S
echo one > a/S/x
is "$(cat a/S/1)" one
"$JSFS" umount a
"$JSFS" mount --daemon mem: a
is "$(ls a)" ""
"$JSFS" umount a

# The others are not there yet, and that is said.
refused "can't mount a NATS server yet" '"$JSFS" mount nats://localhost:4222 a'
refused "can't mount a NATS server yet" '"$JSFS" mount nats:prod a'
refused "can't read a nats-server's directory yet" '"$JSFS" mount natsdir:/tmp a'
! mountpoint -q a || wrong
