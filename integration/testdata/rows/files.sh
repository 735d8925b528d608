# design: 3.1.4 cp *.pdf ORDERS/.jsfs/subjects/docs.in/
# layout: A message directory: report.pdf, any other name
mkdir S "$T/docs"
for i in 1 2 3; do head -c ${i}0000 /dev/urandom > "$T/docs/doc$i.pdf"; done
cp "$T/docs/"*.pdf S/.jsfs/subjects/docs.in/
is "$(ls S/.jsfs/subjects/docs.in | wc -l)" 3
for i in 1 2 3; do
	cmp "$T/docs/doc$i.pdf" S/$i
	is "$(attr header.Jsfs-Filename S/$i) $(attr subject S/$i)" "doc$i.pdf docs.in"
	cmp "$T/docs/doc$i.pdf" S/.jsfs/subjects/docs.in/doc$i.pdf
done
is "$(ls S/.jsfs/subjects/docs.in | grep -c pdf || true)" 0

# Once more is once more, but not by rsync, which looks first.
rsync -a "$T/docs/" S/.jsfs/subjects/docs.in/
n=$(ls S | wc -l)
rsync -a "$T/docs/" S/.jsfs/subjects/docs.in/
is "$(ls S | wc -l)" "$n"
cp "$T/docs/doc1.pdf" S/.jsfs/subjects/docs.in/
is "$(ls S | wc -l)" $((n + 1))

# A message with an identifier is stored once within the window.
for _ in 1 2; do printf 'Subject: d\nNats-Msg-Id: 7\n\nonce' > S/.jsfs/post; done
is "$(ls S | wc -l)" $((n + 2))

# Directories of several subjects take no file.
refused 'not permitted' 'cp "$T/docs/doc1.pdf" "S/.jsfs/subjects/docs.>/"'
refused 'not permitted' 'cp "$T/docs/doc1.pdf" S/.jsfs/range/1-/'
is "$(ls -A S | wc -l)" $((n + 2))
