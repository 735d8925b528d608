package integration

import "testing"

// policies are what the fields of a stream's configuration, and the headers that act, make of messages.
var policies = []referenceRow{
	{"max_msgs", `conf '{"max_msgs": 2}'; for i in 1 2 3 4 5; do put a $i; done; is "$(seqs)" '4 5'; no conf '{"max_msgs": -2}'; because 'max_msgs: not valid'`,
		`is "$(seqs)" '4 5'; put a 6; is "$(seqs)" '5 6'`},
	{"max_bytes", `conf '{"max_bytes": 1000}'; for i in 1 2 3 4 5; do put a "$(printf 'x%.0s' $(seq 300))"; done; is "$(seqs)" '4 5'
		no put a "$(printf 'x%.0s' $(seq 1000))"; because 'max_bytes'; is "$(seqs)" '4 5'`, ""},
	{"discard new at max_msgs", `conf '{"max_msgs": 2, "discard": "new"}'; put a 1; put a 2; no put a 3; because 'max_msgs is 2'; because ENOSPC; rm S/1; put a 3; is "$(seqs)" '2 3'`,
		`no put a 4; because 'max_msgs is 2'`},
	{"discard new at max_bytes", `conf '{"max_bytes": 1000, "discard": "new"}'; for i in 1 2; do put a "$(printf 'x%.0s' $(seq 300))"; done
		no put a "$(printf 'x%.0s' $(seq 300))"; because 'max_bytes is 1000'; put a small; is "$(seqs)" '1 2 3'`, ""},
	{"discard new lets a message replace one of its subject", `conf '{"max_msgs": 2, "max_msgs_per_subject": 1, "discard": "new"}'
		put a 1; put b 2; put a 3; is "$(seqs)" '2 3'; no put c 4; because 'max_msgs is 2'`, ""},
	{"max_msgs_per_subject", `conf '{"max_msgs_per_subject": 2}'; for i in 1 2 3 4; do put a $i; done; put b 5; is "$(seqs)" '3 4 5'`, `put a 6; is "$(seqs)" '4 5 6'`},
	{"discard_new_per_subject, rollups excepted", `no conf '{"discard_new_per_subject": true}'; because 'discard_new_per_subject: not valid'
		no conf '{"discard_new_per_subject": true, "discard": "new"}'; because 'needs a max_msgs_per_subject'
		conf '{"max_msgs_per_subject": 1, "discard": "new", "discard_new_per_subject": true, "allow_rollup_hdrs": true}'
		put a 1; no put a 2; because 'max_msgs_per_subject is 1'; put b 2; put a 3 'Nats-Rollup: sub'; is "$(seqs)" '2 3'`, ""},
	{"max_age", `no conf '{"max_age": 50000000}'; because 'max_age: not valid'; conf '{"max_age": 300000000, "allow_msg_ttl": true}'
		put a 1; put a 2 'Nats-TTL: never'; put a 3; gone S/1; gone S/3; is "$(seqs)" 2`, `is "$(seqs)" 2; put a 4; gone S/4`},
	{"a message's own TTL", `no put a x 'Nats-TTL: 1s'; because 'does not allow a Nats-TTL'; conf '{"allow_msg_ttl": true}'
		no put a x 'Nats-TTL: 500ms'; because 'less than 1s'; no put a x 'Nats-TTL: soon'; because EINVAL
		put a 1 'Nats-TTL: 1s'; put a 2 'Nats-TTL: 1'; put a 3 'Nats-TTL: never'; put a 4 'Nats-TTL: 1h'; put a 5; gone S/1; gone S/2; is "$(seqs)" '3 4 5'
		no conf '{}'; because 'allow_msg_ttl: denied'; put a 6 'Nats-TTL: 15s'; cp -p S/.jsfs/config ../conf`, `gone S/6; is "$(seqs)" '3 4 5'`},
	{"max_msg_size counts headers and payload", `conf '{"max_msg_size": 100}'; put a "$(printf 'x%.0s' $(seq 90))"; no put a "$(printf 'x%.0s' $(seq 90))" 'X: yyyyyyyyyy'; because EFBIG; is "$(seqs)" 1`, ""},
	{"duplicate_window", `no conf '{"duplicate_window": 50000000}'; because 'duplicate_window: not valid'; no conf '{"duplicate_window": 2000000000, "max_age": 1000000000}'; because 'longer than max_age'
		put a 1 'Nats-Msg-Id: A'; put b 2 'Nats-Msg-Id: A'; put a 3 'Nats-Msg-Id: B'; is "$(seqs)" '1 2'; rm S/1; put a 4 'Nats-Msg-Id: A'; is "$(seqs)" 2`,
		`put a 4 'Nats-Msg-Id: A'; put a 4 'Nats-Msg-Id: B'; is "$(seqs)" 2; conf '{"duplicate_window": 300000000}'; sleep 0.4; put a 5 'Nats-Msg-Id: A'; is "$(seqs)" '2 3'`},
	{"what the headers expect", `put a 1 'Nats-Expected-Last-Sequence: 0' 'Nats-Msg-Id: A'; no put a 2 'Nats-Expected-Last-Sequence: 0'; because ECANCELED; because 'is 1, not 0'
		put b 2 'Nats-Expected-Last-Subject-Sequence: 0' 'Nats-Expected-Last-Msg-Id: A'; no put b 3 'Nats-Expected-Last-Subject-Sequence: 1'; because 'on b is 2, not 1'
		no put c 3 'Nats-Expected-Last-Msg-Id: A'; because ECANCELED; no put a 3 'Nats-Expected-Stream: OTHER'; because 'not OTHER'; put a 3 'Nats-Expected-Stream: S'
		put c 4 'Nats-Expected-Last-Subject-Sequence: 3' 'Nats-Expected-Last-Subject-Sequence-Subject: a'; is "$(seqs)" '1 2 3 4'
		no put a x 'Nats-Expected-Last-Sequence: one'; because EINVAL`, ""},
	{"rollups", `no put a x 'Nats-Rollup: sub'; because 'does not allow rollups'; conf '{"allow_rollup_hdrs": true}'; for s in a b a b; do put $s $s; done
		no put a x 'Nats-Rollup: some'; because EINVAL; put a 5 'Nats-Rollup: sub'; is "$(seqs)" '2 4 5'; put a 6 'Nats-Rollup: all'; is "$(seqs)" 6
		no conf '{"allow_rollup_hdrs": true, "deny_purge": true}'; because 'allow_rollup_hdrs: not valid'`, ""},
	{"interest", `conf '{"retention": "interest"}'; put a 1; is "$(seqs)" ''; cd S/.jsfs/consumers; mkdir x y; cd ../../..; put a 2; cd S/.jsfs/consumers; is "$(cat x/next)" 2; rm x/pending/2
		is "$(seqs ../..)" 2; is "$(cat y/next)" 2; rm y/pending/2; is "$(seqs ../..)" ''`, ""},
	{"workqueue", `conf '{"retention": "workqueue"}'; mkdir S/.jsfs/consumers/x; put a 1; put a 2; put b 3; is "$(cd S/.jsfs/consumers/x; cat next next)" "$(printf '1\n2')"
		rm S/.jsfs/consumers/x/pending/2; is "$(seqs)" '1 3'; no mkdir S/.jsfs/consumers/y; because 'no message may have two consumers'; no conf '{"retention": "limits"}'; because 'retention: denied'`,
		`is "$(seqs)" '1 3'`},
	{"the consumers of a work queue share it by subjects", `conf '{"retention": "workqueue"}'; mkdir S/.jsfs/consumers/x; echo '{"filter_subject": "a"}' > S/.jsfs/consumers/x/config
		mkdir S/.jsfs/consumers/y S/.jsfs/consumers/z; put a 1; put b 2; put c 3; for c in y z; do is "$(num num_pending S/.jsfs/consumers/$c/info)" 0; done
		echo '{"filter_subject": "a"}' > ../conf; no cp ../conf S/.jsfs/consumers/y/config; because 'no message may have two consumers'
		echo '{"filter_subject": "b"}' > ../conf; cp ../conf S/.jsfs/consumers/y/config; is "$(cat S/.jsfs/consumers/y/next)" 2; rm S/.jsfs/consumers/y/pending/2; is "$(seqs)" '1 3'`,
		`is "$(cat S/.jsfs/consumers/x/next)" 1; echo '{"filter_subjects": ["b", "c"]}' > ../conf; no cp ../conf S/.jsfs/consumers/z/config; rmdir S/.jsfs/consumers/y; cp ../conf S/.jsfs/consumers/z/config; is "$(cat S/.jsfs/consumers/z/next)" 3`},
	{"first_seq", `conf '{"first_seq": 100}'; put a x; is "$(seqs)" 100; no conf '{"first_seq": 5}'; because 'first_seq: denied'; no conf '{}'; because 'first_seq: denied'`, `put a y; is "$(seqs)" '100 101'`},
	{"sealed", `put a 1; conf '{"sealed": true, "max_age": 3600000000000, "allow_rollup_hdrs": true}'; for f in '"discard": "new"' '"deny_delete": true' '"deny_purge": true'; do grep -q "$f" S/.jsfs/config; done
		no grep -E 'max_age|rollup' S/.jsfs/config; no put a 2; because EROFS; no rm S/1; no ctl purge; because EROFS; no conf '{}'; is "$(seqs)" 1`, `no put a 2; because EROFS; no rm S/1`},
	{"deny_delete and deny_purge", `put a 1; put a 2; conf '{"deny_delete": true}'; no rm S/1; because EPERM; no ctl erase 1; no conf '{}'; because 'deny_delete: denied'; ctl purge seq=2; is "$(seqs)" 2
		conf '{"deny_delete": true, "deny_purge": true}'; no ctl purge; because EPERM; no ctl compact 9; no ctl truncate 0 force; no conf '{"deny_delete": true}'; because 'deny_purge: denied'; is "$(seqs)" 2`, `no rm S/2; no ctl purge`},
	{"compression", `printf 'abc%.0s' $(seq 5000) > ../big; cp ../big S/a; conf '{"compression": "s2"}'; cp ../big S/a; conf '{"compression": "none"}'; cp ../big S/a; for i in 1 2 3; do cmp ../big S/$i; done
		no conf '{"compression": "lz4"}'; because 'compression: not valid'`, `is "$(seqs)" '1 2 3'; cmp S/1 S/2; cmp S/1 S/3`},
	{"max_consumers", `conf '{"max_consumers": 1}'; mkdir S/.jsfs/consumers/x; no mkdir S/.jsfs/consumers/y; because 'max_consumers'`, ""},
	{"subjects", `conf '{"subjects": ["a.*", "b.>"]}'; put a.x 1; put b.c.d 2; no put a.x.y 3; because 'subject not accepted'; no conf '{"subjects": ["a..b"]}'; because subjects; no conf '{"subjects": ["a b"]}'; because subjects`, ""},
	{"description and metadata", `conf '{"description": "orders", "metadata": {"owner": "us"}}'; grep -q '"owner": "us"' S/.jsfs/config; no conf '{"description": "'$(printf 'x%.0s' $(seq 5000))'"}'; because description`, `grep -q '"orders"' S/.jsfs/config`},
	{"NATS's own fields, where they ask for nothing", `conf '{"name": "S", "storage": "file", "num_replicas": 1, "subjects": [">"]}'; no conf '{"num_replicas": 3}'; because num_replicas; no conf '{"colour": 3}'; because 'not known: colour'; no conf '{"name": "OTHER"}'; because name`, ""},
}

// Each field of a stream's configuration, and each header that acts, does through a mount what it says.
func TestEachPolicyThroughAMount(t *testing.T) { runReference(t, policies) }
