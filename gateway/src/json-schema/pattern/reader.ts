/** Not a regular expression, or one of another dialect. */
export class NotReadable extends Error {}

/** Reads a pattern by character. */
export class PatternReader {
  /** False once an assertion or property was dropped. */
  exact = true;
  readonly #text: readonly string[];
  #at = 0;

  constructor(source: string) {
    this.#text = Array.from(source);
  }

  get position(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** The character `ahead` positions further; empty at the end. */
  peek(ahead = 0): string {
    return this.#text[this.#at + ahead] ?? "";
  }

  /** The next characters, at most `length`. */
  peekText(length: number): string {
    return this.#text.slice(this.#at, this.#at + length).join("");
  }

  /** @throws NotReadable at the end */
  next(): string {
    const character = this.#text[this.#at++];
    if (character === undefined) throw new NotReadable();
    return character;
  }

  /** Consumes a character if it comes next. */
  take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  /**
   * Consumes up to and including a character, and returns what precedes it.
   *
   * @throws NotReadable if it does not occur
   */
  until(character: string): string {
    let text = "";
    for (let next = this.next(); next !== character; next = this.next()) text += next;
    return text;
  }

  /** Skips characters. */
  advance(length: number): void {
    this.#at += length;
  }

  returnTo(position: number): void {
    this.#at = position;
  }
}

export function isDigit(character: string): boolean {
  return character >= "0" && character <= "9";
}
