# design: 3.1.3 the same into .jsfs/subjects/orders.new/.log
mkdir S
printf 'a\nb\n' >> S/.jsfs/subjects/orders.new/.log
echo c >> S/.jsfs/subjects/orders.new/.jsfs/log
echo d >> S/.jsfs/subjects/other/.log
is "$(cat S/.jsfs/subjects/orders.new/* | lines)" "a b c"
is "$(attr subject S/3) $(attr subject S/4)" "orders.new other"
refused 'not permitted' 'echo x >> "S/.jsfs/subjects/orders.*/.log"'
reason 'many subjects'
is "$(ls S | wc -l)" 4
