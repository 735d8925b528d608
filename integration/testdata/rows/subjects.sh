# design: 2.1.5 subjects/
# layout: .jsfs/ of every message directory: subjects/
orders
is "$(ls S/.jsfs/subjects | lines)" "orders.eu.new orders.eu.paid"
is "$(ls S/.jsfs/subjects/orders.eu.new | lines)" "000000000001 000000000004"
is "$(cat S/.jsfs/subjects/orders.eu.new/*)" "$(printf 'one\nfour')"
echo us > S/orders.us.new
echo bill > S/bills

# Patterns: * is a token, > the rest.
cd S/.jsfs/subjects
is "$(ls 'orders.*.new' | lines)" "000000000001 000000000004 000000000005"
is "$(ls 'orders.>' | lines)" "000000000001 000000000003 000000000004 000000000005"
is "$(ls '>' | wc -l) $(ls '*' | lines)" "5 000000000006"
is "$(ls 'orders.*')" ""
is "$(cat 'orders.*.paid/3')" three
refused 'No such file' 'cat bills/000000000003'

# They are not listed, and nest.
is "$(ls | lines)" "bills orders.eu.new orders.eu.paid orders.us.new"
is "$(ls 'orders.>/.jsfs/subjects/orders.eu.*/.jsfs/subjects' | lines)" "orders.eu.new orders.eu.paid"
refused 'No such file' 'ls orders.eu.new/.jsfs/subjects/bills'
cd "$M"

# Odd subjects are escaped; one that is longer than a name ends in a hash.
echo slash > S/a%2Fb
echo digits > S/.jsfs/subjects/%31%32/x
python3 -c 'import json; print(json.dumps({"subject": "x" * 300, "data": "long\n"}))' >> S/.jsfs/log.jsonl
is "$(attr subject S/7) $(attr subject S/8) $(attr subject S/9 | wc -c)" "a/b 12 300"
is "$(cat S/.jsfs/subjects/a%2Fb/* S/.jsfs/subjects/%312/*)" "$(printf 'slash\ndigits')"
long=$(ls S/.jsfs/subjects | grep xxx)
is "${#long} $(cat "S/.jsfs/subjects/$long/9")" "255 long"
is "$(for d in S/.jsfs/subjects/*; do cat "$d"/*; done | sort | lines)" "bill digits four long one slash three us"

# rm in it is rm of the message.
rm S/.jsfs/subjects/orders.eu.new/1
refused 'No such file' 'cat S/000000000001'
