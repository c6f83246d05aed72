import { ANY_TEXT, EMPTY, type PatternNode } from "./parser.ts";

/** Larger patterns are not worth a grammar. */
export const MAX_NODES = 8192;

export class TooManyNodes extends Error {}

/**
 * Normal form for llama.cpp's grammars: matches the complete text, and is unambiguous about empty parts. A repeated
 * item that can be empty (`(a*)*`) makes the grammar recurse without consuming input, which overflows the runner's
 * stack; several ways to be empty multiply its work.
 */
interface NormalPattern {
  readonly node: PatternNode;
  /** False if an anchor inside the pattern was dropped. */
  readonly exact: boolean;
  /** Number of nodes visited for it. */
  readonly visits: number;
}

/** @throws TooManyNodes */
export function toNormalForm(parsed: PatternNode): NormalPattern {
  const work = new Normalizer();
  const anchored = alternativesOf(parsed).map((items) => work.anchored(items));
  const node = work.choice(anchored.map((alternative) => work.normalized(alternative)));
  return { node, exact: work.exact, visits: work.visits };
}

/** Top-level alternatives, inside any enclosing groups. */
function alternativesOf(node: PatternNode): (readonly PatternNode[])[] {
  if (node.kind === "choice") return node.alternatives.flatMap(alternativesOf);
  if (node.kind !== "sequence") return [[node]];
  const [only] = node.items;
  return node.items.length === 1 && only !== undefined ? alternativesOf(only) : [node.items];
}

class Normalizer {
  exact = true;
  visits = 0;
  readonly #sizes = new Map<PatternNode, number>();

  /** A pattern in JSON Schema matches anywhere in a text unless anchored. */
  anchored(items: readonly PatternNode[]): PatternNode {
    let first = 0;
    let end = items.length;
    while (items[first]?.kind === "start") first += 1;
    while (end > first && items[end - 1]?.kind === "end") end -= 1;
    return {
      kind: "sequence",
      items: [
        ...(first > 0 ? [] : [ANY_TEXT]),
        ...items.slice(first, end),
        ...(end < items.length ? [] : [ANY_TEXT]),
      ],
    };
  }

  normalized(node: PatternNode): PatternNode {
    this.#count();
    switch (node.kind) {
      case "set":
        return node;
      case "start":
      case "end":
        this.exact = false;
        return EMPTY;
      case "sequence":
        return this.#sequence(node.items.map((item) => this.normalized(item)));
      case "choice":
        return this.choice(node.alternatives.map((alternative) => this.normalized(alternative)));
      case "repeat":
        return this.#repeat(this.normalized(node.item), node.min, node.max);
    }
  }

  choice(alternatives: readonly PatternNode[]): PatternNode {
    const [only] = alternatives;
    if (alternatives.length === 1 && only !== undefined) return only;
    if (alternatives.filter(canBeEmpty).length < 2) return this.#bounded({ kind: "choice", alternatives });
    const nonEmpty = alternatives.flatMap((alternative) => this.#nonEmpty(alternative) ?? []);
    if (nonEmpty.length === 0) return EMPTY;
    return this.#bounded({ kind: "repeat", item: this.choice(nonEmpty), min: 0, max: 1 });
  }

  #sequence(items: readonly PatternNode[]): PatternNode {
    const flat = items.flatMap((item) => (item.kind === "sequence" ? item.items : [item]));
    const [only] = flat;
    return flat.length === 1 && only !== undefined ? only : this.#bounded({ kind: "sequence", items: flat });
  }

  #repeat(item: PatternNode, min: number, max: number): PatternNode {
    if (max === 0) return EMPTY;
    const repeated = this.#nonEmpty(item);
    if (repeated === undefined) return EMPTY;
    const least = canBeEmpty(item) ? 0 : min;
    if (least === 1 && max === 1) return repeated;
    return this.#bounded({ kind: "repeat", item: repeated, min: least, max });
  }

  /** What a node matches other than the empty text; undefined if nothing. */
  #nonEmpty(node: PatternNode): PatternNode | undefined {
    this.#count();
    if (!canBeEmpty(node)) return node;
    if (node.kind === "repeat") return this.#repeat(node.item, 1, node.max);
    if (node.kind === "choice") {
      const nonEmpty = node.alternatives.flatMap((alternative) => this.#nonEmpty(alternative) ?? []);
      return nonEmpty.length === 0 ? undefined : this.choice(nonEmpty);
    }
    if (node.kind !== "sequence" || node.items.length === 0) return undefined;
    // The first item that is present begins it.
    const alternatives = node.items.flatMap((item, index) => {
      const begun = this.#nonEmpty(item);
      const rest = node.items.slice(index + 1);
      this.visits += rest.length;
      return begun === undefined ? [] : [this.#sequence([begun, ...rest])];
    });
    return alternatives.length === 0 ? undefined : this.choice(alternatives);
  }

  /**
   * Alternatives share their common parts, so that few nodes can stand for exponentially many: `(a?(a?(a?)*)*)*`. What
   * walks the result visits each of them.
   */
  #bounded(node: PatternNode): PatternNode {
    if (this.#size(node) > MAX_NODES) throw new TooManyNodes();
    return node;
  }

  /** Number of nodes, counting shared ones each time. */
  #size(node: PatternNode): number {
    const known = this.#sizes.get(node);
    if (known !== undefined) return known;
    const size = partsOf(node).reduce((sum, part) => sum + this.#size(part), 1);
    this.#sizes.set(node, size);
    return size;
  }

  #count(): void {
    if (++this.visits > MAX_NODES) throw new TooManyNodes();
  }
}

function partsOf(node: PatternNode): readonly PatternNode[] {
  if (node.kind === "sequence") return node.items;
  if (node.kind === "choice") return node.alternatives;
  return node.kind === "repeat" ? [node.item] : [];
}

function canBeEmpty(node: PatternNode): boolean {
  switch (node.kind) {
    case "set":
      return false;
    case "start":
    case "end":
      return true;
    case "sequence":
      return node.items.every(canBeEmpty);
    case "choice":
      return node.alternatives.some(canBeEmpty);
    case "repeat":
      return node.min === 0 || canBeEmpty(node.item);
  }
}
