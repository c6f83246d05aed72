// Pieces shorter than this are put together: each is an object of its own, of a hundred bytes and more.
const PIECE_BYTES = 16 * 1024;

/** Bytes that have arrived and are not read yet, in pieces of a useful size. */
export class BytePieces {
  #pieces: Buffer[] = [];
  /** The last of them, as long as more fits in, and how much of it is filled. */
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

  /** Whether there is a piece that nothing is added to any more. */
  get hasComplete(): boolean {
    return this.#pieces.length > (this.#open === undefined ? 0 : 1);
  }

  /** Takes the first piece that nothing is added to any more. */
  shift(): Buffer | undefined {
    return this.hasComplete ? this.#pieces.shift() : undefined;
  }

  /** Takes all that is left, when nothing more arrives. */
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
