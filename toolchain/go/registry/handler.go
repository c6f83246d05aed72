package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A part of a name. No match leads out of the models folder.
const part = `[A-Za-z0-9_][A-Za-z0-9._-]*`

var (
	manifestPath = regexp.MustCompile(`^/v2/(` + part + `)/(` + part + `)/manifests/(` + part + `)$`)
	blobPath     = regexp.MustCompile(`^/v2/` + part + `/` + part + `/blobs/(sha256:[0-9a-f]{64})$`)
	storePath    = regexp.MustCompile(`^/blobs/(sha256-[0-9a-f]{64})$`)
)

const manifestType = "application/vnd.docker.distribution.manifest.v2+json"

// newHandler serves the folder. blobsURL is this server's URL under its second host name.
func newHandler(models, blobsURL string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			fail(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "this registry is read-only")
			return
		}
		if m := manifestPath.FindStringSubmatch(r.URL.Path); m != nil {
			serveManifest(w, r, models, m[1:])
			return
		}
		if m := blobPath.FindStringSubmatch(r.URL.Path); m != nil {
			serveBlob(w, r, models, blobsURL, strings.Replace(m[1], ":", "-", 1))
			return
		}
		if m := storePath.FindStringSubmatch(r.URL.Path); m != nil {
			w.Header().Set("Content-Type", "application/octet-stream")
			http.ServeFile(w, r, filepath.Join(models, "blobs", m[1]))
			return
		}
		if r.URL.Path == "/v2/" || r.URL.Path == "/" {
			w.WriteHeader(http.StatusOK)
			return
		}
		fail(w, http.StatusNotFound, "NOT_FOUND", "nothing is served at "+r.URL.Path)
	})
}

// serveManifest finds namespace/model:tag under any host name, as Ollama stores it.
func serveManifest(w http.ResponseWriter, r *http.Request, models string, name []string) {
	found, _ := filepath.Glob(filepath.Join(append([]string{models, "manifests", "*"}, name...)...))
	if len(found) == 0 {
		fail(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "no such model here: "+strings.Join(name, "/"))
		return
	}
	w.Header().Set("Content-Type", manifestType)
	http.ServeFile(w, r, found[0])
}

// serveBlob returns a blob's size, and redirects to the store for its bytes.
func serveBlob(w http.ResponseWriter, r *http.Request, models, blobsURL, file string) {
	path := filepath.Join(models, "blobs", file)
	if _, err := os.Stat(path); err != nil {
		fail(w, http.StatusNotFound, "BLOB_UNKNOWN", "no such blob here: "+file)
		return
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeFile(w, r, path)
		return
	}
	http.Redirect(w, r, strings.TrimSuffix(blobsURL, "/")+"/blobs/"+file, http.StatusTemporaryRedirect)
}

// fail returns an error in the format of the registry protocol.
func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}
