package legacy

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"jsfs/store"
)

// The keys of a line. A file may write them in any case.
const (
	keySequence = "Sequence"
	keySubject  = "Subject"
	keyHeaders  = "HeadersBase64"
	keyPayload  = "PayloadBase64"
	keyTime     = "TimestampUtc"
)

var lineKeys = []string{keySequence, keySubject, keyHeaders, keyPayload, keyTime}

// ErrLine means that a line is not one message, right in every part.
var ErrLine = errors.New("bad line")

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrLine}, args...)...)
}

// parseLine reads a line. The payload is as it stands there, in its envelope if it has one, and the
// subject may be missing.
func parseLine(line []byte) (store.Msg, error) {
	values, err := parseObject(line)
	if err != nil {
		return store.Msg{}, err
	}
	var m store.Msg
	if m.Seq, err = parseSequence(values[keySequence]); err != nil {
		return m, err
	}
	if m.Subject, err = parseText(keySubject, values[keySubject], false); err != nil {
		return m, err
	}
	if m.Header, err = parseBase64(keyHeaders, values[keyHeaders], false); err != nil {
		return m, err
	}
	if m.Data, err = parseBase64(keyPayload, values[keyPayload], true); err != nil {
		return m, err
	}
	m.Time, err = parseTime(values[keyTime])
	return m, err
}

// parseObject reads a JSON object with the keys of a line, each at most once. What is null is
// as if it were missing.
func parseObject(line []byte) (map[string]json.Token, error) {
	if !utf8.Valid(line) {
		return nil, bad("it is not UTF-8")
	}
	if hasLoneSurrogate(line) {
		return nil, bad("an escape stands for half a character")
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, bad("it is no JSON object")
	}
	values, seen := map[string]json.Token{}, map[string]bool{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, bad("it is no JSON object: %w", err)
		}
		key := lineKey(name.(string)) // the decoder lets no other token stand there
		if key == "" {
			return nil, bad("it has the key %.40q, which no message has", name)
		}
		if seen[key] {
			return nil, bad("it has the key %s twice", key)
		}
		value, err := dec.Token()
		if err != nil {
			return nil, bad("it is no JSON object: %w", err)
		}
		if _, nested := value.(json.Delim); nested {
			return nil, bad("%s is no single value", key)
		}
		seen[key] = true
		if value != nil {
			values[key] = value
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, bad("it is no JSON object: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, bad("something follows the JSON object")
	}
	return values, nil
}

// lineKey returns the key that name is, in whatever case; "" if it is none.
func lineKey(name string) string {
	for _, key := range lineKeys {
		if len(name) == len(key) && strings.EqualFold(name, key) {
			return key
		}
	}
	return ""
}

var surrogate = regexp.MustCompile(`\\(?:u([Dd][89A-Fa-f][0-9A-Fa-f]{2})|[^u]|u)`)

// hasLoneSurrogate says whether JSON text has half of a surrogate pair as an escape, for
// which a decoder puts another character silently.
func hasLoneSurrogate(line []byte) bool {
	if !bytes.Contains(line, []byte(`\u`)) {
		return false
	}
	highEnd := -1 // where the escape of a high half ends that has no low half yet
	for _, at := range surrogate.FindAllSubmatchIndex(line, -1) {
		switch {
		case at[2] < 0:
			continue
		case line[at[2]+1] >= 'C' && line[at[2]+1] <= 'F', line[at[2]+1] >= 'c':
			if highEnd != at[0] {
				return true
			}
			highEnd = -1
		case highEnd >= 0:
			return true
		default:
			highEnd = at[1]
		}
	}
	return highEnd >= 0
}

func parseSequence(v json.Token) (store.Seq, error) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, bad("%s is missing, or no number", keySequence)
	}
	seq, err := strconv.ParseUint(n.String(), 10, 64)
	if err != nil || seq == 0 {
		return 0, bad("%s %.40s is no sequence number", keySequence, n)
	}
	return store.Seq(seq), nil
}

func parseText(key string, v json.Token, must bool) (string, error) {
	s, ok := v.(string)
	if !ok && (must || v != nil) {
		return "", bad("%s is missing, or no string", key)
	}
	return s, nil
}

func parseBase64(key string, v json.Token, must bool) ([]byte, error) {
	s, err := parseText(key, v, must)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") { // which the decoder would pass over
		return nil, bad("%s is no base64", key)
	}
	return b, nil
}

var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(Z|[+-]\d\d:\d\d)$`)

// parseTime reads a time that a message can have: since 1970, and in nanoseconds not above
// the largest int64.
func parseTime(v json.Token) (int64, error) {
	s, ok := v.(string)
	if !ok {
		return 0, bad("%s is missing, or no string", keyTime)
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || !timeForm.MatchString(s) {
		return 0, bad("%s %.40q is no time", keyTime, s)
	}
	ns := t.UnixNano()
	if ns < 0 || !time.Unix(0, ns).Equal(t) {
		return 0, bad("%s %s is not between 1970 and 2262", keyTime, s)
	}
	return ns, nil
}

// AppendLine appends the line of a message, with its newline, to dst. The payload is put there as it
// is: see [Sealer.Seal]. Times have seven decimals, so up to 99 nanoseconds are cut off.
func AppendLine(dst []byte, m store.Msg) []byte {
	dst = append(dst, `{"Sequence":`...)
	dst = strconv.AppendUint(dst, uint64(m.Seq), 10)
	subject, _ := json.Marshal(m.Subject) // a string can be marshalled always
	dst = append(append(dst, `,"Subject":`...), subject...)
	if len(m.Header) > 0 {
		dst = base64.StdEncoding.AppendEncode(append(dst, `,"HeadersBase64":"`...), m.Header)
		dst = append(dst, '"')
	}
	dst = base64.StdEncoding.AppendEncode(append(dst, `,"PayloadBase64":"`...), m.Data)
	dst = append(dst, `","TimestampUtc":"`...)
	dst = time.Unix(0, m.Time).UTC().AppendFormat(dst, "2006-01-02T15:04:05.0000000Z")
	return append(dst, '"', '}', '\n')
}
