const NEWLINE = 0x0a;

/** A buffered response is a single line; an endless line must not fill the memory. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;

export class LineTooLongError extends Error {
  override readonly name = "LineTooLongError";
}

/** Splits a byte stream into lines. Decodes complete lines only, so that multi-byte characters stay intact. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** @throws LineTooLongError, and whatever `onLine` throws */
  push(piece: Buffer): void {
    if (this.#pendingBytes === 0 && piece.at(-1) === NEWLINE) {
      // The common case: complete lines, decoded at once.
      for (const line of piece.toString("utf8", 0, piece.length - 1).split("\n")) {
        if (line !== "") this.#onLine(line);
      }
      return;
    }
    let start = 0;
    for (;;) {
      const end = piece.indexOf(NEWLINE, start);
      if (end === -1) break;
      if (this.#pendingBytes === 0) {
        if (end > start) this.#onLine(piece.toString("utf8", start, end));
      } else {
        this.#append(piece.subarray(start, end));
        this.end();
      }
      start = end + 1;
    }
    if (start < piece.length) this.#append(piece.subarray(start));
  }

  /** Ends the stream; the rest is a line too, as in Ollama's buffered responses. */
  end(): void {
    if (this.#pendingBytes === 0) return;
    const line = Buffer.concat(this.#pending, this.#pendingBytes).toString("utf8");
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#onLine(line);
  }

  #append(part: Buffer): void {
    this.#pendingBytes += part.length;
    if (this.#pendingBytes > MAX_LINE_BYTES)
      throw new LineTooLongError(`a line is longer than ${MAX_LINE_BYTES} bytes`);
    this.#pending.push(part);
  }
}
