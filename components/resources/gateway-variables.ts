import type * as pulumi from "@pulumi/pulumi";
import { DEFAULT_PORT } from "../../gateway/src/config/config.ts";
import type { ProgramVariable } from "../config/gateway-environment.ts";

/** The arguments that become variables. A change replaces the containers. */
export interface GatewayVariablesArgs {
  /** Parallel requests per server. */
  readonly parallel: number;
  /** How long the servers keep an idle model loaded, such as "5m". */
  readonly keepAlive: string;
  /** Whether it serves the web console. */
  readonly console: boolean;
  /** Required models; the first is the default. */
  readonly models: readonly string[];
  /** Models to preload and keep in memory. */
  readonly keepLoaded: readonly string[];
  /** Lowest level to log. */
  readonly logLevel: string;
  /** Objective for the time to the first token, a bucket boundary in the metrics. */
  readonly objectiveFirstTokenSeconds: number;
  /** SHA-256 in hexadecimal of a key that may read the metrics. */
  readonly metricsKeyDigest?: pulumi.Input<string> | undefined;
}

/** The gateway's variables that are the same on every engine. */
export function gatewayVariables(args: GatewayVariablesArgs) {
  const { metricsKeyDigest } = args;
  return {
    HOST: "0.0.0.0",
    PORT: String(DEFAULT_PORT),
    OLLAMA_NUM_PARALLEL: String(args.parallel),
    OLLAMA_KEEP_ALIVE: args.keepAlive,
    // Unset for the image's default.
    ...(args.console ? {} : { CONSOLE_FOLDER: "" }),
    // In an in-memory file system.
    CONTROL_SOCKET: "/tmp/control.sock",
    LLM_MODEL_ID: args.models[0] ?? "",
    REQUIRED_MODELS: args.models.join(","),
    KEEP_LOADED_MODELS: args.keepLoaded.join(","),
    LOG_LEVEL: args.logLevel,
    OBJECTIVE_FIRST_TOKEN_MS: String(Math.round(args.objectiveFirstTokenSeconds * 1000)),
    ...(metricsKeyDigest === undefined ? {} : { METRICS_KEY_DIGEST: metricsKeyDigest }),
  } satisfies Partial<Record<ProgramVariable, pulumi.Input<string>>>;
}
