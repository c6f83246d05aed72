import { type ApiError, type ErrorCode, generalMessage } from "../errors.ts";
import { cutText } from "./cut-text.ts";

// Longer ones say nothing more.
const MAX_LENGTH = 2000;

// What these say is the gateway's own: numbers, names of models and of keys' fields.
const OWN_WORDS: ReadonlySet<ErrorCode> = new Set([
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

// What these say names a parameter.
const OF_PARAMETERS: ReadonlySet<ErrorCode> = new Set([
  "invalid_type",
  "invalid_value",
  "missing_required_parameter",
  "unsupported_parameter",
]);

const PARAMETER_NAME = /^[a-z][a-z0-9_]*([.[][a-z0-9_.[\]]*)?$/;

// A JSON Schema is the client's text, and what Ollama says of a request may quote it.
const QUOTES_CLIENT = /^Invalid schema at|Ollama: /;

// What Ollama says of itself.
const OLLAMAS_STATE =
  /^Ollama: (model requires more system memory|llama runner process (has terminated|no longer running)|llama runner (process )?(exited|died)|error loading model|unable to load model|timed out waiting for (the )?llama runner|server busy|(CUDA|ROCm|cudaMalloc|ggml)[\w :.-]* (error|failed)|insufficient|out of memory|no space left)[\w ().:,/%+-]*$/i;

/** A parameter's name, when it looks like one: anything else may be text of the client's. */
export function shownParam(param: string | null): string | null {
  return param !== null && PARAMETER_NAME.test(param) ? param : null;
}

export interface ShownMessage {
  readonly message: string;
  readonly isHidden: boolean;
}

/**
 * What is shown of an error to others than the client that got it. Its message may quote the conversation; one that is
 * not known to be free of that is replaced by the general message of its code.
 */
export function shownMessage({
  code,
  message,
  param,
}: Pick<ApiError, "code" | "message" | "param">): ShownMessage {
  const general = generalMessage(code);
  const isFree =
    message === general ||
    OWN_WORDS.has(code) ||
    message.startsWith("Ollama sent ") ||
    OLLAMAS_STATE.test(message) ||
    (OF_PARAMETERS.has(code) && shownParam(param) !== null && !QUOTES_CLIENT.test(message));
  return isFree ? { message: cutMessage(message), isHidden: false } : { message: general, isHidden: true };
}

/** @param message as the client got it */
export function cutMessage(message: string): string {
  return message.length > MAX_LENGTH ? `${cutText(message, MAX_LENGTH)}...` : message;
}
