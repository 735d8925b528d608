# design: 3.1.1 echo hi > ORDERS/orders.new, cp f ORDERS/orders.new, >> ORDERS/orders.new
# layout: A message directory: orders.new, a subject
mkdir S
echo hi > S/orders.new
printf 'a file\nof lines\n' > "$T/f"
cp "$T/f" S/orders.new
echo more >> S/orders.new
is "$(ls S | lines)" "000000000001 000000000002 000000000003"
is "$(cat S/2)" "$(cat "$T/f")"
is "$(attr subject S/1)" orders.new

# All that is written between open and close is one message, which is there when close returns.
(echo a; /bin/echo b; echo c) > S/x
is "$(cat S/4)" "$(printf 'a\nb\nc')"
exec 3> S/x; echo a >&3; /bin/echo b >&3
is "$(ls S | wc -l)" 4
exec 3>&-
is "$(cat S/5)" "$(printf 'a\nb')"
: > S/empty
eventually test -e S/6
is "$(stat -c %s S/6)" 0

# The subject's name reads its newest message; it is not listed.
is "$(cat S/orders.new)" more
is "$(stat -c %s S/orders.new)" 5
is "$(ls S | grep -c orders || true)" 0
chmod 600 S/orders.new
touch S/orders.new
is "$(ls S | wc -l)" 6
refused 'No such file' 'cat S/orders.old'

# rm of it removes no message, so that what unlinks first can write: install, mv, cp --remove-destination, rsync, vim.
refused 'No such file' 'rm S/orders.new'
install "$T/f" S/orders.new
cp --remove-destination "$T/f" S/orders.new
cp "$T/f" "$T/g"
mv "$T/g" S/orders.new
rsync -a "$T/f" S/synced
rsync -a "$T/f" S/synced
is "$(ls S | wc -l)" 10
is "$(rsync -ai "$T/f" S/synced)" ""

# A refusal reaches the writer and appends nothing.
refused 'Invalid argument' 'echo x > S/a..b'
refused 'Invalid argument' 'echo x > "S/a.*"'
refused 'Invalid argument' 'cp "$T/f" "S/a b"'
echo '{"max_msg_size": 10}' > S/.jsfs/config
refused 'File too large' 'cp "$T/f" S/x'
is "$(ls -A S | wc -l)" 10

# A writer that is killed leaves a draft, and no message.
bash -c 'echo half; kill -9 $$' > S/x || true
eventually test -e S/.killed.1
is "$(cat S/.killed.1) $(ls S | wc -l)" "half 10"
rm S/.killed.1
