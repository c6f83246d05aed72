import {
  MAX_GRAMMAR_BYTES,
  MAX_OPTIONAL_PROPERTY_WORK,
  MAX_PATTERN_STEPS,
  MAX_STEPS,
  MAX_TOTAL_BOUND_BYTES,
  MAX_TOTAL_REPETITIONS,
} from "./grammar-limits.ts";
import { type Position, type WorkBudget, invalidSchema } from "./position.ts";

/** Maximum size of the built-in rules of a grammar. */
const PRIMITIVES_BYTES = 2500;

/** Upper bounds for the cost of the grammar that Ollama builds for a schema, and of the gateway's walk. */
export class GrammarBudget implements WorkBudget {
  #bytes = PRIMITIVES_BYTES;
  #repetitions = 0;
  #boundBytes = 0;
  #optionalWork = 0;
  #steps = 0;
  #patternSteps = 0;
  readonly #patterns = new Set<string>();

  /** Steps taken so far. */
  get steps(): number {
    return this.#steps + this.#patternSteps;
  }

  /** Maximum size of the grammar in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @throws ApiError if the grammar exceeds Ollama's limit */
  addBytes(bytes: number, at: Position): void {
    this.#bytes += bytes;
    if (this.#bytes > MAX_GRAMMAR_BYTES) {
      throw invalidSchema(
        at,
        "the schema is too large, counted up to here",
        "Shorten names and enums, or move repeated parts to $defs",
      );
    }
  }

  /**
   * Charges for the gateway's own work, which the size of the grammar does not bound: the same part of a schema may be
   * visited many times and ignored each time.
   *
   * @throws ApiError if the gateway would be busy for too long
   */
  addSteps(count: number, at: Position): void {
    this.#steps += count;
    if (this.#steps > MAX_STEPS) {
      throw invalidSchema(
        at,
        "the schema is too complex, counted up to here",
        "Repeat fewer parts, and use fewer or shorter references",
      );
    }
  }

  /** Whether there are steps left for rewriting a pattern; a repeated one takes none. */
  allowsPattern(source: string): boolean {
    return this.#patternSteps < MAX_PATTERN_STEPS || this.#patterns.has(source);
  }

  /** Charges for rewriting a pattern. */
  addPattern(source: string, steps: number): void {
    if (this.#patterns.has(source)) return;
    this.#patterns.add(source);
    this.#patternSteps += steps;
  }

  /** @returns false if the repetitions would exceed the runner's memory */
  takeRepetitions(count: number): boolean {
    if (this.#repetitions + count > MAX_TOTAL_REPETITIONS) return false;
    this.#repetitions += count;
    return true;
  }

  /** @returns false if the bounds of integers would take too much of the grammar */
  takeBoundBytes(bytes: number): boolean {
    if (this.#boundBytes + bytes > MAX_TOTAL_BOUND_BYTES) return false;
    this.#boundBytes += bytes;
    return true;
  }

  /** @throws ApiError if the converter would be busy for seconds */
  addOptionalProperties(names: readonly string[], at: Position): void {
    const count = names.length;
    this.#optionalWork += count ** 3 + 60 * count ** 2 * (sharedRuleNames(names) - 1);
    if (this.#optionalWork > MAX_OPTIONAL_PROPERTY_WORK) {
      throw invalidSchema(at, `${count} optional properties are too many`, "Make most of them required");
    }
  }
}

/** Number of names that the converter maps to the same rule name: it keeps only ASCII letters, digits and hyphens. */
function sharedRuleNames(names: readonly string[]): number {
  const counts = new Map<string, number>();
  let largest = 1;
  for (const name of names) {
    const key = name.replace(/[^a-zA-Z0-9-]+/g, "-");
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    largest = Math.max(largest, count);
  }
  return largest;
}
