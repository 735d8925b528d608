# design: 3.1.5 cat backup.jsonl >> ORDERS/.jsfs/log.jsonl
orders
printf 'Subject: h\nX-Y: 1\n\n\0\377' > S/.jsfs/post
cp S/.jsfs/log.jsonl "$T/backup.jsonl"
mkdir R
cat "$T/backup.jsonl" >> R/.jsfs/log.jsonl
cmp "$T/backup.jsonl" R/.jsfs/log.jsonl
is "$(ls R | lines)" "000000000001 000000000003 000000000004 000000000005"
is "$(stat -c '%s %y' R/*)" "$(stat -c '%s %y' S/*)"

# A repeated restore is harmless.
cat "$T/backup.jsonl" >> R/.jsfs/log.jsonl
cmp "$T/backup.jsonl" R/.jsfs/log.jsonl

# A line without seq is a new message.
echo '{"subject": "n", "data": "new", "headers": "NATS/1.0\r\nK: v\r\n\r\n"}' >> R/.jsfs/log.jsonl
is "$(cat R/n) $(attr header.K R/6)" "new v"
echo '{"data": "default"}' >> R/.jsfs/log.jsonl
is "$(attr subject R/7)" r

# One with other content than what is there is refused, and so is one of a message that was removed.
sed s/three/other/ "$T/backup.jsonl" > "$T/other.jsonl"
refused 'File exists' 'cat "$T/other.jsonl" >> R/.jsfs/log.jsonl'
reason 'line 2: sequence 3'
rm R/4
refused 'File exists' 'cat "$T/backup.jsonl" >> R/.jsfs/log.jsonl'
mv R/.jsfs/deleted/4 R/
cat "$T/backup.jsonl" >> R/.jsfs/log.jsonl
refused 'Invalid argument' 'cat /etc/hostname >> R/.jsfs/log.jsonl'
is "$(ls R | wc -l)" 6
