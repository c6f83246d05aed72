/**
 * Every error the gateway can answer with: its code, status, OpenAI type and default message.
 * `retryAfter` (seconds) goes out as Retry-After where waiting helps. `final` goes out as `x-should-retry: false`, which
 * OpenAI's and Anthropic's SDKs obey: by themselves they send a request again after 408, 409, 429 and any 5xx.
 */
const catalogue = {
  invalid_json: {
    status: 400,
    type: "invalid_request_error",
    message: "The request body is not valid JSON.",
  },
  invalid_request: { status: 400, type: "invalid_request_error", message: "The request is malformed." },
  invalid_type: { status: 400, type: "invalid_request_error", message: "A parameter has the wrong type." },
  invalid_value: {
    status: 400,
    type: "invalid_request_error",
    message: "A parameter has a value that is not allowed.",
  },
  missing_required_parameter: {
    status: 400,
    type: "invalid_request_error",
    message: "A parameter is missing.",
  },
  unknown_parameter: { status: 400, type: "invalid_request_error", message: "A parameter is unknown." },
  unsupported_parameter: {
    status: 400,
    type: "invalid_request_error",
    message: "A parameter is not supported.",
  },
  context_length_exceeded: {
    status: 400,
    type: "invalid_request_error",
    message: "The conversation is longer than the context of the model. Shorten it, or use a larger context.",
  },
  invalid_api_key: {
    status: 401,
    type: "invalid_request_error",
    message: "The API key is missing or wrong. Send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'.",
  },
  api_key_expired: {
    status: 401,
    type: "invalid_request_error",
    message: "The API key has expired. Use a new one.",
  },
  api_key_disabled: {
    status: 401,
    type: "invalid_request_error",
    message: "The API key is disabled. Use another one.",
  },
  route_not_allowed: {
    status: 403,
    type: "invalid_request_error",
    message: "The API key may not use this route.",
  },
  address_not_allowed: {
    status: 403,
    type: "invalid_request_error",
    message: "The API key may not be used from this address.",
  },
  origin_not_allowed: {
    status: 403,
    type: "invalid_request_error",
    message: "Web pages of this origin may not use the gateway.",
  },
  model_not_allowed: {
    status: 403,
    type: "invalid_request_error",
    message: "The API key may not use this model.",
  },
  parameter_not_allowed: {
    status: 403,
    type: "invalid_request_error",
    message: "The API key may not set this parameter.",
  },
  admin_key_required: {
    status: 403,
    type: "invalid_request_error",
    message: "Only a key with the admin flag may change the server.",
  },
  several_servers: {
    status: 409,
    type: "invalid_request_error",
    message: "The gateway stands before several servers. Change each of them directly.",
    final: true,
  },
  rate_limit_exceeded: {
    status: 429,
    type: "requests",
    message: "The API key's limit is reached.",
    retryAfter: 1,
  },
  previous_response_not_found: {
    status: 400,
    type: "invalid_request_error",
    message: "The previous response is not stored. Send the conversation instead.",
  },
  item_not_found: {
    status: 404,
    type: "invalid_request_error",
    message: "The item is not stored. Send the item itself.",
  },
  response_not_found: { status: 404, type: "invalid_request_error", message: "The response is not stored." },
  model_not_found: { status: 404, type: "invalid_request_error", message: "The model does not exist." },
  route_not_found: { status: 404, type: "invalid_request_error", message: "There is no such route." },
  method_not_allowed: {
    status: 405,
    type: "invalid_request_error",
    message: "The route does not take this method.",
  },
  host_not_allowed: {
    status: 421,
    type: "invalid_request_error",
    message: "The gateway does not answer for this host.",
  },
  request_timeout: {
    status: 408,
    type: "invalid_request_error",
    message: "The request was not sent in time.",
  },
  body_too_large: { status: 413, type: "invalid_request_error", message: "The request body is too large." },
  headers_too_large: {
    status: 431,
    type: "invalid_request_error",
    message: "The request headers are too large.",
  },
  unsupported_media_type: {
    status: 415,
    type: "invalid_request_error",
    message: "The content encoding of the request body is not supported.",
  },
  client_left: {
    status: 499,
    type: "invalid_request_error",
    message: "The client left before its answer was there.",
  },
  client_stalled: {
    status: 499,
    type: "invalid_request_error",
    message: "The client stopped reading its answer.",
  },
  internal_error: {
    status: 500,
    type: "server_error",
    message: "The gateway failed. Its log has the request id.",
    final: true,
  },
  upstream_failed: { status: 502, type: "server_error", message: "Ollama failed.", final: true },
  upstream_incomplete: {
    status: 502,
    type: "server_error",
    message: "Ollama ended its answer before it was complete.",
    final: true,
  },
  upstream_unreachable: {
    status: 503,
    type: "server_error",
    message: "Ollama cannot be reached.",
    retryAfter: 5,
  },
  upstream_overloaded: { status: 503, type: "server_error", message: "Ollama is overloaded.", retryAfter: 5 },
  bodies_full: {
    status: 503,
    type: "server_error",
    message:
      "The bodies in flight exceed the gateway's memory budget, or this key's share of it. Retry shortly, or send less at a time.",
    retryAfter: 2,
  },
  connections_full: {
    status: 503,
    type: "server_error",
    message: "The gateway has reached its limit of connections. Retry shortly, and reuse connections.",
    retryAfter: 2,
  },
  queue_full: {
    status: 503,
    type: "server_error",
    message: "As many requests are waiting as may wait.",
    retryAfter: 2,
  },
  queue_timeout: {
    status: 503,
    type: "server_error",
    message: "The request's turn did not come in time.",
    retryAfter: 2,
  },
  shutting_down: {
    status: 503,
    type: "server_error",
    message: "The gateway is shutting down.",
    retryAfter: 5,
  },
  load_timeout: { status: 504, type: "server_error", message: "Ollama did not load the model in time." },
  first_token_timeout: {
    status: 504,
    type: "server_error",
    message: "Ollama did not begin its answer in time.",
    final: true,
  },
  idle_timeout: {
    status: 504,
    type: "server_error",
    message: "Ollama fell silent in the middle of its answer.",
    final: true,
  },
  answer_timeout: {
    status: 504,
    type: "server_error",
    message: "Ollama did not finish its answer in time.",
    final: true,
  },
} as const satisfies Record<string, CatalogueEntry>;

/** What a limit counts; OpenAI tells its rate limit errors apart by it. */
export type LimitType = "requests" | "tokens";

/** The parameter that holds what is to be answered; its name in an error is the one the client used. */
export type Subject = "messages" | "prompt" | "input";

/** What a client calls what it may be told of by Ollama's names. */
export interface ParameterNames {
  readonly subject: Subject;
  /** The parameter that holds images, where they are not in the subject. */
  readonly images?: string | undefined;
  /** The parameter that asks for thinking, where there is one. */
  readonly thinking?: string | undefined;
}

interface CatalogueEntry {
  readonly status: number;
  readonly type: "invalid_request_error" | "server_error" | LimitType;
  readonly message: string;
  readonly retryAfter?: number;
  readonly final?: true;
}

export type ErrorCode = keyof typeof catalogue;

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
  /** Sending the request again would repeat what it did, or fail again: clients are told not to. */
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
