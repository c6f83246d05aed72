import type { ApiError, ParameterNames } from "../errors.ts";
import type { GenerateRequest, OllamaEvent, OllamaMessage } from "../ollama/types.ts";

/**
 * A generation request translated from a client's API: the calls to Ollama, and how to build the response from their
 * events. Each supported API has one adapter; everything else is common to all.
 */
export interface ApiAdapter extends ParameterNames {
  readonly call: GenerateRequest;
  /** Calls after the first, made in sequence for a single response. */
  readonly further?: readonly GenerateRequest[] | undefined;
  /** Creates a function that transforms events before they are written; called once per response. */
  readonly adapt?: (() => (event: OllamaEvent) => OllamaEvent) | undefined;
  /** Keywords of the client's JSON Schema that are not enforced; listed in a header. */
  readonly ignoredKeywords?: readonly string[] | undefined;
  /**
   * The messages with placeholders for images, for a model without vision support; undefined if an image cannot be
   * replaced.
   */
  readonly withoutImages?: () => readonly OllamaMessage[] | undefined;
  readonly buffered: () => BufferedResponse;
  readonly streaming: () => StreamingResponse;
}

/**
 * Builds a buffered response. Receives every event with its line; the last event of each call has `done: true`, after
 * which those of the next call follow.
 */
export interface BufferedResponse {
  add(event: OllamaEvent, line: string): void;
  /** Returns the body as JSON after all events have been added. */
  build(): string;
}

/** Writes a response as its events arrive, call by call. */
export interface StreamingResponse {
  readonly contentType: StreamType;
  /**
   * Returns the output for an event: none, one or several events of the API; with the last one, the end of the stream.
   */
  write(event: OllamaEvent, line: string): string;
  /** Returns the output if the response fails after it has begun. */
  fail(error: ApiError): string;
  /**
   * Whether every response of the API has a final event, so that clients recognize an incomplete one. A failed response
   * can then terminate its body normally.
   */
  readonly hasFinalEvent?: boolean;
}

export type StreamType = "text/event-stream; charset=utf-8" | "application/x-ndjson";
