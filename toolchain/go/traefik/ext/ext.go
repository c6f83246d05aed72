// Package ext is a part of Traefik's sources that its module leaves out: extensions of a route, of which there are none.
package ext

// HTTP extends what there is for HTTP.
type HTTP struct{}

// Router extends a route.
type Router struct{}
