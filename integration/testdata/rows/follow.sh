# design: 2.1.3 follow, follow.jsonl
# layout: .jsfs/ of every message directory: follow, follow.jsonl
orders
is "$(ls -a S S/.jsfs | grep -c follow || true)" 0
exec 3< S/.jsfs/follow 4< S/.jsfs/follow.jsonl 5< S/.jsfs/subjects/orders.eu.new/.jsfs/follow 6< S/.follow
echo five > S/orders.x
echo six > S/orders.eu.new
is "$(head -n 1 <&3 2> /dev/null; sed q <&6)" "$(printf 'five\nfive')"
is "$(sed q <&4 | json 'j["seq"], j["data"]')" "(5, 'five\n')"
is "$(sed q <&5)" six

# A read waits; Ctrl-C ends it.
exec 7< S/.follow
(sleep 0.3; echo seven > S/a) &
is "$(sed q <&7)" seven
timeout -s INT 0.5 cat S/.follow || is $? 124

# The end of the stream is the end of the file.
exec 8< S/.follow
rm -r S
is "$(cat <&8)" ""
