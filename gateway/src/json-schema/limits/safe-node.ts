import { MAX_ALTERNATIVES, MAX_REFERENCE_DEPTH } from "./grammar-limits.ts";
import { type JsonSchema, type Position, invalidSchema } from "./position.ts";

/** A schema that Ollama can handle, and its alternatives at the start. */
export interface SafeNode {
  readonly schema: JsonSchema;
  readonly start: Start;
}

/** Number of alternatives at the start of a schema, or what they are the sum of. */
export type Start = number | readonly SafeNode[] | Definition;

/** A schema that references can name. */
export interface Definition {
  readonly name: string;
  readonly at: Position;
  node?: SafeNode;
}

export function literalNode(schema: JsonSchema, ways = 1): SafeNode {
  return { schema, start: ways };
}

export function unionNode(alternatives: readonly SafeNode[]): SafeNode {
  return { schema: { anyOf: alternatives.map(({ schema }) => schema) }, start: alternatives };
}

export function referenceNode(definition: Definition): SafeNode {
  return { schema: { $ref: `#/$defs/${definition.name}` }, start: definition };
}

/**
 * Counts the alternatives at the start of a schema. The runner expands each of them whenever such a value may begin,
 * and forever if they are recursive.
 */
export class WayCounter {
  readonly #counted = new Map<SafeNode | Definition, number>();
  readonly #open = new Set<Definition>();

  /** @throws ApiError if there are too many or they are recursive */
  count(node: SafeNode, at: Position): number {
    const known = this.#counted.get(node);
    if (known !== undefined) return known;
    const ways = this.#countStart(node.start, at);
    if (ways > MAX_ALTERNATIVES) {
      throw invalidSchema(
        at,
        `there are more than ${MAX_ALTERNATIVES} alternatives`,
        "Offer fewer, or a type instead",
      );
    }
    this.#counted.set(node, ways);
    return ways;
  }

  #countStart(start: Start, at: Position): number {
    if (typeof start === "number") return start;
    if (!("name" in start)) return start.reduce((sum, node) => sum + this.count(node, at), 0);
    const known = this.#counted.get(start);
    if (known !== undefined) return known;
    if (this.#open.has(start)) {
      throw invalidSchema(
        start.at,
        "the reference leads back to itself with nothing in between",
        "Put what it refers to inside a property or an item",
      );
    }
    if (this.#open.size > MAX_REFERENCE_DEPTH || start.node === undefined) throw tooDeep(start.at);
    this.#open.add(start);
    const ways = this.count(start.node, start.at);
    this.#open.delete(start);
    this.#counted.set(start, ways);
    return ways;
  }
}

export function tooDeep(at: Position): Error {
  return invalidSchema(at, "schemas are nested too deeply", "Make it flatter");
}
