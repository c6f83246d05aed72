/** One server-sent event. */
export interface ServerSentEvent {
  /** "message" by default. */
  readonly event: string;
  readonly data: string;
}

// Limits the memory used by an endless line.
const MAX_PENDING = 16 * 1024 * 1024;

/**
 * Parses server-sent events from chunks of text. The browser's EventSource cannot send a key, so streams are read with
 * fetch.
 */
export class SseParser {
  #pending = "";
  #event = "";
  #data: string[] = [];

  /** Returns the events completed by a chunk. */
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

/** Finds the end of a line: LF, CR or CRLF. A CR at the end of a chunk may be followed by LF. */
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

/** Iterates over the events of a response. Leaving the loop early cancels the response. */
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
