# design: 2.1.2 log.jsonl
# layout: .jsfs/ of every message directory: log.jsonl
orders
printf 'Subject: a\nX-Y: 1\n\n\0\377' > S/.jsfs/post
is "$(stat -c %s S/.jsfs/log.jsonl)" "$(cat S/.jsfs/log.jsonl | wc -c)"
python3 - <<'P'
import base64, json, os
lines = [json.loads(l) for l in open("S/.jsfs/log.jsonl")]
assert [l["seq"] for l in lines] == [1, 3, 4, 5], lines
assert [l["subject"] for l in lines] == ["orders.eu.new", "orders.eu.paid", "orders.eu.new", "a"], lines
assert lines[1]["data"] == "three\n" and "X-Y: 1" in lines[3]["headers"], lines
assert base64.b64decode(lines[3]["data_b64"]) == b"\0\xff", lines
for l in lines: assert l["time"] == os.getxattr("S/%d" % l["seq"], "user.jsfs.time").decode(), l
P
is "$(wc -l < S/.jsfs/subjects/orders.eu.new/.jsfs/log.jsonl)" 2
refused 'not permitted' 'echo {} > S/.jsfs/log.jsonl'
