# design: 2.2.1 config
# layout: The root: STREAM/
# A copy brings the configuration back with the messages, by whatever order a tool sets both.

# same A B: the streams are the same but for their names.
same() {
	cmp "$1/.jsfs/log.jsonl" "$2/.jsfs/log.jsonl"
	is "$(json '{k: v for k, v in j.items() if k != "name"}' < "$2/.jsfs/config")" "$(json '{k: v for k, v in j.items() if k != "name"}' < "$1/.jsfs/config")"
	is "$(json 'j["name"]' < "$2/.jsfs/config")" "$2"
}

# copied S: copies of it, straight or by way of a disk, are the same. (From a disk cp copies in an order of its own.)
copied() {
	rm -rf "$T/disk"
	mkdir "$T/disk" "$1-tar"
	cp -a "$1" "$1-cp"
	same "$1" "$1-cp"
	rsync -aX "$1/" "$T/disk/rsync"
	rsync -aX "$T/disk/rsync/" "$1-rsync"
	same "$1" "$1-rsync"
	is "$(rsync -aX --itemize-changes "$T/disk/rsync/" "$1-rsync" | grep -v '^\.d\.\.[t.].* \./$')" ""
	tar --xattrs --xattrs-include='user.*' --sort=name -C "$T/disk/rsync" -cf "$T/disk/t.tar" .
	tar --xattrs --xattrs-include='user.*' -C "$1-tar" -xf "$T/disk/t.tar"
	same "$1" "$1-tar"
}

# filled S CONFIG CONFIG: a stream with gaps, old messages and headers, one configuration before its messages, and one after.
filled() {
	mkdir "$1"
	echo "$2" > "$1/.jsfs/config"
	printf '{"data":"old","headers":"NATS/1.0\\r\\nX: y\\r\\n\\r\\n","subject":"a.b","seq":%d,"time":"2020-02-02T02:02:02.000000002Z"}\n' 20 > "$T/old"
	[ -n "${4-}" ] || cat "$T/old" >> "$1/.jsfs/log.jsonl"
	echo one > "$1/a.b"
	echo two > "$1/own.x"
	echo three > "$1/a.b"
	printf 'Subject: a.c\nNats-Msg-Id: 7\n\nfour' > "$1/.jsfs/post"
	rm "$(find "$1" -maxdepth 1 -name '0*' | sort | sed -n 3p)"
	[ -z "$3" ] || echo "$3" > "$1/.jsfs/config"
}

filled limits '{}' '{"max_msgs": 4, "max_bytes": 10000, "max_msgs_per_subject": 3, "discard": "new", "discard_new_per_subject": true, "duplicate_window": 1000000000,
	"subjects": ["a.*", "own.>"], "max_msg_size": 100, "compression": "s2", "description": "d", "metadata": {"k": "v"}, "deny_delete": true, "deny_purge": true}'
copied limits
mkdir limits-made
cp -a limits/. limits-made/
same limits limits-made
filled narrowed '{}' '{"subjects": ["own.>"], "max_msg_size": 3, "max_msgs_per_subject": 5, "discard": "new"}'
copied narrowed
refused 'Invalid argument' 'echo x > narrowed-rsync/a.b'
refused 'File too large' 'echo xxx > narrowed-rsync/own.x'
filled queue '{"first_seq": 20, "retention": "workqueue", "max_consumers": 2, "max_age": 3600000000000, "allow_msg_ttl": true, "allow_rollup_hdrs": true}' '' young
printf 'Subject: a.c\nNats-TTL: 1h\n\nfive' > queue/.jsfs/post
copied queue
filled sealed '{}' '{"sealed": true}'
copied sealed
refused 'Read-only' 'echo x > sealed-rsync/a.b'
refused 'Read-only' 'echo x > sealed-cp/a.b'
for i in 1 2 3 4; do # a copy that ends in the second that its original is of
	touch "$T/disk/rsync"
	rsync -aX "$T/disk/rsync/" "sealed-now$i"
	refused 'Read-only' ': > "sealed-now$i/999"'
done
mkdir interest
echo '{"retention": "interest"}' > interest/.jsfs/config
mkdir interest/.jsfs/consumers/c
echo one > interest/a.b
echo two > interest/a.b
copied interest

# Copies of what follows others follow them, too, and have each message once.
filled origin '{}' ''
mkdir mirror sourced
echo '{"mirror": {"name": "origin"}}' > mirror/.jsfs/config
echo '{"subjects": ["own.>"], "sources": [{"name": "origin", "filter_subject": "a.*"}]}' > sourced/.jsfs/config
count() { is "$(find "$2" -maxdepth 1 -name '0*' | wc -l)" "$1"; }
eventually eval '(count 4 mirror) 2> /dev/null && (count 4 sourced) 2> /dev/null'
copied mirror
echo mine > sourced/own.y
copied sourced
echo more > origin/a.b
for s in mirror mirror-*; do
	eventually eval '(count 5 $s) 2> /dev/null'
	cmp mirror/.jsfs/log.jsonl "$s/.jsfs/log.jsonl"
	refused 'not permitted' 'echo x > $s/own.y'
	echo '{}' > "$s/.jsfs/config"
done
for s in sourced sourced-*; do
	eventually eval '(count 6 $s) 2> /dev/null'
	echo '{}' > "$s/.jsfs/config"
done

# By hand.
mkdir hand hand2
getfattr -d -m - limits > "$T/attrs"
sed 's/# file: .*/# file: hand/' "$T/attrs" | setfattr --restore=-
cmp <(attr config hand | sed 's/"name":"[a-z]*"//') <(attr config limits | sed 's/"name":"[a-z]*"//')
sed 's/# file: .*/# file: limits/' "$T/attrs" | setfattr --restore=- # what it is already
echo mine > hand2/a.b
refused 'not permitted' "sed 's/# file: .*/# file: hand2/' '$T/attrs' | setfattr --restore=-"
reason 'more than a copy'
is "$(cat hand2/*)" mine

# What somebody chose is kept, and what his stream has: the line in errors says so.
mkdir chosen
echo '{"description": "mine"}' > chosen/.jsfs/config
cp -a limits "$T/disk/limits"
refused 'user.jsfs.config' 'rsync -aX "$T/disk/limits/" chosen'
reason 'stream chosen has a configuration already'
is "$(json 'j["description"]' < chosen/.jsfs/config)" mine
refused 'Invalid argument' 'setfattr -n user.jsfs.config -v "{\"colour\":1}" hand'
reason 'not known: colour'
refused 'Invalid argument' 'setfattr -n user.jsfs.config -v hello hand'

# A directory of files, of which none is a message, is copied with its attributes, too.
mkdir "$T/files" hand3
echo file > "$T/files/a.b"
rsync -aX "$T/files/" hand3
is "$(cat hand3/a.b)" file
