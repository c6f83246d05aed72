// A read-only model registry over an Ollama models folder. Ollama's own registry answers for a blob with a redirect
// to a store under another host name, and its client insists on that: so does this one, to BLOBS_URL, where the same
// process serves the bytes.
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
