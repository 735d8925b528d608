# design: 2.1.10 info
# layout: .jsfs/ of every message directory: info
orders
is "$(json '[j[k] for k in ("messages", "bytes", "first_seq", "last_seq", "num_subjects", "num_deleted", "num_lost")]' < S/.jsfs/info)" "[3, 15, 1, 4, 2, 1, 0]"
is "$(json 'j["first_ts"]' < S/.jsfs/info) $(json 'j["last_ts"]' < S/.jsfs/info)" "$(attr time S/1) $(attr time S/4)"
is "$(json 'j["messages"], j["first_seq"], j["last_seq"]' < 'S/.jsfs/subjects/*.eu.new/.jsfs/info')" "(2, 1, 4)"
is "$(json 'j["messages"]' < S/.jsfs/range/2-3/.info)" 1
is "$(stat -c %s S/.info)" "$(wc -c < S/.info)"
refused 'not permitted' 'echo {} > S/.info'
