# What the scripts beside this file share. They run with `set -e` in the root of a mount, $M; $T is a
# directory outside of it. row_test.go runs them.

# is GOT WANT: both are the same.
is() {
	[ "$1" = "$2" ] || { echo "line ${BASH_LINENO[0]}: got <$1>, want <$2>" >&2; exit 1; }
}

# refused TEXT SCRIPT: the script fails, and says so with this text.
refused() {
	if (eval "$2") > "$T/said" 2>&1; then
		echo "line ${BASH_LINENO[0]}: this works, and should be refused: $2" >&2
		exit 1
	fi
	grep -q -e "$1" "$T/said" || { echo "line ${BASH_LINENO[0]}: $2: said $(cat "$T/said"), want $1" >&2; exit 1; }
}

# reason TEXT: the newest line of errors has it.
reason() {
	tail -n 1 "$M/.jsfs/errors" | grep -q -e "$1" || { echo "line ${BASH_LINENO[0]}: $(tail -n 1 "$M/.jsfs/errors"), want $1" >&2; exit 1; }
}

# eventually COMMAND: it succeeds before a minute is over.
eventually() {
	for _ in $(seq 1200); do
		if "$@"; then return; fi
		sleep 0.05
	done
	echo "line ${BASH_LINENO[0]}: not within a minute: $*" >&2
	exit 1
}

# attr NAME FILE: a message's attribute.
attr() { getfattr --only-values -n "user.jsfs.$1" "$2"; }

# lines: standard input on one line.
lines() { tr '\n' ' ' | sed 's/ $//'; }

# json EXPRESSION < FILE: what a Python expression makes of j, the JSON in the file.
json() { python3 -c 'import json, sys; j = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }

# orders makes the stream S with messages 1, 3 and 4; 2 was removed.
orders() {
	mkdir S
	echo one > S/orders.eu.new
	echo two > S/orders.us.new
	echo three > S/orders.eu.paid
	echo four > S/orders.eu.new
	rm S/2
}
