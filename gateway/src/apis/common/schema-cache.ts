import * as z from "zod";

// Clients of one kind send the same parameters. More kinds than this are validated the long way.
const MAX_FORMS = 64;

/**
 * A schema of many optional parameters, as short as a body allows: zod looks at each parameter it knows, there or not,
 * and a client sends few of them. What the short form takes the whole schema takes as well, with the same result.
 */
export class PrunedSchemaCache<Output> {
  readonly #schema: z.ZodType<Output>;
  readonly #object: z.ZodObject | undefined;
  /** Parameters that are what they are when they are absent: absent. */
  readonly #optional: ReadonlySet<string>;
  readonly #size: number;
  readonly #forms = new Map<string, z.ZodType<Output>>();

  constructor(schema: z.ZodType<Output>) {
    this.#schema = schema;
    // What is checked beyond its parameters cannot be cut.
    this.#object = schema instanceof z.ZodObject && !schema.def.checks?.length ? schema : undefined;
    const shape = Object.entries(this.#object?.shape ?? {}) as [string, z.ZodType][];
    this.#size = shape.length;
    this.#optional = new Set(shape.filter(([, type]) => isOptional(type)).map(([name]) => name));
  }

  /** The schema for a body with the parameters of this one. */
  for(body: unknown): z.ZodType<Output> {
    if (this.#object === undefined || typeof body !== "object" || body === null) return this.#schema;
    const present = Object.keys(body);
    // Most of them are unknown.
    if (present.length > this.#size) return this.#schema;
    const key = present.join("\0");
    const known = this.#forms.get(key);
    if (known !== undefined) return known;
    const { shape } = this.#object;
    if (this.#forms.size >= MAX_FORMS || !present.every((name) => Object.hasOwn(shape, name)))
      return this.#schema;
    const kept = Object.keys(shape).filter((name) => !this.#optional.has(name) || present.includes(name));
    const mask = Object.fromEntries(kept.map((name) => [name, true])) as Record<keyof typeof shape, true>;
    const form = this.#object.pick(mask) as unknown as z.ZodType<Output>;
    this.#forms.set(key, form);
    return form;
  }
}

function isOptional(type: z.ZodType): boolean {
  const result = type.safeParse(undefined);
  return result.success && result.data === undefined;
}
