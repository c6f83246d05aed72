import { ConfigError } from "./config-error.ts";

// Keys that stay secret in the state.
const secretSafeKeys = new Set(["gatewayApiKeys"]);

/** Rejects secret config values that state, preview and containers would show. @throws ConfigError with one line per key */
export function refuseSecrets(project: string, secretKeys: readonly string[]): void {
  const refused = secretKeys.filter(
    (key) => key.startsWith(`${project}:`) && !secretSafeKeys.has(key.slice(project.length + 1)),
  );
  if (refused.length === 0) return;
  throw new ConfigError(
    refused.map((key) => {
      const name = key.slice(project.length + 1);
      return `${key} is a secret, but preview, state and containers would show it: it must not contain one; replace it with: pulumi config set '${name}' VALUE --plaintext`;
    }),
  );
}
