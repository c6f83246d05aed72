/**
 * Ollama's native API, as far as the gateway uses it. All response fields are optional, as they differ between
 * versions.
 */

export interface OllamaToolCall {
  readonly id?: string;
  readonly function: { readonly name: string; readonly arguments: unknown };
}

export interface OllamaMessage {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string;
  readonly thinking?: string;
  /** Base64, without a data URL prefix. */
  readonly images?: readonly string[];
  readonly tool_calls?: readonly OllamaToolCall[];
  readonly tool_name?: string;
  readonly tool_call_id?: string;
}

/** Options absent from the request are not set, so that the model's defaults apply. */
export interface OllamaOptions {
  num_ctx?: number;
  num_predict?: number;
  temperature?: number | null | undefined;
  top_p?: number | null | undefined;
  seed?: number | null | undefined;
  stop?: string | readonly string[] | null | undefined;
  presence_penalty?: number | null | undefined;
  frequency_penalty?: number | null | undefined;
  /** Other Ollama options sent by the client. */
  [name: string]: unknown;
}

/** The body of `POST /api/chat`. */
export interface OllamaChatRequest {
  model: string;
  messages: readonly OllamaMessage[];
  stream: boolean;
  options: OllamaOptions;
  /** False to reject a conversation longer than the context instead of silently dropping its beginning. */
  truncate: boolean;
  /** False to stop at the end of the context instead of silently dropping the beginning. */
  shift: boolean;
  keep_alive?: string | number;
  format?: unknown;
  tools?: readonly unknown[];
  think?: boolean | string;
  logprobs?: boolean;
  top_logprobs?: number;
}

/** The body of `POST /api/generate`. */
export interface OllamaGenerateRequest {
  model: string;
  prompt: string;
  suffix?: string;
  stream: boolean;
  options: OllamaOptions;
  truncate: boolean;
  shift: boolean;
  keep_alive?: string | number;
  logprobs?: boolean;
  top_logprobs?: number;
}

/** A generation request; the body is sent unchanged. */
export interface GenerateRequest {
  readonly path: "/api/chat" | "/api/generate";
  readonly body: { readonly model: string; readonly stream: boolean };
  readonly isLarge?: boolean;
}

/** A request with a buffered response. */
export interface UnaryRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** The requested model, for the error if it is missing. */
  readonly model?: string;
  readonly body?: object;
  readonly isLarge?: boolean;
}

/** Response of `POST /api/embed`; the older `/api/embeddings` reports no counts. */
export interface OllamaEmbeddings {
  readonly embeddings?: readonly (readonly number[])[];
  readonly prompt_eval_count?: number;
  readonly total_duration?: number;
  readonly load_duration?: number;
}

export interface OllamaLogprob {
  readonly token: string;
  readonly logprob: number;
  readonly bytes?: readonly number[] | null;
  readonly top_logprobs?: readonly OllamaLogprob[] | null;
}

/** One event of a generation response. Durations are in nanoseconds, counts in tokens. */
export interface OllamaEvent {
  /** Sent by `POST /api/generate`. */
  readonly response?: string;
  readonly thinking?: string;
  /** Sent by `POST /api/chat`. */
  readonly message?: {
    readonly content?: string;
    readonly thinking?: string;
    readonly tool_calls?: readonly OllamaToolCall[];
  };
  readonly logprobs?: readonly OllamaLogprob[];
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

/** An entry of `GET /api/ps`. */
export interface OllamaRunning {
  readonly name: string;
  readonly digest?: string;
  /** Memory in bytes, and the part on GPUs. */
  readonly size?: number;
  readonly size_vram?: number;
  /** Context length in tokens. */
  readonly context_length?: number;
  /** When it will be unloaded, by the server's clock. */
  readonly expires_at?: string;
}
