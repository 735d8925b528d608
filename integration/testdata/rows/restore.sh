# layout: A message directory: 000000000042, 42
# A file above the last number, with the attributes of a message, is that message.
orders
mkdir T "$T/disk"
came_back() {
	cmp S/.jsfs/log.jsonl T/.jsfs/log.jsonl
	is "$(ls -A T)" "$(ls S)"
	is "$(stat -c '%s %y' T/0*)" "$(stat -c '%s %y' S/0*)"
	rm -r T "$T/disk"
	mkdir T "$T/disk"
}
cp -a S/0* "$T/disk"
cp -a "$T/disk"/0* T/
came_back
rsync -aX S/ "$T/disk"
rsync -aX "$T/disk/" T/
came_back
tar --xattrs --xattrs-include='user.*' -C S -cf "$T/t.tar" .
tar --xattrs --xattrs-include='user.*' -C T -xf "$T/t.tar"
came_back

# Without the attributes nothing is appended.
refused 'Operation not permitted' 'cp S/3 T/000000000009'
reason 'to restore a message, set its attributes'
is "$(ls -A T)" ""

# A number that was used, or passed over, is never given again.
cp -a S/4 T/
refused 'File exists' 'cp -a S/3 T/'
is "$(ls T)" 000000000004
echo next > T/x
is "$(ls T | tail -n 1)" 000000000005
