import { z } from "zod";
import { isAllowed, type VariableName, variables } from "../gateway/src/config.ts";

// What `gatewayEnvironment` may hold: those of the gateway's own variables that nothing else sets.

const setBy = {
  HOST: "the program",
  PORT: "the program",
  LLM_SERVICE_HOST_IP: "the program",
  LLM_SERVICE_PORT: "the program",
  LLM_BACKENDS: "ollamaReplicas",
  OLLAMA_NUM_PARALLEL: "ollamaParallel",
  CONTROL_SOCKET: "the program",
  LLM_MODEL_ID: "models",
  REQUIRED_MODELS: "models",
  KEEP_LOADED_MODELS: "models",
  LOG_LEVEL: "gatewayLogLevel",
  API_KEYS: "gatewayApiKeys",
  // The container has no such file.
  API_KEYS_FILE: "gatewayApiKeys",
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
      const message = refusal(name, value);
      if (message !== undefined) context.addIssue({ code: "custom", path: [name], message });
    }
    return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]));
  });

/** What is to be said of a variable that cannot be as it is, to be read after "must be". */
function refusal(name: string, value: unknown): string | undefined {
  if (Object.hasOwn(setBy, name)) return `left out: it is set by ${setBy[name as ProgramVariable]}`;
  const known = settableVariables.find((each) => each === name);
  if (known === undefined)
    return `left out: the gateway has no such variable; it has ${settableVariables.join(", ")}`;
  // `pulumi config set --path` makes numbers and booleans of what looks like one.
  const given = ["string", "number", "boolean"].includes(typeof value);
  if (given && isAllowed(known, String(value))) return undefined;
  const { allowed, unit } = variables[known];
  return unit === undefined ? allowed : `${allowed} (${unit})`;
}
