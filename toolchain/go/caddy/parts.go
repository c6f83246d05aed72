//go:build parts

// Package caddy pins the edge's server: the build takes its main package from the module required here.
package caddy

import _ "github.com/caddyserver/caddy/v2/cmd/caddy"
