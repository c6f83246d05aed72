//go:build parts

// Package prometheus pins the monitoring server: the build takes its main packages from the module required here.
package prometheus

import (
	_ "github.com/prometheus/prometheus/cmd/prometheus"
	_ "github.com/prometheus/prometheus/cmd/promtool"
)
