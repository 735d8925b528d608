# design: 2.2.2 deleted/
# layout: .jsfs/ of a stream's own directory: deleted/
orders
is "$(ls S/.jsfs/deleted)" 000000000002
is "$(cat S/.jsfs/deleted/2) $(stat -c '%s' S/.jsfs/deleted/2) $(attr subject S/.jsfs/deleted/2)" "two 4 orders.us.new"
refused 'not permitted' 'rm S/.jsfs/deleted/2'
reason 'brought back with mv'
refused 'not permitted' 'mv S/.jsfs/deleted/2 S/9'
refused 'not permitted' 'mv S/1 S/.jsfs/deleted/'
refused 'not permitted' 'echo x > S/.jsfs/deleted/2'
rm S/3
exec 3< S/.jsfs/deleted/3
mv S/.jsfs/deleted/* S/
was=$(cat <&3)
is "$(ls S/.jsfs/deleted)" ""
is "$(cat S/*)" "$(printf 'one\ntwo\nthree\nfour')"
is "$was $(cat S/orders.us.new)" "three two"

# What is erased does not come back, and what a limit removes is not kept.
rm S/1
echo 'erase 1' > S/.jsfs/ctl
is "$(ls S/.jsfs/deleted)" ""
echo '{"max_msgs": 1}' > S/.jsfs/config
is "$(ls S; ls S/.jsfs/deleted)" 000000000004
