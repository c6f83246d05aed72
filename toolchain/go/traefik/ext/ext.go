// Package ext replaces a package that Traefik's module lacks: extensions of routes, of which there are none.
package ext

// HTTP extends the HTTP configuration.
type HTTP struct{}

// Router extends a route.
type Router struct{}
