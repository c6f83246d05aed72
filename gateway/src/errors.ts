import { catalogue, type CatalogueEntry, type LimitType } from "./error-catalogue.ts";

export type { LimitType };

/** The parameter with the model's input, by the client's name for it. */
export type Subject = "messages" | "prompt" | "input";

/** The client's names for parameters in Ollama's errors. */
export interface ParameterNames {
  readonly subject: Subject;
  /** The parameter with images, if not the subject. */
  readonly images?: string | undefined;
  /** The parameter that enables thinking, if there is one. */
  readonly thinking?: string | undefined;
}

export type ErrorCode = keyof typeof catalogue;

/** The default message of an error. */
export function generalMessage(code: ErrorCode): string {
  return catalogue[code].message;
}

interface ErrorDetail {
  /** Replaces the default message; cut if it is very long. Sent to the client, never logged. */
  readonly message?: string;
  /** Path of the invalid parameter: `messages[0].role`. */
  readonly param?: string;
  /** Replaces the default status, for APIs with a different one for the same error. */
  readonly status?: number;
  /** Replaces the default type. */
  readonly type?: LimitType;
  /** Replaces the default Retry-After, in seconds. */
  readonly retryAfter?: number;
  /** For a prompt that exceeds the context: its estimated number of tokens, and the context length. */
  readonly tooLong?: { readonly tokens: number; readonly context: number };
  /** Whether to retry on another backend, which the request cannot harm. */
  readonly retryable?: boolean;
  /** Whether the connection to Ollama broke after the request had been sent. */
  readonly connectionBroke?: boolean;
  readonly cause?: unknown;
}

// A message may quote a name that the client sent, which can be as long as a body.
const MAX_MESSAGE = 16_384;

/** An error body in OpenAI's format. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: ErrorCode;
  readonly status: number;
  /** OpenAI's. */
  readonly type: string;
  readonly param: string | null;
  readonly retryAfter: number | undefined;
  readonly tooLong: ErrorDetail["tooLong"];
  readonly retryable: boolean;
  readonly connectionBroke: boolean;
  /** Whether a retry would fail again or repeat side effects; sent as `x-should-retry: false`. */
  readonly final: boolean;

  constructor(code: ErrorCode, detail: ErrorDetail = {}) {
    const entry: CatalogueEntry = catalogue[code];
    const { message = entry.message } = detail;
    super(
      message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}...` : message,
      detail.cause === undefined ? undefined : { cause: detail.cause },
    );
    this.code = code;
    this.status = detail.status ?? entry.status;
    this.type = detail.type ?? entry.type ?? (entry.status < 500 ? "invalid_request_error" : "server_error");
    this.param = detail.param ?? null;
    this.retryAfter = detail.retryAfter ?? entry.retryAfter;
    this.tooLong = detail.tooLong;
    this.retryable = detail.retryable ?? false;
    this.connectionBroke = detail.connectionBroke ?? false;
    this.final = entry.final ?? false;
  }

  body(): ErrorBody {
    return { error: { message: this.message, type: this.type, param: this.param, code: this.code } };
  }
}

/** @param problem what is wrong with the value, and what to send instead, with the final period */
export function invalidValue(param: string, problem: string): ApiError {
  return new ApiError("invalid_value", { message: `Invalid value for '${param}': ${problem}`, param });
}

/** @param problem why the value is not supported, and what to send instead, with the final period */
export function unsupportedValue(param: string, problem: string): ApiError {
  return new ApiError("unsupported_parameter", {
    message: `Unsupported value for '${param}': ${problem}`,
    param,
  });
}

export function missingParameter(param: string): ApiError {
  return new ApiError("missing_required_parameter", {
    message: `Missing required parameter: '${param}'.`,
    param,
  });
}

/** @param name as sent by the client */
export function modelNotFound(name: string, detail: ErrorDetail = {}): ApiError {
  return new ApiError("model_not_found", {
    message: `The model '${name}' does not exist.`,
    param: "model",
    ...detail,
  });
}

// Codes of errors raised by Fastify and Node's HTTP parser before a route is reached.
const foreignCodes: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "unsupported_media_type",
  FST_ERR_CTP_BODY_TOO_LARGE: "body_too_large",
  FST_ERR_CTP_EMPTY_JSON_BODY: "invalid_json",
  FST_ERR_CTP_INVALID_JSON_BODY: "invalid_json",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
  HPE_HEADER_OVERFLOW: "headers_too_large",
  ECONNRESET: "client_left",
};

/** Maps anything thrown to an ApiError; unknown errors become `internal_error`. */
export function toApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown;
  if (!(thrown instanceof Error)) return new ApiError("internal_error", { cause: thrown });
  const { code, statusCode } = thrown as Error & { code?: unknown; statusCode?: unknown };
  const known = typeof code === "string" ? foreignCodes[code] : undefined;
  if (known !== undefined) return new ApiError(known, { cause: thrown });
  if (thrown instanceof SyntaxError && statusCode === 400)
    return new ApiError("invalid_json", { cause: thrown });
  if (typeof statusCode === "number" && statusCode >= 400 && statusCode < 500) {
    return new ApiError("invalid_request", { message: thrown.message, cause: thrown });
  }
  return new ApiError("internal_error", { cause: thrown });
}
