import type * as z from "zod";
import { checkTogether } from "../auth/api-keys.ts";
import { definitions } from "./definitions.ts";
import { checkStandby } from "./standby-variables.ts";
import { type Definition, mayHoldSecret, type Variable } from "./env-types.ts";

export type VariableName = keyof typeof definitions;

/** The gateway's configuration: the environment, validated and typed, under the variables' own names. */
export type Config = Readonly<{ [Name in VariableName]: z.output<(typeof definitions)[Name]["schema"]> }>;

/** Every variable the gateway reads, with its default, unit, limits and meaning. */
export const variables: Readonly<Record<VariableName, Variable>> = definitions;

/** Where the image listens, whatever port is published on the host. */
export const DEFAULT_PORT = Number(variables.PORT.default);

/** Names each wrong variable on a line of its own: its name, its value, what is allowed. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Reads the configuration from an environment. Empty means unset: `docker run -e NAME=` and compose files write it so.
 *
 * @throws ConfigError when a variable has a value that is not allowed
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const wrong: string[] = [];
  const values = Object.entries<Definition<unknown>>(definitions).map(([name, definition]) => {
    const given = environment[name] ?? "";
    const written = definition.blankIsSet === true && given.trim() === "" ? given : given.trim();
    const result = parseVariable(definition, written);
    if (!result.success) {
      const shown = definition.hidden || mayHoldSecret(written) ? "(hidden)" : written;
      const [issue] = result.error.issues;
      const why = issue?.code === "custom" ? `${issue.message}; ` : "";
      wrong.push(
        `${name}=${shown}: ${why}must be ${definition.allowed} (default: ${definition.default || "empty"})`,
      );
    }
    return [name, result.data] as const;
  });
  if (wrong.length > 0) throw new ConfigError(wrong.join("\n"));
  const config = Object.fromEntries(values) as Config;
  try {
    checkTogether([...config.API_KEYS, ...(config.API_KEYS_FILE?.keys ?? [])]);
  } catch (error) {
    throw new ConfigError(
      `API_KEYS and API_KEYS_FILE: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  try {
    checkStandby(config);
  } catch (error) {
    throw new ConfigError(`STANDBY_LEASE: ${error instanceof Error ? error.message : String(error)}`);
  }
  return config;
}

/** Whether a variable may have a value, as `readConfig` would read it. */
export function isAllowed(name: VariableName, value: string): boolean {
  return parseVariable(definitions[name], value.trim()).success;
}

function parseVariable({ schema, default: unset }: Definition<unknown>, written: string) {
  return schema.safeParse(written === "" ? unset : written);
}
