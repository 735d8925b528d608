# design: 2.1.8 msg/42/
# layout: .jsfs/ of every message directory: msg/
# layout: in msg/42/: data
# layout: in msg/42/: headers
# layout: in msg/42/: json
# layout: in msg/42/: raw
# layout: in msg/42/: subject, time
orders
printf 'Subject: a.b\nX-Y: 1\nX-Y: 2\n\nbody\n\nmore' > S/.jsfs/post
is "$(ls S/.jsfs/msg)" ""
cd S/.jsfs/msg/5
is "$(ls | lines)" "data headers json raw subject time"
is "$(cat data)" "$(printf 'body\n\nmore')"
is "$(stat -c %i data)" "$(stat -c %i ../../../5)"
is "$(cat headers | tr -d '\r')" "$(printf 'X-Y: 1\nX-Y: 2')"
is "$(cat json)" "$(tail -n 1 ../../log.jsonl)"
is "$(tr -d '\r' < raw)" "$(printf 'Subject: a.b\nX-Y: 1\nX-Y: 2\n\nbody\n\nmore')"
is "$(cat subject)" a.b
is "$(cat time)" "$(attr time data)"
for f in *; do is "$(stat -c %s $f)" "$(cat $f | wc -c)"; done
cd ../../../..
is "$(wc -c < S/.jsfs/msg/1/headers)" 0
is "$(cat S/.jsfs/msg/000000000003/data S/.jsfs/range/1-3/.jsfs/msg/3/data)" "$(printf 'three\nthree')"
refused 'No such file' 'ls S/.jsfs/msg/2'
refused 'No such file' 'ls S/.jsfs/range/1-3/.jsfs/msg/4'
refused 'not permitted' 'echo x > S/.jsfs/msg/1/subject'
