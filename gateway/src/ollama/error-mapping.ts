import { ApiError, type ErrorCode, type ParameterNames, modelNotFound } from "../errors.ts";
import type { Stage } from "./delivery.ts";
import { PeerLostError } from "../lib/network/peer-watch.ts";

interface RequestTraits {
  /** The error when the response does not begin in time. */
  readonly beginning: ErrorCode;
  /** The error when the response falls silent. */
  readonly silence: ErrorCode;
  /** True when the request may run twice, or bring down two servers, without harm to anyone. */
  readonly repeatable?: boolean;
}

/**
 * Says what a failed connection means to the client.
 *
 * Only a request that its server cannot have in full is retried on another one, as nginx and Envoy do with requests that
 * are not idempotent: a request that broke one server would break the next. That includes a request written to an idle
 * connection that the server was just closing, which looks the same as one that the server received. It is rare:
 * Ollama never closes idle connections while it runs, and undici looks for a close before it reuses one.
 */
export function fromConnectionError(
  cause: Error,
  stage: Stage,
  { beginning, silence, repeatable = false }: RequestTraits,
): ApiError {
  if (cause instanceof ApiError) return cause;
  const code = "code" in cause ? cause.code : undefined;
  if (stage !== "connecting" && code === "UND_ERR_HEADERS_TIMEOUT") return new ApiError(beginning, { cause });
  if (code === "UND_ERR_BODY_TIMEOUT") return new ApiError(silence, { cause });
  const why = cause instanceof PeerLostError ? { message: "The machine of the Ollama server was lost." } : {};
  switch (stage) {
    case "connecting":
    case "sending":
      return new ApiError("upstream_unreachable", { cause, retryable: true });
    case "waiting":
      return new ApiError("upstream_failed", {
        ...why,
        cause,
        retryable: repeatable,
        connectionBroke: true,
      });
    case "responding":
      return new ApiError("upstream_incomplete", {
        ...why,
        cause,
        retryable: repeatable,
        connectionBroke: true,
      });
  }
}

// Ollama's errors differ in their text only. The parameter is named as Ollama has it.
const knownMessages: readonly (readonly [RegExp, ErrorCode, string?])[] = [
  [/exceeds? (the )?((available|maximum) )?context/i, "context_length_exceeded"],
  [/does not support tools/i, "unsupported_parameter", "tools"],
  [/does not support thinking|think value .* is not supported/i, "unsupported_parameter", "think"],
  [/does not support (images|vision)|missing data required for image/i, "unsupported_parameter", "images"],
  [/only supports one image/i, "unsupported_parameter", "images"],
  [/does not support insert/i, "unsupported_parameter", "suffix"],
  [/does not support (chat|generate|completion|embedding)/i, "invalid_value", "model"],
  [/failed to process inputs: .*(image|png|jpeg|webp|mtmd)/i, "invalid_value", "images"],
  [/^invalid (JSON schema in )?format\b/i, "invalid_value"],
  [/num_gpu = /, "invalid_value", "options.num_gpu"],
];

// Ollama's status for an option of another type, a template that it cannot read, an empty text, an unreadable image, a
// schema it has no grammar for, and a model that cannot embed is 500 or 501.
const CLIENTS_FAULT = new RegExp(
  [
    '^option "\\w+" must be of (an array|type) ',
    "^template: ",
    "^failed to create new sequence: (no input provided|entire prompt removed|failed to process inputs: )",
    "^this model (only supports one image|does not support embeddings)",
    "^invalid format: ",
    "^invalid JSON schema in format",
    "^memory layout cannot be allocated with num_gpu = ",
  ].join("|"),
  "i",
);

// Ollama's status for a runner that failed or ended while it embedded a text is 400.
const SERVERS_FAULT =
  /^(do embedding request|error (marshaling|creating|reading) embed|unexpected server status|unmarshal tokenize response|no tokenizer configured)/;

/** Says what an answer of Ollama that is not 200 means to the client. */
export function fromStatus(status: number, body: string, model: string): ApiError {
  const message = errorMessage(body);
  if (status === 404) {
    return modelNotFound(model, { retryable: true });
  }
  if (isClientsFault(status, message)) {
    const known = knownMessages.find(([pattern]) => message !== undefined && pattern.test(message));
    const [, code = "invalid_request", param] = known ?? [];
    if (code === "context_length_exceeded") return new ApiError(code);
    return new ApiError(code, { ...quoting(message), ...(param === undefined ? {} : { param }) });
  }
  if (status === 429 || status === 503) {
    return new ApiError("upstream_overloaded", { ...quoting(message), retryable: true });
  }
  return new ApiError("upstream_failed", quoting(message));
}

function isClientsFault(status: number, message = ""): boolean {
  if (status === 400) return !SERVERS_FAULT.test(message);
  return (status === 500 || status === 501) && CLIENTS_FAULT.test(message);
}

/** Names the parameter that Ollama refuses as the client knows it. */
export function renameParameter(
  { subject, images = subject, thinking }: ParameterNames,
  failure: ApiError,
): ApiError {
  const known: Readonly<Record<string, string | undefined>> = { images, think: thinking };
  const param = known[failure.param ?? ""];
  if (param === undefined) return failure;
  return new ApiError(failure.code, {
    message: `Unsupported value for '${param}': ${failure.message}`,
    param,
    cause: failure,
  });
}

/** Says what an error line, sent where a piece of the answer was due, means to the client. */
export function fromErrorLine(message: string | undefined): ApiError {
  return new ApiError("upstream_failed", quoting(message));
}

function quoting(message: string | undefined): { message?: string } {
  return message === undefined ? {} : { message: `Ollama: ${message}` };
}

function errorMessage(body: string): string | undefined {
  try {
    const { error } = JSON.parse(body) as { error?: unknown };
    return typeof error === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}
