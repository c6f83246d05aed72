//go:build parts

// Package containerd pins what runs the containers of the tests' cluster. The build takes the main packages from the
// module required here.
package containerd

import (
	_ "github.com/containerd/containerd/v2/cmd/containerd"
	_ "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"
	_ "github.com/containerd/containerd/v2/cmd/ctr"
)
