import * as pulumi from "@pulumi/pulumi";
import type * as z from "zod";

/** Invalid config, one line per problem. Users see the message without a stack trace. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** Runs a function and turns a ConfigError into an error that Pulumi prints without a stack trace. */
export async function reportConfigErrors<T>(run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof ConfigError ? new pulumi.RunError(error.message) : error;
  }
}

/** Marks a config problem that no other value fixes: the key must be removed. */
export const toRemove = { toRemove: true };

export function mustBeRemoved(issue: z.core.$ZodIssue): boolean {
  return issue.code === "custom" && issue.params?.["toRemove"] === true;
}
