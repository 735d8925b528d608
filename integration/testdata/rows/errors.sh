# design: 2.3.2 errors
# layout: The root: .jsfs/errors
orders
refused 'not permitted' 'echo x > S/1'
reason '^20[0-9T:.-]*Z open S/000000000001 EPERM messages never change'
refused 'Invalid argument' 'echo x > S/a..b'
reason ' S/a..b EINVAL '
refused 'not empty' 'rmdir S'
reason ' rmdir S ENOTEMPTY '
is "$(stat -c %a .jsfs/errors)" 600
is "$(grep -c . .jsfs/errors)" 3
is "$(stat -c %s .jsfs/errors)" "$(wc -c < .jsfs/errors)"

# Who follows it hears of the next one.
tail -s 0.05 -n 0 -f .jsfs/errors > "$T/tail" & tail=$!
eventually eval 'refused . "echo x > S/3"; grep -q "S/000000000003 EPERM" "$T/tail"'
kill $tail

# What is not there is no error.
n=$(wc -l < .jsfs/errors)
refused 'No such file' 'cat S/99'
is "$(wc -l < .jsfs/errors)" "$n"
