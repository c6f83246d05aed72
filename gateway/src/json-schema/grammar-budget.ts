import {
  MAX_GRAMMAR_BYTES,
  MAX_OPTIONAL_PROPERTY_WORK,
  MAX_PATTERN_TEXT,
  MAX_TOTAL_REPETITIONS,
} from "./grammar-limits.ts";
import { type Position, invalidSchema } from "./position.ts";

/** What the built-in rules of a grammar take at most. */
const PRIMITIVES_BYTES = 2500;

/** What a schema costs: never less than what Ollama makes of it. */
export class GrammarBudget {
  #bytes = PRIMITIVES_BYTES;
  #repetitions = 0;
  #optionalWork = 0;
  #patternText = 0;
  readonly #patterns = new Set<string>();

  /** Bytes that the grammar has at most. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @throws ApiError when the grammar becomes longer than Ollama takes */
  addBytes(bytes: number, at: Position): void {
    this.#bytes += bytes;
    if (this.#bytes > MAX_GRAMMAR_BYTES) {
      throw invalidSchema(
        at,
        "the schema is too large from here on",
        "Shorten its names and enums, or move what it repeats to $defs",
      );
    }
  }

  /** @returns false when the gateway would read patterns for too long */
  takePattern(source: string): boolean {
    if (this.#patterns.has(source)) return true;
    this.#patternText += source.length;
    if (this.#patternText > MAX_PATTERN_TEXT) return false;
    this.#patterns.add(source);
    return true;
  }

  /** @returns false when the runner's memory has no room for so many more */
  takeRepetitions(count: number): boolean {
    if (this.#repetitions + count > MAX_TOTAL_REPETITIONS) return false;
    this.#repetitions += count;
    return true;
  }

  /** @throws ApiError when the converter would be busy for seconds */
  addOptionalProperties(names: readonly string[], at: Position): void {
    const count = names.length;
    this.#optionalWork += count ** 3 + 60 * count ** 2 * (sharedRuleNames(names) - 1);
    if (this.#optionalWork > MAX_OPTIONAL_PROPERTY_WORK) {
      throw invalidSchema(
        at,
        `there are ${count} optional properties, which are too many`,
        "Make most of them required",
      );
    }
  }
}

/** How many of the names the converter takes for one and the same: it keeps letters, digits and hyphens of ASCII. */
function sharedRuleNames(names: readonly string[]): number {
  const counts = new Map<string, number>();
  let most = 1;
  for (const name of names) {
    const key = name.replace(/[^a-zA-Z0-9-]+/g, "-");
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    most = Math.max(most, count);
  }
  return most;
}
