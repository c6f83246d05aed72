//go:build parts

// Package traefik pins the ingress controller: the build takes its main package from the module required here.
package traefik

import (
	_ "github.com/traefik/traefik/v3/cmd/traefik"
)
