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

/** Only what the request has is set: an absent option leaves the model its own default. */
export interface OllamaOptions {
  num_ctx?: number;
  num_predict?: number;
  temperature?: number | null | undefined;
  top_p?: number | null | undefined;
  seed?: number | null | undefined;
  stop?: readonly string[];
  presence_penalty?: number | null | undefined;
  frequency_penalty?: number | null | undefined;
  /** Other options that a client sent under Ollama's own name. */
  [name: string]: unknown;
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

/** A generating request: where it goes, and what is sent. The body is sent as it is. */
export interface GenerateRequest {
  readonly path: "/api/chat" | "/api/generate";
  readonly body: { readonly model: string; readonly stream: boolean };
  readonly isLarge?: boolean;
}

/** A request whose response comes at once and complete. */
export interface UnaryRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** The requested model, for the error when it is missing. */
  readonly model?: string;
  readonly body?: object;
  readonly isLarge?: boolean;
}

/** What `POST /api/embed` answers; the older `/api/embeddings` counts nothing. */
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

/** One line of the answer to a generating request; durations in nanoseconds, counts in tokens. */
export interface OllamaEvent {
  /** What `POST /api/generate` sends: the text, and the thinking beside it. */
  readonly response?: string;
  readonly thinking?: string;
  /** What `POST /api/chat` sends. */
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
  /** Bytes that it takes of memory, and how many of them are on GPUs. */
  readonly size?: number;
  readonly size_vram?: number;
  /** Tokens the loaded model can attend to. */
  readonly context_length?: number;
  /** When it will be unloaded, by the server's own clock. */
  readonly expires_at?: string;
}
