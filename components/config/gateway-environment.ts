import { z } from "zod";
import { isAllowed, type VariableName, variables } from "../../gateway/src/config/config.ts";
import { toRemove } from "./config-error.ts";

// What `gatewayEnvironment` may hold: those of the gateway's own variables that nothing else sets.

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
  METRICS_KEY_DIGEST: "monitoring",
  WATCHED_CERTIFICATE: "edge",
  STANDBY_LEASE: "gatewayReplicas",
  POD_NAME: "the program",
  POD_UID: "the program",
  POD_IP: "the program",
  KUBERNETES_SERVICE_HOST: "the program",
  KUBERNETES_SERVICE_PORT: "the program",
  SERVICE_ACCOUNT_FOLDER: "the program",
} as const satisfies Partial<Record<VariableName, string>>;

/** What the program sets by itself. */
export type ProgramVariable = keyof typeof setBy;
type SettableVariable = Exclude<VariableName, ProgramVariable>;

/** The gateway's variables that the config sets, with their values as its container gets them. */
export type GatewayEnvironment = Readonly<Partial<Record<SettableVariable, string>>>;

/** The variables that the config may set. */
export const settableVariables = (Object.keys(variables) as VariableName[]).filter(
  (name): name is SettableVariable => !(name in setBy),
);

export const gatewayEnvironment = z
  .record(z.string(), z.unknown(), "a map of the gateway's variables to values, such as {QUEUE_LIMIT: 64}")
  .transform((given, context): GatewayEnvironment => {
    for (const [name, value] of Object.entries(given)) {
      const refused = refusal(name, value);
      if (refused !== undefined) context.addIssue({ code: "custom", path: [name], ...refused });
    }
    return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]));
  });

interface Refusal {
  /** To be read after "must be". */
  readonly message: string;
  readonly params?: typeof toRemove;
}

function refusal(name: string, value: unknown): Refusal | undefined {
  const left = (why: string): Refusal => ({ message: `left out: ${why}`, params: toRemove });
  if (Object.hasOwn(setBy, name)) return left(`it is set by ${setBy[name as ProgramVariable]}`);
  const known = settableVariables.find((each) => each === name);
  if (known === undefined)
    return left(`the gateway has no such variable; it has ${settableVariables.join(", ")}`);
  // `pulumi config set --path` makes numbers and booleans of what looks like one.
  const given = ["string", "number", "boolean"].includes(typeof value);
  if (given && isAllowed(known, String(value))) return undefined;
  const { allowed, unit } = variables[known];
  return { message: unit === undefined ? allowed : `${allowed} (${unit})` };
}
