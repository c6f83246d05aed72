import * as pulumi from "@pulumi/pulumi";
import { ollamaProxy } from "../planning/ollama-proxy.ts";
import type { StackConfig } from "../config/keys.ts";

/** The configured variables of Ollama's container, and this machine's proxy. */
export function ollamaVariables(config: StackConfig): Record<string, pulumi.Input<string>> {
  const { variables, warning } = ollamaProxy(config);
  if (warning !== undefined) void pulumi.log.warn(warning);
  const proxy = Object.entries(variables).map(([name, value]) => [
    name,
    // Keeps a proxy's credentials out of state and preview.
    value.includes("@") ? pulumi.secret(value) : value,
  ]);
  return {
    ...(Object.fromEntries(proxy) as Record<string, pulumi.Input<string>>),
    ...config.ollamaEnvironment,
  };
}
