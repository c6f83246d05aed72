import * as z from "zod";
import { TupleMap } from "../../lib/tuple-map.ts";

// A client sends the same set of parameters each time. Beyond this number of sets, the full schema is used.
const MAX_SCHEMAS = 64;

/**
 * Caches schemas reduced to the parameters present in a body: zod visits every known parameter, while clients send few.
 * What a reduced schema accepts, the full one accepts with the same result.
 */
export class PrunedSchemaCache<Output> {
  readonly #schema: z.ZodType<Output>;
  readonly #object: z.ZodObject | undefined;
  /** Parameters whose absence stays undefined. */
  readonly #optional: ReadonlySet<string>;
  readonly #size: number;
  readonly #schemas = new TupleMap<z.ZodType<Output>>();
  #count = 0;

  constructor(schema: z.ZodType<Output>) {
    this.#schema = schema;
    // A schema with checks across parameters cannot be reduced.
    this.#object = schema instanceof z.ZodObject && !schema.def.checks?.length ? schema : undefined;
    const shape = Object.entries(this.#object?.shape ?? {}) as [string, z.ZodType][];
    this.#size = shape.length;
    this.#optional = new Set(shape.filter(([, type]) => isOptional(type)).map(([name]) => name));
  }

  /** Returns the schema for the parameters of this body. */
  for(body: unknown): z.ZodType<Output> {
    if (this.#object === undefined || typeof body !== "object" || body === null) return this.#schema;
    const present = Object.keys(body);
    // Most of them must be unknown.
    if (present.length > this.#size) return this.#schema;
    const known = this.#schemas.get(present);
    if (known !== undefined) return known;
    const { shape } = this.#object;
    if (this.#count >= MAX_SCHEMAS || !present.every((name) => Object.hasOwn(shape, name)))
      return this.#schema;
    const kept = Object.keys(shape).filter((name) => !this.#optional.has(name) || present.includes(name));
    const mask = Object.fromEntries(kept.map((name) => [name, true])) as Record<keyof typeof shape, true>;
    const pruned = this.#object.pick(mask) as unknown as z.ZodType<Output>;
    this.#schemas.set(present, pruned);
    this.#count += 1;
    return pruned;
  }
}

function isOptional(type: z.ZodType): boolean {
  const result = type.safeParse(undefined);
  return result.success && result.data === undefined;
}
