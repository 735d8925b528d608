package main

import (
	"bytes"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"jsfs/store"
	"jsfs/store/metered"
)

// measured returns st, counted, and what gives the counts as text, which Prometheus reads and
// people, too.
func measured(st store.Store) (store.Store, func() ([]byte, error), error) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	counted, err := metered.New(st, reg)
	if err != nil {
		return nil, nil, err
	}
	return counted, func() ([]byte, error) {
		families, err := reg.Gather()
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		for _, f := range families {
			if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
				return nil, err
			}
		}
		return b.Bytes(), nil
	}, nil
}
