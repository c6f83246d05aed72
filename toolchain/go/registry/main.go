// A read-only model registry for an Ollama models folder. Ollama's registry redirects requests for blobs to a store
// under another host name, and its client requires that. This one redirects to BLOBS_URL, which the same process serves.
package main

import (
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	handler := newHandler(os.Getenv("MODELS"), os.Getenv("BLOBS_URL"))
	server := &http.Server{Addr: os.Getenv("LISTEN"), Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}
