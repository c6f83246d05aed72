import * as z from "zod";
import { readConsole } from "../console/console-files.ts";
import { accessVariables } from "./access-variables.ts";
import { metricsVariables } from "./metrics-variables.ts";
import { standbyVariables } from "./standby-variables.ts";
import { stateVariables } from "./state-variables.ts";
import { parseBackendAddress } from "../ollama/address.ts";
import {
  deadline,
  type Definition,
  hostName,
  integer,
  keepAlive,
  listed,
  MIB,
  MINUTE,
  modelList,
  modelName,
  parsed,
  port,
  SECOND,
} from "./env-types.ts";

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

/** All variables of the gateway. */
export const definitions = {
  HOST: hostName({
    default: "127.0.0.1",
    description:
      "Address to listen on. The image sets 0.0.0.0, because loopback inside a container is unreachable " +
      "from outside.",
  }),
  PORT: port({ default: "8000", description: "Port to listen on." }),
  LLM_SERVICE_HOST_IP: hostName({
    default: "127.0.0.1",
    description: "Host name or address of the Ollama server (OPEA's name for this variable).",
  }),
  LLM_SERVICE_PORT: port({ default: "11434", description: "Port of the Ollama server." }),
  LLM_BACKENDS: {
    schema: parsed((list) => listed(list).map(parseBackendAddress)),
    allowed:
      "host:port or host:port*slots (IPv6 in brackets), or either with a name after `dns+`, separated by commas",
    default: "",
    description:
      "Several Ollama servers, instead of LLM_SERVICE_HOST_IP and LLM_SERVICE_PORT. A suffix such as `*4` " +
      "means that this server runs four requests in parallel, and overrides OLLAMA_NUM_PARALLEL for it. " +
      "`dns+name:port` stands for a server at each address of the name, such as a headless service of Kubernetes; it " +
      "is looked up every POLL_INTERVAL_MS.",
  },
  OLLAMA_NUM_PARALLEL: integer(1, 9999, "requests", {
    default: "1",
    description:
      "Requests that an Ollama server runs in parallel: the value of the server's own variable of this " +
      "name. Further requests wait in the gateway.",
  }),
  OLLAMA_KEEP_ALIVE: keepAlive({
    default: "5m",
    description:
      "How long an idle model stays loaded by default: the value of the server's own variable of this name. A key " +
      "without the flag `options` can only extend it.",
  }),
  KEEP_ALIVE_LIMIT_MS: deadline({
    default: `${60 * MINUTE}`,
    description: "Maximum `keep_alive` of a key without the flag `options`; longer values are reduced to it.",
  }),
  CONSOLE_FOLDER: {
    schema: parsed((folder) => (folder === "" ? undefined : readConsole(folder))),
    allowed: "the path of a folder with the built web console",
    default: "",
    description:
      "Folder with the files of the web console, which is served under /console/. The image sets its own. Empty: no " +
      "console.",
  },
  CONTROL_SOCKET: {
    schema: z.string().regex(/^(\/.+)?$/),
    allowed: "the absolute path of a Unix socket",
    default: "",
    description:
      "Unix socket on which the gateway learns that it or an Ollama server is about to be replaced " +
      "(`control.cjs` in the image). Empty disables it.",
  },
  LLM_MODEL_ID: {
    schema: z.string().regex(modelName),
    allowed: "the name of an Ollama model, such as llama3.2:1b",
    default: "llama3.2:1b",
    description: "Model that the OPEA routes use if a request names none.",
  },
  REQUIRED_MODELS: modelList("Models that must be installed before /ready returns 200."),
  KEEP_LOADED_MODELS: modelList(
    "Models that the gateway preloads, also after a restart of Ollama, and keeps in memory.",
  ),
  LOG_LEVEL: {
    schema: z.enum(logLevels),
    allowed: `one of ${logLevels.join(", ")}`,
    default: "info",
    description:
      "Lowest level that is logged. Probes and scrapes are logged at debug, other requests at info.",
  },
  LOG_TEXT: {
    schema: z.enum(["off", "on"]),
    allowed: "off or on",
    default: "off",
    description: "Whether prompts and responses are logged, in the line of their request.",
  },
  STRICT_PARAMETERS: {
    schema: z.enum(["off", "on"]),
    allowed: "off or on",
    default: "off",
    description:
      "Whether to reject requests with unknown parameters, or with preferences that the gateway cannot honour. By " +
      "default they are ignored, and listed in the response header `x-ignored-parameters`.",
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    schema: z
      .string()
      .regex(/^(https?:\/\/[^\s?#@/]+(\/[^\s?#]*)?)?$/)
      .transform((url) => url.replace(/\/+$/, "")),
    allowed: "an http or https URL without a user, a password and a query",
    default: "",
    description:
      "OpenTelemetry collector that receives traces and metrics, as OTLP over HTTP (`/v1/traces` and `/v1/metrics` are " +
      "appended). Empty sends none.",
  },
  OTEL_SERVICE_NAME: {
    schema: z.string(),
    allowed: "any text",
    default: "ollama-stack-gateway",
    description: "Name of the gateway in traces and metrics.",
  },
  OTEL_BSP_SCHEDULE_DELAY: deadline({
    default: `${5 * SECOND}`,
    description: "How long spans are collected before they are exported.",
  }),
  OTEL_METRICS_EXPORTER: {
    schema: z.enum(["otlp", "none"]),
    allowed: "otlp or none",
    default: "otlp",
    description: "Whether the collector also receives metrics.",
  },
  OTEL_METRIC_EXPORT_INTERVAL: deadline({
    default: `${1 * MINUTE}`,
    description: "How often metrics are exported.",
  }),
  ...metricsVariables,
  ...accessVariables,
  ...stateVariables,
  ...standbyVariables,
  BODY_LIMIT_BYTES: integer(1024, 1024 * MIB, "bytes", {
    default: `${32 * MIB}`,
    description: "Largest request body, images included. A larger one is rejected with 413.",
  }),
  BODIES_LIMIT_BYTES: integer(1024, 16_384 * MIB, "bytes", {
    default: `${64 * MIB}`,
    description:
      "Memory budget for the bodies of all requests in flight, as far as they have arrived. A body costs its " +
      "length or 64 bytes per JSON value, whichever is more (peak use is several times that). Bodies of up to " +
      "64 KiB share a budget of their own, a quarter of this. Embeddings and stored responses count as well, until " +
      "their client has read them. With several keys, one key may use 75 %. Beyond it, requests are rejected with 503.",
  }),
  RESPONSE_STORE_LIMIT_BYTES: integer(0, 16_384 * MIB, "bytes", {
    default: `${64 * MIB}`,
    description:
      "Memory for the stored responses of the Responses API and the requests that led to them. Beyond it, the oldest " +
      "responses of the key with the most memory are dropped. 0 stores none.",
  }),
  RESPONSE_STORE_TTL_MS: deadline({
    default: `${60 * MINUTE}`,
    description:
      "How long a stored response is kept, along with the conversation that it continues. Requests with " +
      "`store: false` are never stored.",
  }),
  CONNECTIONS_LIMIT: integer(4, 65_535, "connections", {
    default: "2048",
    description:
      "Maximum number of open client connections. Beyond it, idle ones are closed, else a new one is rejected " +
      "with 503. Clients that have not presented a valid key yet may hold a quarter; their oldest is closed.",
  }),
  QUEUE_LIMIT: integer(1, 65_535, "requests", {
    default: "256",
    description:
      "Requests that may wait for a slot or a cold load. Beyond it, the last request of the key with the most of " +
      "them is rejected with 503; without keys, that is the new one. If all requests of that key have started, other " +
      "keys' requests may exceed the limit, up to twice.",
  }),
  QUEUE_TIMEOUT_MS: deadline({
    default: `${1 * MINUTE}`,
    description:
      "How long a request may wait for a slot, not counting the load of its model. Then it fails with " +
      "503.",
  }),
  LOAD_TIMEOUT_MS: deadline({
    default: `${10 * MINUTE}`,
    description:
      "How long Ollama may take to load a model. Then all requests that wait for it fail with 504.",
  }),
  LOADING_COMMENT_MS: deadline({
    default: `${5 * SECOND}`,
    description:
      "Interval of the comments that keep a stream open through proxies while its model is loading.",
  }),
  POLL_INTERVAL_MS: deadline({
    default: `${3 * SECOND}`,
    description:
      "Interval at which each Ollama server is checked for its health and its loaded models. A server " +
      "that recovers is used again after at most this long, or PROBE_TIMEOUT_MS if that is longer.",
  }),
  BREAKER_FAILURES: integer(1, 1000, "failures", {
    default: "3",
    description:
      "Clients in a row whose requests break a server's connection before the server gets no requests for " +
      "BREAKER_OPEN_MS, if there is another one. A key counts once, or a repeated request where there are no keys.",
  }),
  BREAKER_OPEN_MS: deadline({
    default: `${3 * SECOND}`,
    description: "How long a server whose breaker is open gets no requests. Then a single request tries it.",
  }),
  REQUEST_TIMEOUT_MS: deadline({
    default: `${30 * SECOND}`,
    description:
      "How long a client may take to send its complete request; for a model's file, how long it may " +
      "pause. Then the request fails with 408.",
  }),
  PROBE_TIMEOUT_MS: deadline({
    default: `${3 * SECOND}`,
    description: "How long Ollama may take to return its version or its list of models.",
  }),
  CONNECT_TIMEOUT_MS: deadline({
    default: `${2 * SECOND}`,
    description:
      "How long connecting to Ollama may take. Then the request fails with 503. While a response is silent, the " +
      "gateway connects to its server now and then: when the server's machine does not accept that in this time, it is " +
      "lost, and the requests on it end with an error.",
  }),
  FIRST_TOKEN_TIMEOUT_MS: deadline({
    default: `${10 * MINUTE}`,
    description:
      "How long a stream may wait for its first token once it has a slot. This includes reading the " +
      "prompt, but not the queue and the load. Then it fails with 504.",
  }),
  IDLE_TIMEOUT_MS: deadline({
    default: `${2 * MINUTE}`,
    description: "Longest pause of Ollama between two parts of a stream. Then the stream ends with an error.",
  }),
  ANSWER_TIMEOUT_MS: deadline({
    default: `${20 * MINUTE}`,
    description:
      "How long a buffered (not streaming) response may take, and how long a pull may make no progress. " +
      "Then the request fails with 504, or its stream is aborted.",
  }),
  SLOW_READER_TIMEOUT_MS: deadline({
    default: `${1 * MINUTE}`,
    description:
      "How long a client may leave a response unread while its buffers are full. Then it is disconnected.",
  }),
  SHUTDOWN_TIMEOUT_MS: deadline({
    default: `${30 * SECOND}`,
    description:
      "How long in-flight requests may continue after SIGTERM. Then they end with an error. The " +
      "container's stop grace period must be longer.",
  }),
} satisfies Record<string, Definition<unknown>>;
