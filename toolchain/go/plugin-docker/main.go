// pulumi-resource-docker 5.2.0 without the native docker.Image. It bridges the same upstream provider as the released
// plugin, with the same tokens, so programs and states are compatible with both.
package main

import (
	"encoding/json"
	"unicode"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/terraform-providers/terraform-provider-docker/shim"
)

const (
	pkg     = "docker"
	version = "5.2.0"
)

// resource is the token of a resource: docker:index/container:Container.
func resource(name string) tokens.Type {
	return tokens.Type(member(name))
}

func member(name string) tokens.ModuleMember {
	file := []rune(name)
	file[0] = unicode.ToLower(file[0])
	return tokens.ModuleMember(pkg + ":index/" + string(file) + ":" + name)
}

func info() tfbridge.ProviderInfo {
	named := func(name string) *tfbridge.SchemaInfo { return &tfbridge.SchemaInfo{Name: name} }
	p := tfbridge.ProviderInfo{
		P:       shimv2.NewProvider(shim.NewProvider(version)),
		Name:    pkg,
		Version: version,
		Config: map[string]*tfbridge.SchemaInfo{
			"host": {Default: &tfbridge.DefaultInfo{
				Value:   "unix:///var/run/docker.sock",
				EnvVars: []string{"DOCKER_HOST"},
			}},
			// A list that keeps its singular name.
			"registry_auth": {Name: "registryAuth", MaxItemsOne: tfbridge.False()},
		},
		Resources: map[string]*tfbridge.ResourceInfo{
			"docker_buildx_builder": {Tok: resource("BuildxBuilder")},
			"docker_config":         {Tok: resource("ServiceConfig")},
			"docker_container": {
				Tok: resource("Container"),
				// Two containers cannot have the same name or host port.
				DeleteBeforeReplace: true,
				Fields: map[string]*tfbridge.SchemaInfo{
					"command":           named("command"),
					"networks_advanced": named("networksAdvanced"),
				},
			},
			"docker_image": {
				Tok: resource("RemoteImage"),
				// An image's name is its reference, so it is never generated.
				Fields: map[string]*tfbridge.SchemaInfo{"name": named("name")},
			},
			"docker_network":        {Tok: resource("Network")},
			"docker_plugin":         {Tok: resource("Plugin")},
			"docker_registry_image": {Tok: resource("RegistryImage")},
			"docker_secret":         {Tok: resource("Secret")},
			"docker_service":        {Tok: resource("Service")},
			"docker_tag":            {Tok: resource("Tag")},
			"docker_volume":         {Tok: resource("Volume")},
		},
		DataSources: map[string]*tfbridge.DataSourceInfo{
			"docker_image":                    {Tok: member("getRemoteImage")},
			"docker_logs":                     {Tok: member("getLogs")},
			"docker_network":                  {Tok: member("getNetwork")},
			"docker_plugin":                   {Tok: member("getPlugin")},
			"docker_registry_image":           {Tok: member("getRegistryImage")},
			"docker_registry_image_manifests": {Tok: member("getRegistryImageManifests")},
		},
	}
	// Like the released plugin: without a "name", it is the resource's name with a random suffix.
	p.SetAutonaming(255, "-")
	return p
}

func main() {
	// A TypeScript program has its types from the SDK; the engine only needs this part of the plugin's schema.
	schema, err := json.Marshal(map[string]string{"name": pkg, "version": version})
	if err != nil {
		panic(err)
	}
	tfbridge.Main(pkg, version, info(), schema)
}
