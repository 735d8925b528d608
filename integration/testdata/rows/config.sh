# design: 2.2.1 config
# layout: .jsfs/ of a stream's own directory: config
orders
is "$(json 'j["name"], j["subjects"]' < S/.jsfs/config)" "('S', ['>'])"
is "$(stat -c %s S/.jsfs/config)" "$(wc -c < S/.jsfs/config)"

# Written whole, in NATS's names, it is the configuration from then on.
echo '{"max_msgs": 2, "description": "orders", "subjects": ["orders.>", "bills"], "duplicate_window": 60000000000}' > S/.jsfs/config
is "$(json 'j["max_msgs"], j["description"], j["subjects"]' < S/.jsfs/config)" "(2, 'orders', ['orders.>', 'bills'])"
is "$(ls S | lines)" "000000000003 000000000004"
echo five > S/bills
is "$(ls S | lines)" "000000000004 000000000005"
refused 'Invalid argument' 'echo x > S/tea'
sed 's/orders"/bills"/' S/.jsfs/config > "$T/new"
cp "$T/new" S/.jsfs/config
cmp "$T/new" S/.jsfs/config
is "$(attr config S | json 'j["description"]')" bills

# What can't be is refused, and changes nothing.
for bad in '{"max_msgs": -7}' '{"colour": 1}' 'hello' '{"storage": "tape"}' '{"retention": "never"}' '{"subjects": ["a..b"]}' '{"name": "OTHER"}'; do
	echo "$bad" > "$T/bad"
	refused 'Invalid argument\|not permitted' 'cp "$T/bad" S/.jsfs/config'
	cmp "$T/new" S/.jsfs/config
done
echo '{"max_msgs": -7}' > "$T/bad"
refused . 'cp "$T/bad" S/.jsfs/config'
reason max_msgs
for bad in '{"max_msgs": 7,}' '{"max_msgs" = 7}' 'max_msgs: 7'; do # of these echo hears, which never looks at close(2)
	refused 'Invalid argument' "echo '$bad' > S/.jsfs/config"
	cmp "$T/new" S/.jsfs/config
done
readarray -t lines < "$T/new"
printf '%s\n' "${lines[@]}" > S/.jsfs/config # a write for each line
cmp "$T/new" S/.jsfs/config
refused 'not permitted' 'echo {} >> S/.jsfs/config'
refused 'not permitted' 'rm S/.jsfs/config'

# discard new refuses, and deny_delete denies.
echo '{"max_msgs": 2, "discard": "new", "deny_delete": true}' > S/.jsfs/config
refused 'No space left' 'echo six > S/bills'
refused 'not permitted' 'rm S/4'
reason deny_delete
is "$(cat S/*)" "$(printf 'four\nfive')"
