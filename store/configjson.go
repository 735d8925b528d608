package store

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// UnknownFieldError says that a configuration has fields that this program does not know, and
// so can't honour. It wraps ErrInvalid.
type UnknownFieldError struct {
	Fields []string // sorted
	in     string   // the field that they are part of, "" for the configuration itself
}

func (e *UnknownFieldError) Error() string {
	var unknown, what []string
	for _, name := range e.Fields {
		switch why, asked := lacking[name]; {
		case asked:
			what = append(what, fmt.Sprintf("%s is not to be had, as %s: leave it out", name, why))
		case neutral[name] != nil || neutralOfConsumer[name] != nil:
			what = append(what, name+" is one of NATS's that does nothing here: leave it out")
		default:
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		what = append([]string{"not known: " + strings.Join(unknown, ", ")}, what...)
	}
	return fmt.Sprintf("%s: %v: %s", cmp.Or(e.in, "configuration"), ErrInvalid, strings.Join(what, "; "))
}

// lacking are those of NATS's fields of which it is known what they are asked for, and why that is not to be had.
var lacking = map[string]string{
	"external":           "a mirror or a source takes messages of streams of its own store",
	"consumer":           "a mirror or a source follows its origin without a consumer",
	"subject_transform":  "messages keep their subjects",
	"subject_transforms": "messages keep their subjects (filter_subject chooses among them)",
	"republish":          "messages are in one stream (another one with a source on this one gets them, too)",
	"deliver_subject":    "consumers are read: follow, or next",
	"inactive_threshold": "consumers stay until they are removed",
}

// Unwrap returns ErrInvalid.
func (e *UnknownFieldError) Unwrap() error { return ErrInvalid }

// ParseConfig reads a configuration from JSON, as json.Marshal writes it, or as NATS does: the
// fields of NATS that streams here lack may have the values that ask for nothing. Other
// unknown fields are an *UnknownFieldError. It fills in no defaults and checks no values.
func ParseConfig(b []byte) (Config, error) {
	b, err := onlyKnown(b, known, neutral)
	if err != nil {
		return Config{}, err
	}
	return decode[Config](b)
}

// decode reads a configuration whose fields are all known.
func decode[T any](b []byte) (c T, err error) {
	if err = json.Unmarshal(b, &c); err != nil {
		return *new(T), jsonError(err, fieldThatFails[T](b))
	}
	return c, nil
}

// fieldThatFails names the first field of the JSON object b that is not what T has there, which not every error does.
func fieldThatFails[T any](b []byte) string {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(b, &fields) // it was one before
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		one, err := json.Marshal(map[string]json.RawMessage{name: fields[name]})
		if err != nil || json.Unmarshal(one, new(T)) != nil {
			return name
		}
	}
	return "configuration"
}

// onlyKnown returns b, a JSON object, without the fields that are not known and have a neutral value. Other
// ones are an *UnknownFieldError.
func onlyKnown(b []byte, known map[string]bool, neutral map[string][]string) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return nil, jsonError(err, "configuration")
	}
	if fields == nil {
		return nil, noObject("null")
	}
	unknown := &UnknownFieldError{}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if known[name] {
			continue
		}
		if !slices.Contains(neutral[name], string(fields[name])) {
			unknown.Fields = append(unknown.Fields, name)
		}
		delete(fields, name)
	}
	if len(unknown.Fields) > 0 {
		return nil, unknown
	}
	b, err := json.Marshal(fields)
	if err != nil {
		return nil, jsonError(err, "configuration")
	}
	return b, nil
}

// jsonError says what is wrong with a configuration's field.
func jsonError(err error, field string) error {
	var unknown *UnknownFieldError
	if errors.As(err, &unknown) {
		unknown.in = field
		return unknown
	}
	var kind *json.UnmarshalTypeError
	switch {
	case !errors.As(err, &kind):
		return bad(field, "%v", err)
	case kind.Field == "":
		return noObject(kind.Value)
	}
	return bad(kind.Field, "it can't be a JSON %s", kind.Value)
}

// noObject says that a configuration is JSON of another kind than it must be.
func noObject(kind string) error { return bad("configuration", "it is no JSON object, but %s", kind) }

// known are the names of Config's fields.
var known = fieldNames(reflect.TypeFor[Config]())

// fieldNames returns the names that a struct's fields have in JSON.
func fieldNames(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names[name] = true
	}
	return names
}

// neutral are NATS's fields that streams here lack, and the values that ask for nothing
// that a stream would not do anyway.
var neutral = map[string][]string{
	"storage":                   {`"file"`, `"memory"`},
	"num_replicas":              {"0", "1"},
	"no_ack":                    {"false"},
	"placement":                 {"null"},
	"subject_transform":         {"null"},
	"republish":                 {"null"},
	"allow_direct":              {"false", "true"},
	"mirror_direct":             {"false"},
	"consumer_limits":           {"null", "{}"},
	"subject_delete_marker_ttl": {"0"},
	"allow_msg_counter":         {"false"},
	"allow_atomic":              {"false"},
	"allow_msg_schedules":       {"false"},
	"allow_batched":             {"false"},
	"persist_mode":              {`""`, `"default"`},
}
