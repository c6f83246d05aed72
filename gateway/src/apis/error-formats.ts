import type { ApiError, ErrorCode } from "../errors.ts";

/** Error format of an API. */
interface ErrorFormat {
  readonly body: (error: ApiError, requestId: string) => object;
  readonly status: (error: ApiError) => number;
  /** Response header for the request ID, if not `x-request-id`. */
  readonly idHeader?: string;
}

const openAiFormat: ErrorFormat = { body: (error) => error.body(), status: ({ status }) => status };

const ollamaFormat: ErrorFormat = {
  body: ({ message }) => ({ error: message }),
  status: ({ status }) => status,
};

const anthropicFormat: ErrorFormat = {
  body: (error, requestId) => ({ ...anthropicError(error), request_id: requestId }),
  status: (error) => (OVERLOADED.has(error.code) ? OVERLOADED_STATUS : error.status),
  idHeader: "request-id",
};

/** Returns the error format of the API that a path belongs to, including unknown paths. */
export function errorFormatOf(path: string): ErrorFormat {
  if (path.startsWith("/api/")) return ollamaFormat;
  if (path.startsWith("/v1/messages")) return anthropicFormat;
  return openAiFormat;
}

const OVERLOADED_STATUS = 529;

/** Errors caused by load. */
const OVERLOADED: ReadonlySet<ErrorCode> = new Set([
  "bodies_full",
  "queue_full",
  "queue_timeout",
  "upstream_overloaded",
]);

export function anthropicError(error: ApiError): object {
  return {
    type: "error",
    error: {
      type: anthropicType(error),
      message: anthropicMessage(error),
      // Makes Anthropic's SDK send the conversation instead of a reference to it.
      ...(error.param === "thread" ? { details: { error_code: "thread_unsupported_request" } } : {}),
    },
  };
}

/** Clients parse this text to shorten the conversation by the right amount. */
function anthropicMessage({ code, message, tooLong }: ApiError): string {
  if (code !== "context_length_exceeded") return message;
  if (tooLong === undefined) return `prompt is too long: ${message}`;
  return `prompt is too long: ${tooLong.tokens} tokens > ${tooLong.context} maximum`;
}

function anthropicType({ code, status }: ApiError): string {
  if (OVERLOADED.has(code)) return "overloaded_error";
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 504:
      return "timeout_error";
    default:
      return status < 500 ? "invalid_request_error" : "api_error";
  }
}
