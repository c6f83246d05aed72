import { z } from "zod";
import { isAllowed, type VariableName, variables } from "../../gateway/src/config/config.ts";
import { toRemove } from "./config-error.ts";

// `gatewayEnvironment` accepts the gateway's variables that no other key sets.

const setBy = {
  HOST: "the program",
  PORT: "the program",
  LLM_SERVICE_HOST_IP: "the program",
  LLM_SERVICE_PORT: "the program",
  LLM_BACKENDS: "ollamaReplicas",
  OLLAMA_NUM_PARALLEL: "ollamaParallel",
  OLLAMA_KEEP_ALIVE: "ollamaKeepAlive",
  CONSOLE_FOLDER: "console",
  CONTROL_SOCKET: "the program",
  LLM_MODEL_ID: "models",
  REQUIRED_MODELS: "models",
  KEEP_LOADED_MODELS: "models",
  LOG_LEVEL: "gatewayLogLevel",
  API_KEYS: "gatewayApiKeys",
  ALLOWED_HOSTS: "gatewayAllowedHosts",
  API_KEYS_FILE: "gatewayApiKeys",
  USAGE_FILE: "gatewayUsageVolume",
  OBJECTIVE_FIRST_TOKEN_MS: "objectiveFirstTokenSeconds",
  METRICS_KEY_DIGEST: "the program",
  WATCHED_CERTIFICATE: "edge, which requires engine docker",
  STANDBY_LEASE: "gatewayReplicas",
  POD_NAME: "the program",
  POD_UID: "the program",
  POD_IP: "the program",
  KUBERNETES_SERVICE_HOST: "the program",
  KUBERNETES_SERVICE_PORT: "the program",
  SERVICE_ACCOUNT_FOLDER: "the program",
} as const satisfies Partial<Record<VariableName, string>>;

/** Variables that the program sets itself. */
export type ProgramVariable = keyof typeof setBy;
type SettableVariable = Exclude<VariableName, ProgramVariable>;

/** The gateway's variables from the config, with their values as the container receives them. */
export type GatewayEnvironment = Readonly<Partial<Record<SettableVariable, string>>>;

export const settableVariables = (Object.keys(variables) as VariableName[]).filter(
  (name): name is SettableVariable => !(name in setBy),
);

export const gatewayEnvironment = z
  .record(z.string(), z.unknown(), "a map of the gateway's variables to values, such as {QUEUE_LIMIT: 64}")
  .transform((entries, context): GatewayEnvironment => {
    for (const [name, value] of Object.entries(entries)) {
      const problem = problemWith(name, value);
      if (problem !== undefined) context.addIssue({ code: "custom", path: [name], ...problem });
    }
    return Object.fromEntries(Object.entries(entries).map(([name, value]) => [name, String(value)]));
  });

interface VariableProblem {
  /** Completes "must be ...". */
  readonly message: string;
  readonly params?: typeof toRemove;
}

function problemWith(name: string, value: unknown): VariableProblem | undefined {
  const notAllowed = (why: string): VariableProblem => ({ message: `left out: ${why}`, params: toRemove });
  if (Object.hasOwn(setBy, name)) return notAllowed(`it is set by ${setBy[name as ProgramVariable]}`);
  const known = settableVariables.find((each) => each === name);
  if (known === undefined)
    return notAllowed(`the gateway has no such variable; it has ${settableVariables.join(", ")}`);
  // `pulumi config set --path` converts values that look like numbers and booleans.
  const isScalar = ["string", "number", "boolean"].includes(typeof value);
  if (isScalar && isAllowed(known, String(value))) return undefined;
  const { allowed, unit } = variables[known];
  return { message: unit === undefined ? allowed : `${allowed} (${unit})` };
}
