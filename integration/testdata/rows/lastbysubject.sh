# design: 2.1.6 last-by-subject/
# layout: .jsfs/ of every message directory: last-by-subject/
orders
is "$(ls S/.jsfs/last-by-subject | lines)" "orders.eu.new orders.eu.paid"
is "$(cd S/.jsfs/last-by-subject; grep . * | lines)" "orders.eu.new:four orders.eu.paid:three"
is "$(stat -c %s S/.jsfs/last-by-subject/orders.eu.new)" 5
echo newer > S/orders.eu.new
echo key > S/k
is "$(cat S/.jsfs/last-by-subject/orders.eu.new S/.jsfs/last-by-subject/k)" "$(printf 'newer\nkey')"
rm S/6
is "$(ls S/.jsfs/last-by-subject | lines)" "orders.eu.new orders.eu.paid"
is "$(ls S/.jsfs/range/1-3/.jsfs/last-by-subject | lines) $(cat S/.jsfs/range/1-3/.jsfs/last-by-subject/orders.eu.new)" "orders.eu.new orders.eu.paid one"
refused 'not permitted' 'echo x > S/.jsfs/last-by-subject/k2'
refused 'not permitted' 'rm S/.jsfs/last-by-subject/orders.eu.new'
is "$(cat S/.jsfs/last-by-subject/orders.eu.new)" newer
