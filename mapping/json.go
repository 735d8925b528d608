package mapping

import (
	"bytes"
	"encoding/json"
)

// Indented returns v as JSON for people to read, with a newline at its end. Subjects keep their '>', which
// json.Marshal would escape. It panics for what JSON can't have.
func Indented(v any) []byte { return encode(v, "  ") }

// encode is Indented with another indent; with "" the JSON is one line.
func encode(v any, indent string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil { // of the types given here none can make it fail
		panic(err)
	}
	return b.Bytes()
}
