# design: 3.1.2 echo hi >> ORDERS/.log
mkdir ORDERS L
echo hi >> ORDERS/.log
is "$(cat ORDERS/1) $(attr subject ORDERS/1)" "hi orders"
printf 'a\nb\nrest' >> ORDERS/.log
is "$(cat ORDERS/* | lines)" "hi a b rest"
is "$(ls ORDERS | wc -l)" 4

# The default subject is the first literal one of the configuration.
echo '{"subjects": ["k.>", "l.lines", "m"]}' > L/.jsfs/config
echo one >> L/.log
is "$(attr subject L/1)" l.lines

# A long-running writer: each line is a message when it is whole, however the writes were cut.
exec 3>> ORDERS/.log
printf 'first li' >&3
is "$(ls ORDERS | wc -l)" 4
printf 'ne\nsecond line\nthi' >&3
is "$(tail -n 2 ORDERS/.log)" "$(printf 'first line\nsecond line')"
printf 'rd' >&3
exec 3>&-
is "$(cat ORDERS/7)" third
seq 1000 | dd bs=7 status=none >> ORDERS/.log
seq 1000 | cmp - <(tail -n 1000 ORDERS/.log)
is "$(ls ORDERS | wc -l)" 1007
