import * as z from "zod";
import { parseBackendAddress } from "../ollama/address.ts";
import { readKeyFile } from "../auth/key-file.ts";
import { KEY_LINE, parseKeys } from "../auth/api-keys.ts";
import {
  mayHoldSecret,
  deadline,
  type Definition,
  hostName,
  integer,
  listed,
  MIB,
  MINUTE,
  modelList,
  modelName,
  parsed,
  port,
  SECOND,
  type Variable,
} from "./env-types.ts";

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

const definitions = {
  HOST: hostName({
    default: "127.0.0.1",
    description:
      "The address to listen on. The image sets 0.0.0.0: inside a container, loopback reaches nobody.",
  }),
  PORT: port({ default: "8000", description: "The port to listen on." }),
  LLM_SERVICE_HOST_IP: hostName({
    default: "127.0.0.1",
    description: "The host of the Ollama server: a name or an address (the name is OPEA's).",
  }),
  LLM_SERVICE_PORT: port({ default: "11434", description: "The port of the Ollama server." }),
  LLM_BACKENDS: {
    schema: parsed((list) => listed(list).map(parseBackendAddress)),
    allowed: "host:port or host:port*slots (IPv6 in brackets), separated by commas",
    default: "",
    description:
      "Several Ollama servers, in place of LLM_SERVICE_HOST_IP and LLM_SERVICE_PORT. `*4` says that one runs four " +
      "requests at once, where OLLAMA_NUM_PARALLEL does not hold for it.",
  },
  OLLAMA_NUM_PARALLEL: integer(1, 9999, "requests", {
    default: "1",
    description:
      "How many requests an Ollama server runs at once: what the server itself has in its variable of this name. " +
      "Beyond it requests wait in the gateway.",
  }),
  CONTROL_SOCKET: {
    schema: z.string().regex(/^(\/.+)?$/),
    allowed: "the absolute path of a Unix socket",
    default: "",
    description:
      "Where the gateway is told that it, or an Ollama server, is about to be replaced (`control.cjs` in the image). " +
      "Empty: nowhere.",
  },
  LLM_MODEL_ID: {
    schema: z.string().regex(modelName),
    allowed: "the name of an Ollama model, such as llama3.2:1b",
    default: "llama3.2:1b",
    description: "The model that the OPEA routes use when a request names none.",
  },
  REQUIRED_MODELS: modelList(
    "The models that must be present before /ready answers 200, separated by commas.",
  ),
  KEEP_LOADED_MODELS: modelList(
    "Models that are loaded before anybody asks, and again when Ollama was started anew, and stay; separated by commas.",
  ),
  LOG_LEVEL: {
    schema: z.enum(logLevels),
    allowed: `one of ${logLevels.join(", ")}`,
    default: "info",
    description:
      "The lowest level that is logged. Probes and scrapes are logged at debug, other requests at info.",
  },
  LOG_TEXT: {
    schema: z.enum(["off", "on"]),
    allowed: "off or on",
    default: "off",
    description: "On: prompts and answers are logged, in the line of their request. Off: they never are.",
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    schema: z
      .string()
      .regex(/^(https?:\/\/[^\s?#@/]+(\/[^\s?#]*)?)?$/)
      .transform((url) => url.replace(/\/+$/, "")),
    allowed: "an http or https URL without a user, a password and a query",
    default: "",
    description:
      "The OpenTelemetry collector that traces are sent to, as OTLP over HTTP (`/v1/traces` is added). Empty: none are.",
  },
  OTEL_SERVICE_NAME: {
    schema: z.string(),
    allowed: "any text",
    default: "ollama-stack-gateway",
    description: "What traces call the gateway.",
  },
  OTEL_BSP_SCHEDULE_DELAY: deadline({
    default: `${5 * SECOND}`,
    description: "How long traces are gathered before they are sent.",
  }),
  API_KEYS: {
    schema: parsed(parseKeys),
    allowed: KEY_LINE,
    default: "",
    hidden: true,
    description:
      "The API keys, by their SHA-256 digests. Without any, here or in API_KEYS_FILE, everybody is let in.",
  },
  API_KEYS_FILE: {
    schema: parsed((path) => (path === "" ? undefined : readKeyFile(path))),
    allowed: `the path of a file with at least one key: ${KEY_LINE}`,
    default: "",
    description:
      "A file of API keys, one a line, in the form of API_KEYS. A change counts within two seconds; a file that is " +
      "wrong then is logged, and the keys before stay in force.",
  },
  BODY_LIMIT_BYTES: integer(1024, 1024 * MIB, "bytes", {
    default: `${32 * MIB}`,
    description: "The largest request body; images travel inside it. Beyond it the answer is 413.",
  }),
  BODIES_LIMIT_BYTES: integer(1024, 16_384 * MIB, "bytes", {
    default: `${64 * MIB}`,
    description:
      "What the bodies of all requests under way that are over 64 KiB may take together: their text, or 64 bytes a value. " +
      "Each is held up to four times over. One of several keys may take three quarters. Beyond it the answer is 503.",
  }),
  QUEUE_LIMIT: integer(1, 65_535, "requests", {
    default: "256",
    description: "How many requests may wait for a slot or a cold load. Beyond it the answer is 503 at once.",
  }),
  QUEUE_TIMEOUT_MS: deadline({
    default: `${1 * MINUTE}`,
    description:
      "How long a request may wait for a slot; the load of its model is not in it. Then the answer is 503.",
  }),
  LOAD_TIMEOUT_MS: deadline({
    default: `${10 * MINUTE}`,
    description: "How long Ollama may take to load a model. Then all that wait for it are answered with 504.",
  }),
  LOADING_COMMENT_MS: deadline({
    default: `${5 * SECOND}`,
    description: "How often a stream that waits for a load gets a comment, so that proxies keep it open.",
  }),
  POLL_INTERVAL_MS: deadline({
    default: `${3 * SECOND}`,
    description:
      "How often each Ollama server is asked whether it lives and what it has loaded. A server that comes back is " +
      "used after this long at most, or after PROBE_TIMEOUT_MS where that is longer.",
  }),
  BREAKER_FAILURES: integer(1, 1000, "failures", {
    default: "3",
    description: "After how many broken connections in a row a server is left alone for BREAKER_OPEN_MS.",
  }),
  BREAKER_OPEN_MS: deadline({
    default: `${3 * SECOND}`,
    description: "How long such a server is left alone. Then a single request tries it.",
  }),
  REQUEST_TIMEOUT_MS: deadline({
    default: `${30 * SECOND}`,
    description:
      "How long a client may take to send its whole request; of a model's file, how long it may send nothing. Then the answer is 408.",
  }),
  PROBE_TIMEOUT_MS: deadline({
    default: `${3 * SECOND}`,
    description: "How long Ollama may take to say its version or to list its models.",
  }),
  CONNECT_TIMEOUT_MS: deadline({
    default: `${2 * SECOND}`,
    description: "How long a connection to Ollama may take to be made. Then the answer is 503.",
  }),
  FIRST_TOKEN_TIMEOUT_MS: deadline({
    default: `${10 * MINUTE}`,
    description:
      "How long a stream may wait for its first token once it has a slot: reading the prompt is in it, the queue " +
      "and the load are not. Then the answer is 504.",
  }),
  IDLE_TIMEOUT_MS: deadline({
    default: `${2 * MINUTE}`,
    description:
      "The longest silence of Ollama between two pieces of a stream. Then the stream ends with an error.",
  }),
  ANSWER_TIMEOUT_MS: deadline({
    default: `${20 * MINUTE}`,
    description:
      "How long a whole (not streamed) answer may take, and how long a pull may be silent. Then the answer is 504, or " +
      "breaks off.",
  }),
  SLOW_READER_TIMEOUT_MS: deadline({
    default: `${1 * MINUTE}`,
    description:
      "How long a client may leave a stream unread when its buffers are full. Then it is disconnected.",
  }),
  SHUTDOWN_TIMEOUT_MS: deadline({
    default: `${30 * SECOND}`,
    description:
      "How long requests in flight may go on after SIGTERM. Then they end with an error. The container's stop grace " +
      "has to be longer.",
  }),
} satisfies Record<string, Definition<unknown>>;

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
    const written = environment[name]?.trim() ?? "";
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
  return Object.fromEntries(values) as Config;
}

/** Whether a variable may have a value, as `readConfig` would read it. */
export function isAllowed(name: VariableName, value: string): boolean {
  return parseVariable(definitions[name], value.trim()).success;
}

function parseVariable({ schema, default: unset }: Definition<unknown>, written: string) {
  return schema.safeParse(written === "" ? unset : written);
}
