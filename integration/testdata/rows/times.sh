# design: 2.1.7 since/WHEN/, range/FROM-TO/
# layout: .jsfs/ of every message directory: since/
# layout: .jsfs/ of every message directory: range/
orders
cd S/.jsfs/range
is "$(ls 2-3)" 000000000003
is "$(ls 3- | lines)" "000000000003 000000000004"
is "$(ls ./-3 | lines)" "000000000001 000000000003"
is "$(ls 5-9; ls)" ""
is "$(cat 1-3/.log)" "$(printf 'one\nthree')"
refused 'No such file' 'ls 3-2'
reason '9-3\|100-200\|range'
refused 'No such file' 'cat 2-3/4'

cd "$M/S/.jsfs/since"
touch -d '2020-02-02T02:02:02.5Z' "$T/dated"
is "$(ls)" ""
is "$(ls 2020-01-01 | wc -l) $(ls 2999-01-01T00:00:00Z | wc -l)" "3 0"
at=$(attr time ../../3)
is "$(ls "$at" | lines)" "000000000003 000000000004"
for d in 15m 2h 7d 1h30m; do
	is "$(ls $d/ | wc -l)" 3
	readlink $d | grep -qx '20[0-9-]*T[0-9:]*Z'
done
is $(($(date +%s) - $(date -d "$(readlink 2h)" +%s) - 7200 <= 2)) 1
refused 'No such file' 'ls yesterday/'
reason 'since\|15m'
is "$(cat 1h/.jsfs/range/3-/.jsfs/subjects/orders.eu.new/.log)" four
