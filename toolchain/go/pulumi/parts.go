//go:build parts

// Package pulumi pins the Pulumi CLI: the build takes its main package from the module required here.
package pulumi

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
