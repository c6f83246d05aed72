import { ApiError, type ErrorCode, type Words, modelNotFound } from "../errors.ts";

/** How far an exchange with Ollama had come when its connection failed. */
export type Stage = "connecting" | "waiting" | "answering";

interface TimeoutCodes {
  /** The error when the answer does not begin in time. */
  readonly beginning: ErrorCode;
  /** The error when the answer falls silent. */
  readonly silence: ErrorCode;
}

/** Says what a failed connection means to the client. */
export function fromConnectionError(cause: Error, stage: Stage, timeouts: TimeoutCodes): ApiError {
  if (cause instanceof ApiError) return cause;
  if (stage === "connecting") return new ApiError("upstream_unreachable", { cause, elsewhere: true });
  const code = "code" in cause ? cause.code : undefined;
  if (code === "UND_ERR_HEADERS_TIMEOUT") return new ApiError(timeouts.beginning, { cause });
  if (code === "UND_ERR_BODY_TIMEOUT") return new ApiError(timeouts.silence, { cause });
  if (stage === "answering") return new ApiError("upstream_incomplete", { cause });
  return new ApiError("upstream_failed", { cause, elsewhere: true });
}

// Ollama tells its errors apart by their text only. The parameter is named as Ollama has it.
const knownMessages: readonly (readonly [RegExp, ErrorCode, string?])[] = [
  [/exceeds? (the )?((available|maximum) )?context/i, "context_length_exceeded"],
  [/does not support tools/i, "unsupported_parameter", "tools"],
  [/does not support thinking|think value .* is not supported/i, "unsupported_parameter", "think"],
  [/does not support (images|vision)|missing data required for image/i, "unsupported_parameter", "images"],
];

/** Says what an answer of Ollama that is not 200 means to the client. */
export function fromStatus(status: number, body: string, model: string): ApiError {
  const message = errorMessage(body);
  if (status === 404) {
    return modelNotFound(model, { elsewhere: true });
  }
  const known = knownMessages.find(([pattern]) => message !== undefined && pattern.test(message));
  if (status === 400 && known !== undefined) {
    const [, code, param] = known;
    if (code === "context_length_exceeded") return new ApiError(code);
    return new ApiError(code, { ...quoting(message), ...(param === undefined ? {} : { param }) });
  }
  if (status === 400) return new ApiError("invalid_request", quoting(message));
  if (status === 429 || status === 503) {
    return new ApiError("upstream_overloaded", { ...quoting(message), elsewhere: true });
  }
  return new ApiError("upstream_failed", quoting(message));
}

/** Names the parameter that Ollama refuses as the client knows it. */
export function inWords({ subject, images = subject, thinking }: Words, failure: ApiError): ApiError {
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
