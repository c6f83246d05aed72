/** One server-sent event. */
export interface ServerSentEvent {
  /** "message" unless the stream names it. */
  readonly event: string;
  readonly data: string;
}

// A line that never ends would otherwise fill the memory of the page.
const MAX_PENDING = 16 * 1024 * 1024;

/**
 * Reads server-sent events from pieces of text, which may be cut anywhere. The browser's EventSource cannot send a key,
 * so streams are read with fetch.
 */
export class SseParser {
  #pending = "";
  #event = "";
  #data: string[] = [];

  /** The events that a piece completes. */
  push(piece: string): ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    this.#pending += piece;
    if (this.#pending.length > MAX_PENDING) throw new Error("The stream has a line that is too long.");
    let from = 0;
    for (;;) {
      const end = lineEnd(this.#pending, from);
      if (end === undefined) break;
      const event = this.#line(this.#pending.slice(from, end.at));
      if (event !== undefined) events.push(event);
      from = end.next;
    }
    this.#pending = this.#pending.slice(from);
    return events;
  }

  #line(line: string): ServerSentEvent | undefined {
    if (line === "") return this.#dispatch();
    // A comment.
    if (line.startsWith(":")) return undefined;
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    return undefined;
  }

  #dispatch(): ServerSentEvent | undefined {
    const data = this.#data;
    const event = this.#event === "" ? "message" : this.#event;
    this.#data = [];
    this.#event = "";
    return data.length === 0 ? undefined : { event, data: data.join("\n") };
  }
}

/** Where a line ends: at LF, CR or both. A CR at the end of a piece may be the first half of both. */
function lineEnd(text: string, from: number): { at: number; next: number } | undefined {
  for (let at = from; at < text.length; at++) {
    const char = text[at];
    if (char === "\n") return { at, next: at + 1 };
    if (char !== "\r") continue;
    if (at + 1 === text.length) return undefined;
    return { at, next: text[at + 1] === "\n" ? at + 2 : at + 1 };
  }
  return undefined;
}

/** The events of a response's body, until it ends. Leaving the loop early cancels the response. */
export async function* readServerSentEvents(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  const parser = new SseParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let isOver = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      isOver = done;
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    if (!isOver) await reader.cancel().catch(() => undefined);
  }
}
