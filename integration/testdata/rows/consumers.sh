# design: 2.2.3 consumers/
# layout: .jsfs/ of a stream's own directory: consumers/
# layout: in consumers/billing/: next
# layout: in consumers/billing/: next.json
# layout: in consumers/billing/: pending/
# layout: in consumers/billing/: nak/
# layout: in consumers/billing/: term/
# layout: in consumers/billing/: info
mkdir S
for i in 1 2 3 4; do echo message $i > S/s.$i; done
mkdir S/.jsfs/consumers/billing
refused 'File exists' 'mkdir S/.jsfs/consumers/billing'
is "$(ls S/.jsfs/consumers)" billing
cd S/.jsfs/consumers/billing
is "$(ls | lines)" "config info nak pending term"

# next delivers, pending has what is open.
is "$(cat next)" "message 1"
is "$(json 'j["seq"], j["subject"], j["data"]' < next.json)" "(2, 's.2', 'message 2\n')"
is "$(cat next next)" "$(printf 'message 3\nmessage 4')"
is "$(ls pending | wc -l) $(cat pending/2) $(stat -c %s pending/000000000002)" "4 message 2 10"
timeout -s INT 0.5 cat next || is $? 124

# rm acknowledges, mv to nak gives back, mv to term ends it.
rm pending/1
mv pending/2 nak/
is "$(cat next)" "message 2"
mv pending/3 term/
is "$(ls pending | lines) $(ls nak term | lines)" "000000000002 000000000004 nak:  term:"
is "$(json '[j[k] for k in ("num_ack_pending", "num_redelivered", "num_pending", "name", "stream_name")]' < info)" "[2, 1, 0, 'billing', 'S']"
refused 'No such file' 'rm pending/1'
refused . 'echo x > pending/2'
refused . 'mv pending/2 "$M/S/"'
refused . 'rmdir pending'

# Reading what is listed delivers nothing.
grep -rq 'message' . || true
is "$(json 'j["delivered"]["consumer_seq"]' < info)" 5

# The messages stay: retention is by limits. rmdir removes the consumer.
cd "$M"
is "$(ls S | wc -l)" 4
rmdir S/.jsfs/consumers/billing
is "$(ls S/.jsfs/consumers)" ""

# With a work queue what is acknowledged is removed, and with interest what nobody wants any more.
mkdir Q I
echo '{"retention": "workqueue"}' > Q/.jsfs/config
echo '{"retention": "interest"}' > I/.jsfs/config
mkdir Q/.jsfs/consumers/w I/.jsfs/consumers/a I/.jsfs/consumers/b
for i in 1 2; do echo $i > Q/x; echo $i > I/x; done
is "$(cat Q/.jsfs/consumers/w/next; ls Q | wc -l)" "$(printf '1\n2')"
rm Q/.jsfs/consumers/w/pending/1
eventually eval '[ "$(ls Q)" = 000000000002 ]'
cat I/.jsfs/consumers/a/next > /dev/null
rm I/.jsfs/consumers/a/pending/1
is "$(ls I | wc -l)" 2
cat I/.jsfs/consumers/b/next > /dev/null
rm I/.jsfs/consumers/b/pending/1
eventually eval '[ "$(ls I)" = 000000000002 ]'
