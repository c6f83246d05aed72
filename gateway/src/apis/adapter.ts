import type { ApiError, ParameterNames } from "../errors.ts";
import type { GenerateRequest, OllamaEvent, OllamaMessage } from "../ollama/types.ts";

/**
 * A request to a generating route, translated: the calls to Ollama, and how their events become a response of the
 * client's API. Every such API is one of these; the way to Ollama and back is the same for all.
 */
export interface ApiAdapter extends ParameterNames {
  readonly call: GenerateRequest;
  /** Calls after the first, one by one; one response has the events of all. */
  readonly further?: readonly GenerateRequest[];
  /** Changes events before they are written; made once for each response. */
  readonly adapt?: () => (event: OllamaEvent) => OllamaEvent;
  /** Keywords of the client's JSON Schema that the response is not held to; a header names them. */
  readonly ignoredKeywords?: readonly string[] | undefined;
  /** The messages for a model that cannot see, where something can stand for every image. */
  readonly withoutImages?: () => readonly OllamaMessage[] | undefined;
  readonly buffered: () => BufferedResponse;
  readonly streaming: () => StreamingResponse;
}

/**
 * Builds a buffered response. It gets every event and the line it came as; the last one of each call has `done: true`, and
 * then those of the next call follow.
 */
export interface BufferedResponse {
  add(event: OllamaEvent, line: string): void;
  /** The body, as JSON text, once all events were added. */
  build(): string;
}

/** Writes a response as its events come, call after call. */
export interface StreamingResponse {
  readonly contentType: StreamType;
  /** What goes out for one event: nothing, one or several events of the API, the end of the stream with the last one. */
  write(event: OllamaEvent, line: string): string;
  /** What goes out when the response fails after it has begun. */
  fail(error: ApiError): string;
  /**
   * Whether every response of the API ends with an event that says how it ended, so that none without it is taken for
   * complete. The connection of a response that failed need not break off then.
   */
  readonly saysHowItEnds?: boolean;
}

export type StreamType = "text/event-stream; charset=utf-8" | "application/x-ndjson";
