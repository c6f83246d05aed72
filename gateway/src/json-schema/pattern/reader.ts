/** What is read is no regular expression, or one of another dialect. */
export class NotReadable extends Error {}

/** Reads a pattern by its characters. */
export class PatternReader {
  /** False once an assertion or a property was left out. */
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

  /** The character that many places ahead; empty behind the end. */
  peek(ahead = 0): string {
    return this.#text[this.#at + ahead] ?? "";
  }

  /** The next characters, up to a length. */
  peekText(length: number): string {
    return this.#text.slice(this.#at, this.#at + length).join("");
  }

  /** @throws NotReadable at the end */
  next(): string {
    const character = this.#text[this.#at++];
    if (character === undefined) throw new NotReadable();
    return character;
  }

  /** Goes on behind a character if it is the next one. */
  take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  /** What comes before a character, behind which it goes on. @throws NotReadable when there is none */
  until(character: string): string {
    let text = "";
    for (let next = this.next(); next !== character; next = this.next()) text += next;
    return text;
  }

  /** Goes that many characters on. */
  skip(length: number): void {
    this.#at += length;
  }

  returnTo(position: number): void {
    this.#at = position;
  }
}

export function isDigit(character: string): boolean {
  return character >= "0" && character <= "9";
}
