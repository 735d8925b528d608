# design: 2.1.4 first, last
# layout: .jsfs/ of every message directory: first, last
orders
is "$(readlink S/.jsfs/first S/.jsfs/last | lines)" "../000000000001 ../000000000004"
is "$(cat S/.jsfs/first S/.jsfs/last)" "$(printf 'one\nfour')"
is "$(cat S/.jsfs/range/2-3/.jsfs/first S/.jsfs/subjects/orders.eu.new/.jsfs/last)" "$(printf 'three\nfour')"
rm S/4
is "$(cat S/.jsfs/last)" three
echo five > S/x
is "$(cat S/.jsfs/last)" five
rm S/1 S/3 S/5
refused 'No such file' 'cat S/.jsfs/first'
refused 'No such file' 'readlink -e S/.jsfs/last > /dev/null || ls S/.jsfs/last'
