import { ApiError, type ErrorCode, type ParameterNames, modelNotFound } from "../errors.ts";
import type { Stage } from "./delivery.ts";
import { PeerLostError } from "../lib/network/peer-watch.ts";

interface RequestTraits {
  /** Error if the response does not begin in time. */
  readonly noResponse: ErrorCode;
  /** Error if the response stalls. */
  readonly stalled: ErrorCode;
  /** Whether the request can be repeated on another server without harm. */
  readonly repeatable?: boolean;
}

/**
 * Maps a connection error to an ApiError.
 *
 * Only a request that the server cannot have received completely is retried on another server, as nginx and Envoy do
 * for requests that are not idempotent: a request that crashed one server would crash the next. This includes a request
 * written to an idle connection while the server closes it, which is indistinguishable from a received one. It is rare:
 * Ollama never closes idle connections while it runs, and undici checks for a close before it reuses one.
 */
export function fromConnectionError(
  cause: Error,
  stage: Stage,
  { noResponse, stalled, repeatable = false }: RequestTraits,
): ApiError {
  if (cause instanceof ApiError) return cause;
  const code = "code" in cause ? cause.code : undefined;
  if (stage !== "connecting" && code === "UND_ERR_HEADERS_TIMEOUT")
    return new ApiError(noResponse, { cause });
  if (code === "UND_ERR_BODY_TIMEOUT") return new ApiError(stalled, { cause });
  const details =
    cause instanceof PeerLostError ? { message: "Lost the connection to the Ollama server's host." } : {};
  switch (stage) {
    case "connecting":
    case "sending":
      return new ApiError("upstream_unreachable", { cause, retryable: true });
    case "waiting":
      return new ApiError("upstream_failed", {
        ...details,
        cause,
        retryable: repeatable,
        connectionBroke: true,
      });
    case "responding":
      return new ApiError("upstream_incomplete", {
        ...details,
        cause,
        retryable: repeatable,
        connectionBroke: true,
      });
  }
}

// Ollama's errors have no codes, so their text decides. Parameters have Ollama's names here.
const KNOWN_MESSAGES: readonly (readonly [RegExp, ErrorCode, string?])[] = [
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

// Ollama responds with 500 or 501 to an option of the wrong type, an invalid template, an empty text, an unreadable
// image, an unsupported schema, and a model that cannot embed.
const CLIENT_ERRORS = new RegExp(
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

// Ollama responds with 400 if the runner fails or exits while it embeds.
const SERVER_ERRORS =
  /^(do embedding request|error (marshaling|creating|reading) embed|unexpected server status|unmarshal tokenize response|no tokenizer configured)/;

/** Maps an error response of Ollama to an ApiError. */
export function fromStatus(status: number, body: string, model: string): ApiError {
  const message = errorMessage(body);
  if (status === 404) {
    return modelNotFound(model, { retryable: true });
  }
  if (isClientError(status, message)) {
    const known = KNOWN_MESSAGES.find(([pattern]) => message !== undefined && pattern.test(message));
    const [, code = "invalid_request", param] = known ?? [];
    if (code === "context_length_exceeded") return new ApiError(code);
    return new ApiError(code, { ...quote(message), ...(param === undefined ? {} : { param }) });
  }
  if (status === 429 || status === 503) {
    return new ApiError("upstream_overloaded", { ...quote(message), retryable: true });
  }
  return new ApiError("upstream_failed", quote(message));
}

function isClientError(status: number, message = ""): boolean {
  if (status === 400) return !SERVER_ERRORS.test(message);
  return (status === 500 || status === 501) && CLIENT_ERRORS.test(message);
}

/** Replaces Ollama's name of an unsupported or invalid parameter by the name in the client's API. */
export function renameParameter(
  { subject, images = subject, thinking }: ParameterNames,
  failure: ApiError,
): ApiError {
  const known: Readonly<Record<string, string | undefined>> = { images, think: thinking };
  const param = known[failure.param ?? ""];
  if (param === undefined) return failure;
  const problem = failure.code === "invalid_value" ? "Invalid" : "Unsupported";
  return new ApiError(failure.code, {
    message: `${problem} value for '${param}': ${failure.message}`,
    param,
    cause: failure,
  });
}

/** Maps an error line in a stream to an ApiError. */
export function fromErrorLine(message: string | undefined): ApiError {
  return new ApiError("upstream_failed", quote(message));
}

function quote(message: string | undefined): { message?: string } {
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
