package store

import "reflect"

// ParseConsumerConfig reads a consumer's configuration from JSON, as ParseConfig does a stream's.
func ParseConsumerConfig(b []byte) (ConsumerConfig, error) {
	b, err := onlyKnown(b, knownOfConsumer, neutralOfConsumer)
	if err != nil {
		return ConsumerConfig{}, err
	}
	return decode[ConsumerConfig](b)
}

// knownOfConsumer are the names of ConsumerConfig's fields.
var knownOfConsumer = fieldNames(reflect.TypeFor[ConsumerConfig]())

// neutralOfConsumer are NATS's fields that consumers here lack, and the values that ask for nothing that a
// consumer would not do anyway.
var neutralOfConsumer = map[string][]string{
	"rate_limit_bps":     {"0"},
	"sample_freq":        {`""`, `"0"`},
	"flow_control":       {"false"},
	"idle_heartbeat":     {"0"},
	"max_batch":          {"0"},
	"max_expires":        {"0"},
	"max_bytes":          {"0"},
	"deliver_subject":    {`""`},
	"deliver_group":      {`""`},
	"inactive_threshold": {"0"},
	"num_replicas":       {"0", "1"},
	"mem_storage":        {"false"},
	"direct":             {"false"},
	"sourcing":           {"false"},
	"pause_until":        {"null", `"0001-01-01T00:00:00Z"`},
	"priority_groups":    {"null", "[]"},
	"priority_policy":    {`""`, `"none"`},
	"priority_timeout":   {"0"},
}
