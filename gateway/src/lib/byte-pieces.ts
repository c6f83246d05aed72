// Shorter chunks are merged, as each Buffer has an overhead of over 100 bytes.
const PIECE_BYTES = 16 * 1024;

/** Queues received bytes in pieces of a useful size. */
export class BytePieces {
  #pieces: Buffer[] = [];
  /** The last piece while it has room, and its length. */
  #open: Buffer | undefined;
  #filled = 0;
  #isFirst = true;

  add(chunk: Buffer): void {
    if (this.#open !== undefined) {
      const copied = chunk.copy(this.#open, this.#filled);
      this.#filled += copied;
      if (copied === chunk.length) return;
      this.#close();
      this.add(chunk.subarray(copied));
    } else if (chunk.length >= PIECE_BYTES || this.#isFirst) {
      this.#pieces.push(chunk);
    } else {
      this.#open = Buffer.allocUnsafeSlow(PIECE_BYTES);
      this.#filled = chunk.copy(this.#open);
      this.#pieces.push(this.#open);
    }
    this.#isFirst = false;
  }

  /** Whether there is a full piece. */
  get hasComplete(): boolean {
    return this.#pieces.length > (this.#open === undefined ? 0 : 1);
  }

  /** Removes the first full piece. */
  shift(): Buffer | undefined {
    return this.hasComplete ? this.#pieces.shift() : undefined;
  }

  /** Removes all pieces, once nothing more arrives. */
  takeAll(): readonly Buffer[] {
    this.#close();
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  #close(): void {
    if (this.#open === undefined) return;
    this.#pieces[this.#pieces.length - 1] = this.#open.subarray(0, this.#filled);
    this.#open = undefined;
  }
}
