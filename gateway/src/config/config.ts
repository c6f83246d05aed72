import type * as z from "zod";
import { checkConsistency } from "../auth/api-keys.ts";
import { definitions } from "./definitions.ts";
import { checkStandby } from "./standby-variables.ts";
import { type Definition, mayHoldSecret, type Variable } from "./env-types.ts";

export type VariableName = keyof typeof definitions;

/** The gateway's configuration: validated and typed environment variables, under their own names. */
export type Config = Readonly<{ [Name in VariableName]: z.output<(typeof definitions)[Name]["schema"]> }>;

/** Every variable that the gateway reads, with its default, unit, range and description. */
export const variables: Readonly<Record<VariableName, Variable>> = definitions;

/** Port inside the image, independent of the published port. */
export const DEFAULT_PORT = Number(variables.PORT.default);

/** Lists each invalid variable on a line with its name, value and allowed values. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/**
 * Reads the configuration. Empty variables count as unset, as `docker run -e NAME=` and compose files pass them.
 *
 * @throws ConfigError for invalid values
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  const values = Object.entries<Definition<unknown>>(definitions).map(([name, definition]) => {
    const raw = environment[name] ?? "";
    const value = definition.blankIsSet === true && raw.trim() === "" ? raw : raw.trim();
    const result = parseVariable(definition, value);
    if (!result.success) {
      const shown = definition.hidden || mayHoldSecret(value) ? "(hidden)" : value;
      const [issue] = result.error.issues;
      const reason = issue?.code === "custom" ? `${issue.message}; ` : "";
      problems.push(
        `${name}=${shown}: ${reason}must be ${definition.allowed} (default: ${definition.default || "empty"})`,
      );
    }
    return [name, result.data] as const;
  });
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  const config = Object.fromEntries(values) as Config;
  try {
    checkConsistency([...config.API_KEYS, ...(config.API_KEYS_FILE?.keys ?? [])]);
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

/** Whether `readConfig` would accept the value. */
export function isAllowed(name: VariableName, value: string): boolean {
  return parseVariable(definitions[name], value.trim()).success;
}

function parseVariable({ schema, default: unset }: Definition<unknown>, written: string) {
  return schema.safeParse(written === "" ? unset : written);
}
