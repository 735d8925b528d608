# design: 2.1.9 post
# layout: .jsfs/ of every message directory: post
mkdir S T
printf 'Subject: a.b\nX-Y: 1\n\nbody' > S/.jsfs/post
is "$(cat S/a.b) $(attr header.X-Y S/1) $(attr subject S/1)" "body 1 a.b"
cat > S/.jsfs/post <<P
Subject: c

line
P
is "$(cat S/2)" line
cat S/.jsfs/post | grep -q 'Subject: '

# raw reads in the same form: a message is replayed.
for n in 1 2; do cat S/.jsfs/msg/$n/raw > T/.jsfs/post; cmp S/.jsfs/msg/$n/raw T/.jsfs/msg/$n/raw; done

# A head that is wrong, or would act, appends nothing.
echo '{"allow_rollup_hdrs": true}' > S/.jsfs/config
printf 'X-Y: 1\n\nno subject' > "$T/none"
printf 'Subject: a\nNats-Rollup: all\n\nrolled up' > "$T/rollup"
printf 'Subject: a\nNats-Expected-Last-Sequence: 7\n\nno' > "$T/expects"
refused 'Invalid argument' 'cat "$T/none" > S/.jsfs/post'
refused 'not permitted' 'cat "$T/rollup" > S/.jsfs/post'
refused 'not permitted' 'cat "$T/expects" > S/.jsfs/post'
is "$(ls S | wc -l)" 2
sed '1i Jsfs-Apply: true' "$T/expects" > "$T/applied"
refused 'Operation canceled' 'cp "$T/applied" S/.jsfs/post'
sed -i s/7/2/ "$T/applied"
cp "$T/applied" S/.jsfs/post
is "$(ls S | wc -l)" 3
(echo 'Jsfs-Apply: true'; cat "$T/rollup") > S/.jsfs/post
is "$(cat S/*)" "rolled up"
refused 'not permitted' "cat '$T/none' > S/.jsfs/last-by-subject/post"
