# design: 2.3.1 README
# design: 2.3.4 metrics, config, version
# layout: The root: .jsfs/README
# layout: The root: .jsfs/version
# layout: The root: .jsfs/metrics
# layout: The root: .jsfs/config
orders
is "$(ls -A)" S
for name in log log.jsonl follow post info config consumers ctl deleted first last subjects last-by-subject since range msg README errors metrics version; do
	grep -q "\b$name" .jsfs/README || { echo "README says nothing of $name" >&2; exit 1; }
done
is "$(cat .jsfs/version)" "$("$JSFS" version | head -n 1)"
grep -q '^# TYPE jsfs_' .jsfs/metrics
was=$(grep '^jsfs_.*_count{op="load"}' .jsfs/metrics || true)
cat S/1 S/3 > /dev/null
python3 -c '
import re
for line in open(".jsfs/metrics"):
    assert re.fullmatch(r"# (HELP|TYPE) \S+ .+|[a-z_]+(\{[^}]*\})? [-+.0-9eInf]+", line.rstrip("\n")), line'
is "$(json 'j["seq_width"], j.get("sync", "always")' < .jsfs/config)" "(12, 'always')" # a memory store has no sync
for f in README version config metrics errors; do
	refused 'not permitted' "echo x > .jsfs/$f"
	refused 'not permitted' "rm .jsfs/$f"
done
is "$(stat -c %s .jsfs/README .jsfs/version .jsfs/config | lines)" "$(for f in README version config; do wc -c < .jsfs/$f; done | lines)"
