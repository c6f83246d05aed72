/** Ollama's native API, as far as the gateway speaks it. What Ollama sends is only ever added to, so all is optional. */

export interface OllamaToolCall {
  readonly id?: string;
  readonly function: { readonly name: string; readonly arguments: unknown };
}

export interface OllamaMessage {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string;
  readonly thinking?: string;
  /** Base64, without the head of a data URL. */
  readonly images?: readonly string[];
  readonly tool_calls?: readonly OllamaToolCall[];
  readonly tool_name?: string;
  readonly tool_call_id?: string;
}

/** Only what was asked for is set: an absent option leaves the model its own default. */
export interface OllamaOptions {
  num_predict?: number;
  temperature?: number;
  top_p?: number;
  seed?: number;
  stop?: readonly string[];
  presence_penalty?: number;
  frequency_penalty?: number;
}

/** The body of `POST /api/chat`. */
export interface OllamaChatRequest {
  model: string;
  messages: readonly OllamaMessage[];
  stream: boolean;
  options: OllamaOptions;
  /** False: a conversation longer than the context is refused, where Ollama would silently cut its beginning. */
  truncate: boolean;
  /** False: generation ends at the end of the context, where Ollama would silently forget the beginning. */
  shift: boolean;
  format?: unknown;
  tools?: readonly unknown[];
  think?: boolean | string;
  logprobs?: boolean;
  top_logprobs?: number;
}

/** One line of the answer to `POST /api/chat`; durations in nanoseconds, counts in tokens. */
export interface OllamaChatEvent {
  readonly message?: {
    readonly content?: string;
    readonly thinking?: string;
    readonly tool_calls?: readonly OllamaToolCall[];
  };
  readonly logprobs?: readonly unknown[];
  readonly done?: boolean;
  readonly done_reason?: string;
  readonly total_duration?: number;
  readonly load_duration?: number;
  readonly prompt_eval_count?: number;
  readonly prompt_eval_duration?: number;
  readonly eval_count?: number;
  readonly eval_duration?: number;
}

/** An entry of `GET /api/tags`. */
export interface OllamaModel {
  readonly name: string;
  readonly digest: string;
  readonly size: number;
  readonly modified_at: string;
}
