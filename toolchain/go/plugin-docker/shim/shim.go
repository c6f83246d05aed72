// Package shim opens the upstream Docker provider, whose constructor is in an internal package: a module whose
// path lies below the provider's own may import it.
package shim

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// NewProvider returns the upstream provider with the version that the plugin reports.
func NewProvider(version string) *schema.Provider {
	return provider.New(version)()
}
