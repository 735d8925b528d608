# layout: in consumers/billing/: config
mkdir S S/.jsfs/consumers/c
for i in 1 2 3; do echo a$i > S/a; echo b$i > S/b; done
cd S/.jsfs/consumers/c
is "$(json 'j["ack_policy"], j["deliver_policy"]' < config)" "('explicit', 'all')"

# The names are NATS's, durations nanoseconds.
echo '{"filter_subject": "b", "ack_wait": 2000000000, "max_deliver": 2}' > config
is "$(json 'j["filter_subject"], j["ack_wait"], j["max_deliver"]' < config)" "('b', 2000000000, 2)"
is "$(cat next next next | lines)" "b1 b2 b3"
rm pending/4

# What is not acknowledged within ack_wait comes again, max_deliver times in all.
is "$(timeout 100 cat next next | sort | lines)" "b1 b3"
timeout -s INT 3 cat next > "$T/third" || is $? 124
is "$(cat "$T/third")" ""
is "$(ls pending) $(json 'j["num_pending"]' < info)" " 0"

# touch gives more time: five seconds after its delivery one with an ack_wait of three is still open.
mkdir ../t
echo '{"ack_wait": 3000000000, "max_deliver": 5}' > ../t/config
is "$(cat ../t/next)" a1
for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 0.5; touch ../t/pending/1; done
is "$(ls ../t/pending) $(json 'j["num_redelivered"]' < ../t/info)" "000000000001 0"

refused 'Invalid argument' 'echo "{\"ack_wait\": -5}" > ../t/config'
reason 'ack_wait'
refused 'Invalid argument' 'echo "{\"colour\": 1}" > ../t/config'
mkdir ../n
echo '{"ack_policy": "none", "deliver_policy": "last"}' > ../n/config
is "$(cat ../n/next; ls ../n/pending)" b3
