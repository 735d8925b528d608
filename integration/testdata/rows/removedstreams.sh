# design: 2.3.3 deleted/
# layout: The root: .jsfs/deleted/
orders
rm S/4
rm -r S
is "$(ls .jsfs/deleted | sed 's/@20[0-9]*-[0-9]*-[0-9]*T[0-9:.]*Z$//')" S
refused 'not permitted' 'rmdir .jsfs/deleted/S@*'
refused 'not permitted' 'mv .jsfs/deleted/S@* T'
mkdir S
echo other > S/x
refused . 'mv .jsfs/deleted/S@* .'
reason EEXIST
rm S/1
rmdir S
is "$(ls .jsfs/deleted | wc -l)" 2
mv "$(ls -d .jsfs/deleted/S@* | sort | head -n 1)" .
# What was removed a moment before the stream is taken for a part of its removal, and comes back with it.
is "$(cat S/*)" "$(printf 'one\ntwo\nthree\nfour')"
is "$(ls S/.jsfs/deleted)" ""
echo five > S/x
is "$(ls S | tail -n 1)" 000000000005
