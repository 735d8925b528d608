# layout: A message directory: .log, .follow, .first, .last, .info
orders
cmp S/.log S/.jsfs/log
cmp S/.info S/.jsfs/info
is "$(readlink S/.first S/.last | lines)" "000000000001 000000000004"
is "$(cat S/.first S/.last)" "$(printf 'one\nfour')"
exec 3< S/.follow
echo five >> S/.log
is "$(head -n 1 <&3)" five
cd 'S/.jsfs/subjects/orders.eu.*'
is "$(cat .log)" "$(printf 'one\nthree\nfour')"
is "$(cat .last)" four
