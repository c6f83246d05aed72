const NEWLINE = 0x0a;

/** The longest line taken: a buffered response is one line, and a line without an end must not fill the memory. */
const MAX_LINE_BYTES = 32 * 1024 * 1024;

export class LineTooLongError extends Error {
  override readonly name = "LineTooLongError";
}

/**
 * Cuts a byte stream into lines, wherever the pieces were cut: characters of several bytes stay whole because the
 * text is decoded a line at a time.
 */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  /** @throws LineTooLongError, and whatever `onLine` throws */
  push(piece: Buffer): void {
    if (this.#heldBytes === 0 && piece.at(-1) === NEWLINE) {
      // Whole lines, which is how they come: decoded at once.
      for (const line of piece.toString("utf8", 0, piece.length - 1).split("\n")) {
        if (line !== "") this.#onLine(line);
      }
      return;
    }
    let start = 0;
    for (;;) {
      const end = piece.indexOf(NEWLINE, start);
      if (end === -1) break;
      if (this.#heldBytes === 0) {
        if (end > start) this.#onLine(piece.toString("utf8", start, end));
      } else {
        this.#hold(piece.subarray(start, end));
        this.end();
      }
      start = end + 1;
    }
    if (start < piece.length) this.#hold(piece.subarray(start));
  }

  /** What came after the last newline is a line as well: a buffered response of Ollama has none. */
  end(): void {
    if (this.#heldBytes === 0) return;
    const line = Buffer.concat(this.#held, this.#heldBytes).toString("utf8");
    this.#held = [];
    this.#heldBytes = 0;
    this.#onLine(line);
  }

  #hold(part: Buffer): void {
    this.#heldBytes += part.length;
    if (this.#heldBytes > MAX_LINE_BYTES)
      throw new LineTooLongError(`a line is longer than ${MAX_LINE_BYTES} bytes`);
    this.#held.push(part);
  }
}
