import { catalogue, type CatalogueEntry, type LimitType } from "./error-catalogue.ts";

export type { LimitType };

/** The parameter that holds what is to be answered; its name in an error is the one the client used. */
export type Subject = "messages" | "prompt" | "input";

/** What a client calls the things that Ollama's errors name. */
export interface ParameterNames {
  readonly subject: Subject;
  /** The parameter that holds images, where they are not in the subject. */
  readonly images?: string | undefined;
  /** The parameter that asks for thinking, where there is one. */
  readonly thinking?: string | undefined;
}

export type ErrorCode = keyof typeof catalogue;

/** What an error says where nothing is known of its circumstances. */
export function generalMessage(code: ErrorCode): string {
  return catalogue[code].message;
}

export interface ErrorDetail {
  /** Replaces the catalogue's message. It goes to the client, never to the log. */
  readonly message?: string;
  /** The parameter that is wrong, as a path: `messages[0].role`. */
  readonly param?: string;
  /** Replaces the catalogue's status, for an API that has another one for the same error. */
  readonly status?: number;
  /** Replaces the catalogue's type. */
  readonly type?: LimitType;
  /** Replaces the catalogue's advice, in seconds. */
  readonly retryAfter?: number;
  /** Of a prompt that exceeds the context: about how many tokens it has, and how many there is room for. */
  readonly tooLong?: { readonly tokens: number; readonly context: number };
  /** True when another backend may do better, and cannot be harmed by the request. */
  readonly retryable?: boolean;
  /** True when the connection to Ollama broke after the request had been sent. */
  readonly connectionBroke?: boolean;
  readonly cause?: unknown;
}

/** The body of an error, in OpenAI's form. */
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
  readonly type: string;
  readonly param: string | null;
  readonly retryAfter: number | undefined;
  readonly tooLong: ErrorDetail["tooLong"];
  readonly retryable: boolean;
  readonly connectionBroke: boolean;
  /** Sending the request again would repeat what it did, or fail again: `x-should-retry` says so. */
  readonly final: boolean;

  constructor(code: ErrorCode, detail: ErrorDetail = {}) {
    const entry: CatalogueEntry = catalogue[code];
    super(detail.message ?? entry.message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.status = detail.status ?? entry.status;
    this.type = detail.type ?? entry.type;
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

/** @param name as the client wrote it */
export function modelNotFound(name: string, detail: ErrorDetail = {}): ApiError {
  return new ApiError("model_not_found", {
    message: `The model '${name}' does not exist.`,
    param: "model",
    ...detail,
  });
}

// What Fastify and Node's HTTP parser call the errors they find before a route is reached.
const foreignCodes: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: "unsupported_media_type",
  FST_ERR_CTP_BODY_TOO_LARGE: "body_too_large",
  FST_ERR_CTP_EMPTY_JSON_BODY: "invalid_json",
  FST_ERR_CTP_INVALID_JSON_BODY: "invalid_json",
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
  HPE_HEADER_OVERFLOW: "headers_too_large",
  ECONNRESET: "client_left",
};

/** Finds the catalogue's entry for whatever was thrown. What nobody foresaw is the gateway's own failure. */
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
