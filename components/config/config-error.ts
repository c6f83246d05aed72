import * as pulumi from "@pulumi/pulumi";
import type * as z from "zod";

/** Wrong config, one line a problem: an error meant for users, shown without a stack trace. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** Runs a function of the program; what it says to users is shown as it is, without a stack trace. */
export function refuse<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw forUsers(error);
  }
}

/** The same for one that takes a while. */
export async function refuseLater<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw forUsers(error);
  }
}

function forUsers(error: unknown): unknown {
  return error instanceof ConfigError ? new pulumi.RunError(error.message) : error;
}

/** Marks a problem of the config that no other value mends: what is set is to be removed. */
export const toRemove = { toRemove: true };

export function isToRemove(issue: z.core.$ZodIssue): boolean {
  return issue.code === "custom" && issue.params?.["toRemove"] === true;
}
