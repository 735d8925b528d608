# layout: A message directory: 000000000042, 42
orders
is "$(ls S | lines)" "000000000001 000000000003 000000000004"
is "$(cat S/000000000003)" three
is "$(cat S/3 S/0003 S/000000000000003 | uniq)" three
is "$(stat -c %i S/3)" "$(stat -c %i S/000000000003)"
is "$(stat -c '%s %a %F' S/1)" "4 644 regular file"

# The file's time is the message's, and never changes.
is "$(date -u -d "$(attr time S/1)" +%s)" "$(stat -c %Y S/1)"
is "$(find S -name '0*' -newermt '1 hour ago' | wc -l)" 3
is "$(find S -name '0*' ! -newermt '1 hour ago' | wc -l)" 0

# Its attributes.
is "$(attr seq S/3) $(attr subject S/3)" "3 orders.eu.paid"
refused 'No such attribute' 'getfattr -n user.jsfs.nothing S/3'
refused 'not supported' 'setfattr -n user.other -v x S/3'
attr config S | json 'j["name"]' | grep -qx S

# Nothing changes it.
refused 'not permitted' 'echo x > S/1'
reason 'open S/000000000001 EPERM messages never change'
refused 'not permitted' 'echo x >> S/1'
refused 'not permitted' 'truncate -s 0 S/1'
refused 'not permitted' 'chmod 600 S/1'
refused 'not permitted' 'mv S/1 S/x'
refused 'File exists' 'cp -f /etc/hostname S/1'
refused 'File exists' 'sed -i s/one/ONE/ S/1'
refused 'File exists' 'cp /etc/hostname S/2' # a number is never used again
is "$(cat S/*)" "$(printf 'one\nthree\nfour')"

# rm removes one, by any name, and its number is not used again.
rm S/4
refused 'No such file' 'cat S/000000000004'
echo five > S/x
is "$(ls S | lines)" "000000000001 000000000003 000000000005"

# Who has one open when it is removed, by whatever name, reads it to its end.
seq 100000 > "$T/many"
for name in 6 000000000007 purge; do
	cp "$T/many" S/a
	n=$(readlink S/.last)
	exec 3< "S/$n"
	if [ $name = purge ]; then echo 'purge subject=a' > S/.jsfs/ctl; else rm S/$name; fi
	eventually eval '! stat "S/$n" &> /dev/null'
	is "$(stat -L -c '%h %s' /dev/fd/3)" "0 588895"
	cmp - "$T/many" <&3
	is "$(getfattr --only-values -n user.jsfs.subject "/proc/$$/fd/3")" a
	exec 3<&-
done

# Likewise each other file that shows it, and when the stream goes with it, or its end is cut off.
for end in 'rm U/.jsfs/consumers/c/pending/*; rm U/0*' 'rm -r U' 'echo truncate 0 force > U/.jsfs/ctl'; do
	for data in "$T/many" /etc/hostname; do
		[ -d U ] || mkdir U U/.jsfs/consumers/c
		cp "$data" U/a
		n=$(readlink U/.last)
		cat U/.jsfs/consumers/c/next > "$T/next"
		cmp "$T/next" "$data"
		cat "U/.jsfs/msg/$n/raw" > "$T/raw"
		exec 3< "U/$n" 4< "U/.jsfs/msg/$n/data" 5< "U/.jsfs/msg/$n/raw" 6< U/.jsfs/last-by-subject/a 7< "U/.jsfs/consumers/c/pending/$n" 8< "U/.jsfs/subjects/a/$n"
		eval "$end"
		eventually eval '! stat "U/$n" &> /dev/null'
		is "$(stat -L -c '%h %s' /dev/fd/7)" "0 $(wc -c < "$data")"
		cmp - "$data" <&3
		cmp - "$data" <&4
		cmp - "$T/raw" <&5
		cmp - "$data" <&6
		cmp - "$data" <&7
		cmp - "$data" <&8
		exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&-
	done
done
rm -r U

# Whoever walks meets each message once.
is "$(find . -type f | wc -l) $(grep -r e . | wc -l) $(du -sb --apparent-size S | cut -f 1)" "3 3 15"
is "$(tar cf - S | tar tf - | grep -c 0000)" 3
