import { type ApiError, type ErrorCode, generalMessage } from "../errors.ts";
import { cutText } from "./cut-text.ts";

// Longer messages add nothing.
const MAX_LENGTH = 2000;

// Errors whose messages are the gateway's own: they contain only numbers, model names, key fields, the method and the
// beginning of the Host header, none of which is part of a conversation.
const SAFE_MESSAGES: ReadonlySet<ErrorCode> = new Set([
  "rate_limit_exceeded",
  "model_not_found",
  "model_not_allowed",
  "parameter_not_allowed",
  "context_length_exceeded",
  "api_key_expired",
  "bodies_full",
  "method_not_allowed",
  "host_not_allowed",
]);

// Errors whose messages name a parameter.
const PARAMETER_ERRORS: ReadonlySet<ErrorCode> = new Set([
  "invalid_type",
  "invalid_value",
  "missing_required_parameter",
  "unsupported_parameter",
]);

const PARAMETER_NAME = /^[a-z][a-z0-9_]*([.[][a-z0-9_.[\]]*)?$/;

// A JSON Schema is client input, and Ollama's messages may quote the request.
const QUOTES_CLIENT = /^Invalid schema at|Ollama: /;

// Ollama's messages about its own state.
const OLLAMA_STATE =
  /^Ollama: (model requires more system memory|llama runner process (has terminated|no longer running)|llama runner (process )?(exited|died)|error loading model|unable to load model|timed out waiting for (the )?llama runner|server busy|(CUDA|ROCm|cudaMalloc|ggml)[\w :.-]* (error|failed)|insufficient|out of memory|no space left)[\w ().:,/%+-]*$/i;

/** A parameter name, if it looks like one; anything else may be client input. */
export function shownParam(param: string | null): string | null {
  return param !== null && PARAMETER_NAME.test(param) ? param : null;
}

interface ShownMessage {
  readonly message: string;
  readonly isHidden: boolean;
}

/**
 * The error message as shown to others than the client. It may quote the conversation, so unless known to be safe it is
 * replaced by the general message of its code.
 */
export function shownMessage({
  code,
  message,
  param,
}: Pick<ApiError, "code" | "message" | "param">): ShownMessage {
  const general = generalMessage(code);
  const isFree =
    message === general ||
    SAFE_MESSAGES.has(code) ||
    message.startsWith("Ollama sent ") ||
    OLLAMA_STATE.test(message) ||
    (PARAMETER_ERRORS.has(code) && shownParam(param) !== null && !QUOTES_CLIENT.test(message));
  return isFree ? { message: cutMessage(message), isHidden: false } : { message: general, isHidden: true };
}

/** @param message as sent to the client */
export function cutMessage(message: string): string {
  return message.length > MAX_LENGTH ? `${cutText(message, MAX_LENGTH)}...` : message;
}
