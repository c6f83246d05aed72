/** What a rate limit counts; OpenAI distinguishes errors by it. */
export type LimitType = "requests" | "tokens";

export interface CatalogueEntry {
  readonly status: number;
  readonly message: string;
  /** Replaces the type that follows from the status. */
  readonly type?: LimitType;
  readonly retryAfter?: number;
  readonly final?: true;
}

/**
 * All errors of the gateway: status and default message by code. `retryAfter` (seconds) is sent as Retry-After. `final`
 * is sent as `x-should-retry: false`, which OpenAI's and Anthropic's SDKs respect; by default they retry after 408, 409,
 * 429 and any 5xx.
 */
export const catalogue = {
  invalid_json: { status: 400, message: "The request body is not valid JSON." },
  invalid_request: { status: 400, message: "The request is malformed." },
  invalid_type: { status: 400, message: "A parameter has the wrong type." },
  invalid_value: { status: 400, message: "A parameter has a value that is not allowed." },
  missing_required_parameter: { status: 400, message: "A parameter is missing." },
  unknown_parameter: { status: 400, message: "A parameter is unknown." },
  unsupported_parameter: { status: 400, message: "A parameter is not supported." },
  context_length_exceeded: {
    status: 400,
    message: "The conversation exceeds the model's context. Shorten it, or use a larger context.",
  },
  invalid_api_key: {
    status: 401,
    message: "The API key is missing or wrong. Send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'.",
  },
  api_key_expired: { status: 401, message: "The API key has expired. Use a new one." },
  api_key_disabled: { status: 401, message: "The API key is disabled. Use another one." },
  route_not_allowed: { status: 403, message: "The API key may not use this route." },
  address_not_allowed: { status: 403, message: "The API key may not be used from this address." },
  origin_not_allowed: { status: 403, message: "Web pages of this origin may not use the gateway." },
  model_not_allowed: { status: 403, message: "The API key may not use this model." },
  parameter_not_allowed: { status: 403, message: "The API key may not set this parameter." },
  admin_key_required: { status: 403, message: "Modifying the server requires a key with the admin flag." },
  several_servers: {
    status: 409,
    message: "The gateway has several Ollama servers. Change each of them directly.",
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
    message: "The previous response is not stored. Send the conversation instead.",
  },
  item_not_found: { status: 404, message: "The item is not stored. Send the item itself." },
  response_not_found: { status: 404, message: "The response is not stored." },
  model_not_found: { status: 404, message: "The model does not exist." },
  request_not_found: { status: 404, message: "No request with this id is in flight." },
  route_not_found: { status: 404, message: "The route does not exist." },
  method_not_allowed: { status: 405, message: "The route does not support this method." },
  host_not_allowed: { status: 421, message: "The gateway does not serve this host." },
  request_timeout: { status: 408, message: "The request was not sent in time." },
  body_too_large: { status: 413, message: "The request body is too large." },
  headers_too_large: { status: 431, message: "The request headers are too large." },
  unsupported_media_type: {
    status: 415,
    message: "The content encoding of the request body is not supported.",
  },
  client_left: { status: 499, message: "The client disconnected before its response was complete." },
  client_stalled: { status: 499, message: "The client stopped reading its response." },
  request_cancelled: {
    status: 499,
    message: "The request was cancelled by an operator of the gateway. Send it again if it is still needed.",
    final: true,
  },
  internal_error: { status: 500, message: "The gateway failed. Its log has the request id.", final: true },
  upstream_failed: { status: 502, message: "Ollama failed.", final: true },
  upstream_incomplete: {
    status: 502,
    message: "Ollama's response ended before it was complete.",
    final: true,
  },
  upstream_unreachable: { status: 503, message: "Ollama cannot be reached.", retryAfter: 5 },
  upstream_overloaded: { status: 503, message: "Ollama is overloaded.", retryAfter: 5 },
  bodies_full: {
    status: 503,
    message:
      "The bodies in flight exceed the gateway's memory budget, or this key's share of it. Retry shortly, or send smaller requests.",
    retryAfter: 2,
  },
  connections_full: {
    status: 503,
    message: "The gateway has reached its limit of connections. Retry shortly, and reuse connections.",
    retryAfter: 2,
  },
  consoles_full: {
    status: 503,
    message: "The gateway has reached its limit of open consoles. Close one, or retry later.",
    retryAfter: 10,
  },
  queue_full: { status: 503, message: "The request queue is full.", retryAfter: 2 },
  queue_timeout: { status: 503, message: "Timed out waiting for a free slot.", retryAfter: 2 },
  shutting_down: { status: 503, message: "The gateway is shutting down.", retryAfter: 5 },
  load_timeout: { status: 504, message: "Ollama did not load the model in time." },
  first_token_timeout: { status: 504, message: "Ollama did not start its response in time.", final: true },
  idle_timeout: {
    status: 504,
    message: "Ollama stopped sending in the middle of its response.",
    final: true,
  },
  answer_timeout: { status: 504, message: "Ollama did not finish its response in time.", final: true },
} as const satisfies Record<string, CatalogueEntry>;
