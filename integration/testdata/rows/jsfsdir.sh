# layout: A message directory: .jsfs/
orders
is "$(ls -A S | grep -c jsfs || true)" 0
is "$(ls S/.jsfs | lines)" "config consumers ctl deleted first info last last-by-subject log log.jsonl msg post range since subjects"
is "$(ls .jsfs | lines)" "README config deleted errors metrics version"
is "$(ls S/.jsfs/subjects/orders.eu.new/.jsfs | lines)" "first info last last-by-subject log log.jsonl msg post range since subjects"

# Who walks all of it meets an end, and changes nothing.
before=$(cat S/.log S/.jsfs/config; ls S; ls S/.jsfs/consumers)
grep -r nothing-like-it S/.jsfs .jsfs > /dev/null || is $? 1
cp -r S/.jsfs "$T/copy"
cmp S/.log "$T/copy/log"
tar cf "$T/t.tar" -C S .jsfs
is "$(cat S/.log S/.jsfs/config; ls S; ls S/.jsfs/consumers)" "$before"

# Nothing can be made or removed in it.
refused 'not permitted' 'touch S/.jsfs/x'
refused 'not permitted' 'rm S/.jsfs/info'
refused . 'rm -rf S/.jsfs'
refused 'not permitted' 'mkdir .jsfs/x'
is "$(cat S/.log S/.jsfs/config; ls S; ls S/.jsfs/consumers)" "$before"
