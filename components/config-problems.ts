import * as pulumi from "@pulumi/pulumi";
import { ConfigError } from "./config.ts";

/** Runs a function of the program; what it says to users is shown as it is, without a stack trace. */
export function refuse<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof ConfigError) throw new pulumi.RunError(error.message);
    throw error;
  }
}
