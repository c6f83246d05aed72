import type { CodePointRange } from "./code-points.ts";
import { MAX_PATTERN_RUNS } from "../limits/grammar-limits.ts";
import type { PatternNode } from "./parser.ts";

/** A realistic length of a token of repeated characters. */
const TOKEN_LENGTH = 8;
const MAX_EDGES = 15_000;
/** More would take the gateway too long, whatever the result. */
const MAX_VISITS = 250_000;
const MAX_SAMPLES = 16;

interface Ambiguity {
  readonly isTooHigh: boolean;
  /** Work that it took to find out: positions and edges visited. */
  readonly visits: number;
}

/**
 * Whether a text can match in so many ways that sampling becomes slow: for every rejected token, the runner tries all
 * of them. `a?` three hundred times in a row matches eight letters in 10^15 ways.
 *
 * @param node in normal form, with at most MAX_PATTERN_POSITIONS positions
 */
export function ambiguityOf(node: PatternNode): Ambiguity {
  const automaton = new Automaton();
  automaton.add(node);
  const isTooHigh =
    automaton.edges > MAX_EDGES ||
    automaton
      .samples()
      .some((code) => automaton.runs(code) > MAX_PATTERN_RUNS || automaton.visits > MAX_VISITS);
  return { isTooHigh, visits: automaton.visits };
}

interface Part {
  readonly first: readonly number[];
  readonly last: readonly number[];
  readonly canBeEmpty: boolean;
}

const NOTHING: Part = { first: [], last: [], canBeEmpty: true };

/** A position per character set of the pattern, and the positions that may follow it. */
class Automaton {
  edges = 0;
  visits = 0;
  readonly #sets: (readonly CodePointRange[])[] = [];
  readonly #follow: number[][] = [];

  add(node: PatternNode): Part {
    switch (node.kind) {
      case "set": {
        const position = this.#sets.push(node.ranges) - 1;
        this.#follow.push([]);
        return { first: [position], last: [position], canBeEmpty: false };
      }
      case "start":
      case "end":
        return NOTHING;
      case "sequence":
        return node.items.reduce<Part>((before, item) => this.#join(before, this.add(item)), NOTHING);
      case "choice": {
        const parts = node.alternatives.map((alternative) => this.add(alternative));
        return {
          first: parts.flatMap((part) => part.first),
          last: parts.flatMap((part) => part.last),
          canBeEmpty: parts.some((part) => part.canBeEmpty),
        };
      }
      case "repeat": {
        const copies = node.max === Infinity ? Math.max(node.min, 1) : node.max;
        let sequence = NOTHING;
        for (let copy = 0; copy < copies && this.edges <= MAX_EDGES; copy += 1) {
          const part = this.add(node.item);
          if (node.max === Infinity && copy === copies - 1) this.#connect(part.last, part.first);
          sequence = this.#join(sequence, copy < node.min ? part : { ...part, canBeEmpty: true });
        }
        return sequence;
      }
    }
  }

  /** One code point of each set. */
  samples(): readonly number[] {
    const codes = new Set<number>();
    for (const ranges of new Set(this.#sets)) for (const [first] of ranges) codes.add(first);
    return [...codes].slice(0, MAX_SAMPLES);
  }

  /** Number of ways to continue with a few equal characters, from all positions together. */
  runs(code: number): number {
    // Positions of a repeated set share its ranges.
    const includes = new Map<readonly CodePointRange[], boolean>();
    const takes = this.#sets.map((ranges) => {
      const does = includes.get(ranges) ?? ranges.some(([first, last]) => first <= code && code <= last);
      includes.set(ranges, does);
      return does;
    });
    const edges = takes.reduce(
      (sum, does, position) => sum + (does ? this.#followers(position).length : 0),
      0,
    );
    this.visits += TOKEN_LENGTH * (this.#sets.length + edges);
    let ways = takes.map(Number);
    for (let length = 1; length < TOKEN_LENGTH; length += 1) {
      const further = ways;
      ways = takes.map((does, position) =>
        does ? this.#followers(position).reduce((sum, next) => sum + (further[next] ?? 0), 0) : 0,
      );
    }
    return ways.reduce((sum, count) => sum + count, 0);
  }

  #followers(position: number): readonly number[] {
    return this.#follow[position] ?? [];
  }

  #join(before: Part, after: Part): Part {
    this.visits += before.first.length + before.last.length + after.first.length + after.last.length;
    this.#connect(before.last, after.first);
    return {
      first: before.canBeEmpty ? [...before.first, ...after.first] : before.first,
      last: after.canBeEmpty ? [...before.last, ...after.last] : after.last,
      canBeEmpty: before.canBeEmpty && after.canBeEmpty,
    };
  }

  #connect(from: readonly number[], to: readonly number[]): void {
    this.edges += from.length * to.length;
    if (this.edges > MAX_EDGES) return;
    this.visits += from.length * to.length;
    for (const position of from) this.#follow[position]?.push(...to);
  }
}
