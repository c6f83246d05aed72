//go:build parts

// Package runc pins the runtime of the current Docker engine: Debian's is too old for it. The build takes its main
// package from the module required here.
package runc

import _ "github.com/opencontainers/runc"
