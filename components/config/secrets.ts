import { ConfigError } from "./config-error.ts";

// What is a secret from here to the state.
const keptSecret = new Set(["gatewayApiKeys"]);

/** Throws one line for each key that is a secret in the config and would be none in state, preview and containers. */
export function refuseSecrets(project: string, secretKeys: readonly string[]): void {
  const refused = secretKeys.filter(
    (key) => key.startsWith(`${project}:`) && !keptSecret.has(key.slice(project.length + 1)),
  );
  if (refused.length === 0) return;
  throw new ConfigError(
    refused.map((key) => {
      const name = key.slice(project.length + 1);
      return `${key} is a secret, but would be shown by preview, state and containers: it must hold none; set it anew with: pulumi config set '${name}' VALUE --plaintext`;
    }),
  );
}
