package integration

import "testing"

// operations are what the operations of a stream do, and their edges, where a mount reaches them.
var operations = []referenceRow{
	{"store gives the next number", `put a one; put b.c two; echo three > S/a
		is "$(seqs)" '1 2 3'; is "$(cat S/a)" three; is "$(numbers)" '3 1 3'`, ""},
	{"what store refuses changes nothing", `conf '{"max_msg_size": 100}'; put a one; info=$(cat S/.info)
		head -c 200 /dev/zero > ../big; no cp ../big S/a; because 'message too large'
		no put '' x; because EINVAL
		no put 'a.*' x; because 'subject not accepted'
		no put 'a..b' x; because 'subject not accepted'
		no put "$(printf 'x%.0s' $(seq 4097))" x; because ENAMETOOLONG
		no put a x "X: $(head -c 70000 /dev/zero | tr '\0' x)"; because EFBIG
		is "$(cat S/.info)" "$info"`, ""},
	{"store raw keeps sequence and time, and uses no sequence again", `five='{"seq":5,"time":"2026-01-02T03:04:05.123456789Z","subject":"a","data":"five"}'
		lines "$five"; is "$(seqs)" 5; is "$(cat S/.jsfs/msg/5/time)" 2026-01-02T03:04:05.123456789Z
		lines "$five"; is "$(seqs)" 5
		no lines "$(echo "$five" | sed s/five/six/)"; because EEXIST
		no lines "$(echo "$five" | sed s/:5,/:3,/)"; because EEXIST
		put a six; is "$(seqs)" '5 6'`, ""},
	{"times never go backwards", `lines '{"seq":1,"time":"2100-01-01T00:00:00Z","subject":"a","data":"later"}'; put a now
		is "$(cat S/.jsfs/msg/2/time)" 2100-01-01T00:00:00.000000000Z`, ""},
	{"the limit of the subject is looked at before that of the stream", `conf '{"max_msgs":1,"max_msgs_per_subject":1,"discard":"new","discard_new_per_subject":true}'
		put a one; no put a two; because 'max_msgs_per_subject is 1'; no put b two; because 'max_msgs is 1'; is "$(seqs)" 1`, ""},
	{"skip takes sequences, and the last time stays", `put a one; last=$(grep last_ts S/.info); ctl compact 10
		is "$(grep last_ts S/.info)" "$last"; is "$(num last_seq)" 9; put a ten; is "$(seqs)" 10`, `put a x; is "$(seqs)" '10 11'`},
	{"load", `put a one; put a two; rm S/1; is "$(cat S/2)" two; no cat S/1; no cat S/3; no cat S/0; no cat S/.jsfs/msg/1/data; no cat S/.jsfs/msg/3/data`, ""},
	{"load next is the first match from there on", `for s in a b a b x.a x.b; do put $s $s; done; rm S/3; cd S/.jsfs
		is "$(edge first subjects/b/.jsfs/range/3-)" 4; is "$(edge first subjects/a/.jsfs/range/1-)" 1; is "$(edge first subjects/a/.jsfs/range/2-)" ''
		is "$(edge first 'subjects/x.*/.jsfs/range/2-')" 5; is "$(edge first 'subjects/>/.jsfs/range/3-')" 4; is "$(edge first range/9-)" ''
		echo 'compact 4' > ctl; is "$(edge first range/1-)" 4`, ""},
	{"load previous is the last match up to there", `for s in a b a b x.a x.b; do put $s $s; done; rm S/3; cd S/.jsfs
		is "$(edge last subjects/b/.jsfs/range/-3)" 2; is "$(edge last subjects/a/.jsfs/range/-9)" 1; is "$(edge last 'subjects/x.*/.jsfs/range/-5')" 5
		is "$(edge last 'subjects/*/.jsfs/range/-3')" 2; is "$(edge last range/-99)" 6; is "$(edge last subjects/x.b/.jsfs/range/-5)" ''`, ""},
	{"load last", `for s in a b x.a x.b a; do put $s $s$((n += 1)); done; is "$(cat S/a)" a5; is "$(cat S/x.a)" x.a3
		is "$(edge last 'S/.jsfs/subjects/x.*')" 4; rm S/5; is "$(cat S/a)" a1; is "$(edge last S)" 4; is "$(edge last 'S/.jsfs/subjects/>')" 4
		no cat S/none`, `is "$(cat S/a)" a1; is "$(edge last S)" 4`},
	{"remove", `for i in 1 2 3 4; do put a $i; done; rm S/2; no rm S/2; no rm S/0; no rm S/9; is "$(numbers) $(num num_deleted)" '3 1 4 1'
		rm S/1; is "$(numbers) $(num num_deleted)" '2 3 4 0'; rm S/4; is "$(numbers)" '1 3 4'; rm S/3; is "$(numbers)" '0 5 4'; put a 5; is "$(seqs)" 5`, ""},
	{"erase", `for i in 1 2 3; do put a text-$i; done; ctl erase 2; no cat S/2; no mv S/.jsfs/deleted/2 S/; rm S/1; ctl erase 1; no mv S/.jsfs/deleted/1 S/
		no ctl erase 0; no ctl erase 9; is "$(seqs) $(seqs S/.jsfs/deleted)" '3 '`, ""},
	{"purge of everything", `for i in 1 2 3; do put a $i; done; last=$(grep last_ts S/.info); ctl purge; is "$(seqs)" ''; is "$(numbers)" '0 4 3'
		is "$(grep last_ts S/.info)" "$last"; put a 4; is "$(seqs)" 4`, ""},
	{"purge by subject, sequence and number, which hold together", `for i in 1 2 3 4 5; do put a $i; put b $i; done
		ctl purge subject=a seq=6; is "$(seqs)" '2 4 6 7 8 9 10'
		ctl purge subject=b keep=2; is "$(seqs)" '7 8 9 10'
		ctl purge subject=b seq=10 keep=1; is "$(seqs)" '7 9 10'
		ctl purge seq=1; ctl purge subject=a seq=1; ctl purge subject=c; is "$(seqs)" '7 9 10'
		ctl purge 'subject=>' seq=9; is "$(seqs)" '9 10'; ctl purge keep=1; is "$(seqs)" 10; ctl purge 'subject=>'; is "$(seqs)" ''; is "$(numbers)" '0 11 10'`, ""},
	{"compact", `for i in 1 2 3 4 5; do put a $i; done; rm S/3; ctl compact 3; is "$(numbers)" '2 4 5'; rm S/5; ctl compact 5; is "$(numbers)" '0 6 5'
		ctl compact 20; is "$(numbers)" '0 20 19'; put a x; is "$(seqs)" 20; no ctl compact 0; no ctl compact`, ""},
	{"truncate", `for i in 1 2 3 4 5; do put a $i; done; rm S/2; was=$(cat S/.jsfs/msg/3/time); ctl truncate 3 force; is "$(seqs)" '1 3'; is "$(num last_seq)" 3
		grep -qF "$was" S/.info; no ctl truncate 9 force; because 'beyond the last message'; no ctl truncate 2; is "$(seqs)" '1 3'
		put a 4; is "$(seqs)" '1 3 4'; ctl truncate 0 force; is "$(seqs)" ''; put a one; is "$(seqs)" 1`, ""},
	{"the sequence of a time, among runs that were removed", `for i in 1 2 3 4 5 6; do lines '{"seq":'$i',"time":"2026-01-01T10:00:0'$i'Z","subject":"a","data":"x"}'; done
		rm S/1 S/3 S/4 S/6; cd S/.jsfs/since; is "$(edge first 2026-01-01T10:00:03Z)" 5; is "$(edge first 2026-01-01T10:00:05Z)" 5
		is "$(edge first 2026-01-01T10:00:05.000000001Z)" ''; is "$(edge first 2025-12-31)" 2; is "$(seqs 2026-01-01T10:00:02Z)" '2 5'`, ""},
	{"filtered state", `for s in a.x b a.y a.x b; do put $s $s; done; rm S/4; cd S/.jsfs/subjects; is "$(numbers 'a.*/.info')" '2 1 3'
		is "$(numbers 'a.>/.jsfs/range/2-/.info')" '1 3 3'; is "$(numbers b/.info)" '2 2 5'; is "$(numbers none/.info)" '0 0 0'`, ""},
	{"subjects, and the totals of each", `for s in a.x b a.y a.x b c; do put $s $s; done; rm S/6; cd S/.jsfs/subjects; is "$(ls | tr '\n' ' ')" 'a.x a.y b '
		for s in *; do num messages $s/.info; done | tr '\n' ' ' | grep -qx '2 1 2 '`, ""},
	{"the last of each subject, now and up to a sequence", `for s in a b a c b; do put $s $s$((n += 1)); done; cd S/.jsfs; is "$(cat last-by-subject/* | tr '\n' ' ')" 'a3 b5 c4 '
		is "$(cat range/-3/.jsfs/last-by-subject/* | tr '\n' ' ')" 'a3 b2 '; is "$(cat range/-99/.jsfs/last-by-subject/* | tr '\n' ' ')" 'a3 b5 c4 '
		is "$(ls subjects/b/.jsfs/last-by-subject)" b`, ""},
	{"the subject of a sequence", `put a.b x; put c y; rm S/2; is "$(cat S/.jsfs/msg/1/subject)" a.b; no cat S/.jsfs/msg/2/subject; no cat S/.jsfs/msg/3/subject`, ""},
	{"how many are pending for a filter", `for s in a b a a c; do put $s $s; done; cd S/.jsfs/consumers; mkdir one each; echo '{"filter_subject":"a"}' > one/config
		is "$(num num_pending one/info)" 3; cat one/next | grep -qx a; is "$(num num_pending one/info)" 2
		echo '{"filter_subject":">","deliver_policy":"last_per_subject"}' > each/config; is "$(num num_pending each/info)" 3
		for i in 1 2 3; do cat each/next; done | tr '\n' ' ' | grep -qx 'b a c '`, ""},
	{"an update is done as a whole, at once, or refused", `for i in 1 2 3 4 5; do put a $i; done; conf '{"max_msgs": 3}'; is "$(seqs)" '3 4 5'; was=$(cat S/.jsfs/config)
		no conf '{"max_msgs": 1, "discard": "oldest"}'; because 'discard: not valid'; is "$(seqs)" '3 4 5'; is "$(cat S/.jsfs/config)" "$was"
		conf '{"max_msgs": 3, "subjects": ["a"]}'; no put b x; because 'subject not accepted'`, ""},
	{"a copy that is made while it is written is a beginning of it", `for i in $(seq 400); do echo $i; done >> S/.log & cat S/.jsfs/log.jsonl > ../copy; wait
		head -n $(wc -l < ../copy) S/.jsfs/log.jsonl | cmp - ../copy; is "$(num messages)" 400`, ""},
	{"sync", `put a x; ctl sync; sync S`, ""},
}

// Each operation does through a mount what the contract of the store says.
func TestEachOperationThroughAMount(t *testing.T) { runReference(t, operations) }
