// Pulumi's Kubernetes provider with a schema that only has its name, which suffices for programs but not for
// `pulumi import`.
package main

import (
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

func main() {
	schema := []byte(`{"name":"kubernetes","version":"` + version.Version + `"}`)
	provider.Serve("kubernetes", version.Version, schema, []byte("{}"))
}
