// The local half (Command and run) of pulumi-resource-command 1.2.1, because the module proxy does not have the released
// plugin's module. Inputs, outputs and lifecycle are the same, so programs and states are compatible with both.
package main

import (
	"context"
	"fmt"
	"os"

	provider "github.com/pulumi/pulumi-go-provider"
	"github.com/pulumi/pulumi-go-provider/infer"

	"ollama-stack.local/toolchain/plugin-command/local"
)

func main() {
	p := infer.Provider(infer.Options{
		Resources: []infer.InferredResource{infer.Resource(&local.Command{})},
		Functions: []infer.InferredFunction{infer.Function(&local.Run{})},
	})
	if err := provider.RunProvider(context.Background(), "command", "1.2.1", p); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
