import type * as pulumi from "@pulumi/pulumi";
import { DEFAULT_PORT } from "../../gateway/src/config/config.ts";
import type { ProgramVariable } from "../config/gateway-environment.ts";

interface GatewayVariablesArgs {
  readonly parallel: number;
  readonly keepAlive: string;
  readonly console: boolean;
  /** The first is the default model. */
  readonly models: readonly string[];
  readonly keepLoaded: readonly string[];
  readonly logLevel: string;
  readonly objectiveFirstTokenSeconds: number;
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
