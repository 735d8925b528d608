package main

// row is a line of the table.
type row struct {
	work, bench, unit string
	aim               string
	most              float64 // what is aimed at, in the unit of the benchmark; 0 without an aim
}

const (
	cpu     = "cpu-ns/op"
	elapsed = "ns/op"
)

var rows = []row{
	{"append, 1 subject", "Append/subjects=1", cpu, "1.2 µs", 1200},
	{"append, 100k subjects", "Append/subjects=100000", cpu, "1.5 µs", 1500},
	{"append, 1M subjects", "Append/subjects=1000000", cpu, "1.5 µs", 1500},
	{"append in batches of 1000, 1 subject", "Batch/subjects=1", cpu, "0.3 µs", 300},
	{"append in batches of 1000, 100k subjects", "Batch/subjects=100000", cpu, "0.6 µs", 600},
	{"append in batches of 1000, 1M subjects", "Batch/subjects=1000000", cpu, "0.6 µs", 600},
	{"append synced, 1 writer (elapsed)", "Always/writers=1", elapsed, "", 0},
	{"append synced, 16 writers (elapsed)", "Always/writers=16", elapsed, "an 8th of 1 writer", 0},
	{"append, S2", "Kept/kept=s2/work=append", cpu, "1.5 µs over plain", 2700},
	{"append, AES-256-GCM", "Kept/kept=aes/work=append", cpu, "1.5 µs over plain", 2700},
	{"append, ChaCha20-Poly1305", "Kept/kept=chacha20/work=append", cpu, "1.5 µs over plain", 2700},
	{"append, S2 and AES", "Kept/kept=s2+aes/work=append", cpu, "1.5 µs over plain", 2700},
	{"append, S2 and ChaCha20", "Kept/kept=s2+chacha20/work=append", cpu, "1.5 µs over plain", 2700},
	{"load in sequence", "Load/order=sequence", cpu, "0.3 µs", 300},
	{"load at random", "Load/order=random", cpu, "1.0 µs", 1000},
	{"load in sequence, S2", "Kept/kept=s2/work=sequence", cpu, "1.5 µs over plain", 1800},
	{"load in sequence, AES", "Kept/kept=aes/work=sequence", cpu, "1.5 µs over plain", 1800},
	{"load in sequence, ChaCha20", "Kept/kept=chacha20/work=sequence", cpu, "1.5 µs over plain", 1800},
	{"load in sequence, S2 and AES", "Kept/kept=s2+aes/work=sequence", cpu, "1.5 µs over plain", 1800},
	{"load in sequence, S2 and ChaCha20", "Kept/kept=s2+chacha20/work=sequence", cpu, "1.5 µs over plain", 1800},
	{"load at random, S2", "Kept/kept=s2/work=random", cpu, "1.5 µs over plain", 2500},
	{"load at random, AES", "Kept/kept=aes/work=random", cpu, "1.5 µs over plain", 2500},
	{"load at random, ChaCha20", "Kept/kept=chacha20/work=random", cpu, "1.5 µs over plain", 2500},
	{"load at random, S2 and AES", "Kept/kept=s2+aes/work=random", cpu, "1.5 µs over plain", 2500},
	{"load at random, S2 and ChaCha20", "Kept/kept=s2+chacha20/work=random", cpu, "1.5 µs over plain", 2500},
	{"scan, a message (jsfs reads heads, the peer messages)", "Scan", cpu, "0.2 µs", 200},
	{"next of a literal with 10 matches in 1M", "NextSparse", cpu, "50 µs", 50e3},
	{"next of a literal, one of 100k subjects", "FindIn100k/call=next", cpu, "", 0},
	{"last of a literal, one of 100k subjects", "FindIn100k/call=last", cpu, "1 µs", 1000},
	{"sequence of a time at random", "SeekTime", cpu, "1 µs", 1000},
	{"count over a tenth of 1M subjects", "FindIn1M/call=count", cpu, "2 ms", 2e6},
	{"totals of all of 1M subjects", "FindIn1M/call=subjects", cpu, "150 ms", 150e6},
	{"pending of a literal from the middle, 1M subjects", "FindIn1M/call=pending", cpu, "5 µs", 5000},
	{"the same, 100k subjects of 10 messages", "FindIn100k/call=pending", cpu, "5 µs", 5000},
	{"remove at the front", "Remove/order=front", cpu, "1.5 µs", 1500},
	{"remove at random", "Remove/order=random", cpu, "2.5 µs", 2500},
	{"erase, its syncs included", "Erase", cpu, "", 0},
	{"erase besides two syncs", "Erase", "besides-" + cpu, "50 µs", 50e3},
	{"purge of a subject with 10 messages", "Purge", cpu, "20 µs", 20e3},
	{"deliver and acknowledge", "Consume/retention=limits", cpu, "", 0},
	{"the same, workqueue: each is removed", "Consume/retention=workqueue", cpu, "4 µs", 4000},
	{"the same, interest", "Consume/retention=interest", cpu, "4 µs", 4000},
	{"open 1M after a clean stop, 1 subject", "Open/messages=1M/subjects=1/stop=clean", cpu, "20 ms", 20e6},
	{"the same, 100k subjects", "Open/messages=1M/subjects=100000/stop=clean", cpu, "20 ms", 20e6},
	{"the same, 1M subjects", "Open/messages=1M/subjects=1000000/stop=clean", cpu, "20 ms", 20e6},
	{"open 5M after a clean stop, 100k subjects", "Open/messages=5M/subjects=100000/stop=clean", cpu, "20 ms", 20e6},
	{"open 1M after kill -9, 1 subject", "Open/messages=1M/subjects=1/stop=kill", cpu, "300 ms", 300e6},
	{"the same, 100k subjects", "Open/messages=1M/subjects=100000/stop=kill", cpu, "300 ms", 300e6},
	{"the same, 1M subjects", "Open/messages=1M/subjects=1000000/stop=kill", cpu, "300 ms", 300e6},
	{"open 5M after kill -9, 100k subjects", "Open/messages=5M/subjects=100000/stop=kill", cpu, "300 ms", 300e6},
	{"heap after opening 5M, 100k subjects, a message", "Heap", "opened-B/msg", "4 B and the subjects", 5.6},
	{"the same when all were loaded, and each subject's last", "Heap", "warm-B/msg", "4 B and the subjects", 5.6},
	{"on disk over payload and subject, 1 subject", "Space/subjects=1", "over-B/msg", "30 B", 30},
	{"the same, 100k subjects", "Space/subjects=100000", "over-B/msg", "30 B", 30},
}
