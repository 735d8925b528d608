# design: 2.1.1 log
# layout: .jsfs/ of every message directory: log
orders
is "$(cat S/.jsfs/log)" "$(printf 'one\nthree\nfour')"
is "$(stat -c %s S/.jsfs/log)" 15
printf 'no newline' > S/a
printf 'two\nlines\n' > S/a
is "$(tail -n 3 S/.jsfs/log)" "$(printf 'no newline\ntwo\nlines')"
is "$(stat -c %s S/.jsfs/log)" "$(cat S/.jsfs/log | wc -c)"
is "$(grep -n o S/.jsfs/log | lines)" "1:one 3:four 4:no newline 5:two"
is "$(head -n 1 S/.jsfs/log)" one
is "$(wc -l < S/.jsfs/log)" 6
cp S/.jsfs/log "$T/copy"
cmp "$T/copy" S/.jsfs/log

# In any message directory.
is "$(cat S/.jsfs/subjects/orders.eu.new/.jsfs/log)" "$(printf 'one\nfour')"
is "$(cat 'S/.jsfs/subjects/orders.>/.jsfs/range/3-/.jsfs/log')" "$(printf 'three\nfour')"

# tail -f goes on, whatever is removed meanwhile.
tail -s 0.05 -n 1 -f S/.jsfs/log > "$T/tail" 2>&1 & tail=$!
eventually grep -qx lines "$T/tail"
rm S/1 S/6
echo more > S/a
eventually grep -qx more "$T/tail"
rm S/7
echo end > S/a
eventually grep -qx end "$T/tail"
kill $tail
is "$(cat "$T/tail" | lines)" "lines more end"

# It is only appended to.
refused 'not permitted' 'echo x > S/.jsfs/log'
reason 'append with >>'
refused 'not permitted' 'truncate -s 0 S/.log'
refused 'not permitted' 'rm S/.log'
refused 'not permitted' 'cp "$T/copy" S/.log'
is "$(ls S | wc -l)" 4
