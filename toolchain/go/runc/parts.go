//go:build parts

// Package runc pins the runtime of the current Docker engine, because Debian's is too old. The build takes its main
// package from the module required here.
package runc

import _ "github.com/opencontainers/runc"
