//go:build parts

// Package engine pins a current Docker engine: the build takes its main packages from the module required here.
package engine

import (
	_ "github.com/moby/moby/v2/cmd/docker-proxy"
	_ "github.com/moby/moby/v2/cmd/dockerd"
)
