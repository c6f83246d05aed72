import * as z from "zod";
import type { ErrorCode } from "../../errors.ts";

/** Takes the names of parameters that are left out. */
export interface IgnoredParameters {
  ignore(name: string): void;
}

/** How a body is read. */
export interface Reading {
  /** Refuses what the gateway would otherwise leave out. */
  readonly strict: boolean;
  readonly ignored: IgnoredParameters;
}

interface Hint {
  readonly why: string;
  readonly harmless: (value: unknown) => boolean;
}

export const refused = { code: "unsupported_parameter" satisfies ErrorCode };

const hints = new WeakMap<z.ZodType, Hint>();

/**
 * Marks a parameter that the response does not depend on, or that Ollama cannot honour and that only asks for a
 * preference. It is left out and named in a header; with strict parameters, it is refused unless it is harmless.
 *
 * @param harmless which values change nothing: those are taken even with strict parameters
 */
export function hint(why: string, harmless: (value: unknown) => boolean = () => false): z.ZodType {
  const schema = z.unknown().optional().describe(`Ignored: ${why}.`);
  hints.set(schema, { why, harmless });
  return schema;
}

/** A parameter that every API of its kind has and that changes nothing here. */
export const ignored = hint("it does not change the response", () => true);

/** What is known of a field of an object. */
interface Field {
  /** It may be absent: null is the same. */
  readonly isOptional: boolean;
  readonly hint: Hint | undefined;
}

type Fields = ReadonlyMap<string, Field>;

function fieldsOf(shape: z.ZodRawShape): Fields {
  const entries = Object.entries(shape) as [string, z.ZodType][];
  return new Map(
    entries.map(([name, schema]) => [
      name,
      { isOptional: schema.safeParse(undefined).success, hint: hints.get(schema) },
    ]),
  );
}

const LENIENT: Reading = { strict: false, ignored: { ignore: () => undefined } };

/** Parsing is synchronous: one body at a time. */
let current = LENIENT;

/** Reads what is parsed inside `work` as `reading` says; by default leniently. */
export function readingAs<Result>(reading: Reading | undefined, work: () => Result): Result {
  const before = current;
  current = reading ?? LENIENT;
  try {
    return work();
  } finally {
    current = before;
  }
}

/**
 * An object of which only the known fields are read. A null is the same as an absent field wherever that may be absent.
 * Unknown fields are left out, or refused with strict parameters.
 *
 * @param prefix what its fields are called in the header that names what was left out; without it, they are not named:
 *   what a client sends back of earlier responses is full of such fields
 */
export function object<Shape extends z.ZodRawShape>(
  shape: Shape,
  prefix?: string,
): z.ZodObject<Shape, z.core.$strict> {
  const fields = fieldsOf(shape);
  const nullable = Object.fromEntries(
    (Object.entries(shape) as [string, z.ZodType][]).map(([name, schema]) => [
      name,
      fields.get(name)?.isOptional === true && !schema.safeParse(null).success ? z.nullable(schema) : schema,
    ]),
  );
  return z.looseObject(nullable).check(({ value, issues }) => {
    for (const name of leftOut(value, fields, issues, prefix)) Reflect.deleteProperty(value, name);
  }) as unknown as z.ZodObject<Shape, z.core.$strict>;
}

const tables = new WeakMap<z.ZodObject, Fields>();

/** A body without what is left out of it. The body itself stays as it is. */
export function withoutIgnored(
  schema: z.ZodObject,
  body: Readonly<Record<string, unknown>>,
  issues: z.core.$ZodRawIssue[],
): Readonly<Record<string, unknown>> {
  let fields = tables.get(schema);
  if (fields === undefined) {
    fields = fieldsOf(schema.shape);
    tables.set(schema, fields);
  }
  const names = leftOut(body, fields, issues, "");
  if (names.length === 0) return body;
  const kept: Record<string, unknown> = { ...body };
  for (const name of names) Reflect.deleteProperty(kept, name);
  return kept;
}

/** The fields of a value that are left out, or the reasons why they may not be. */
function leftOut(
  value: Readonly<Record<string, unknown>>,
  fields: Fields,
  issues: z.core.$ZodRawIssue[],
  prefix: string | undefined,
): readonly string[] {
  let names: string[] | undefined;
  for (const name in value) {
    const known = fields.get(name);
    const field = value[name];
    if (known !== undefined && (field === null || field === undefined)) {
      if (field === null && known.isOptional) (names ??= []).push(name);
      continue;
    }
    const found = known?.hint;
    if (known !== undefined && found === undefined) continue;
    if (current.strict && known === undefined) {
      issues.push({ code: "unrecognized_keys", keys: [name], input: value, path: [] });
      return NONE;
    }
    if (found?.harmless(field) === false && current.strict) {
      issues.push({ code: "custom", message: found.why, params: refused, input: field, path: [name] });
      return NONE;
    }
    (names ??= []).push(name);
    if (prefix !== undefined) current.ignored.ignore(prefix === "" ? name : `${prefix}.${name}`);
  }
  return names ?? NONE;
}

const NONE: readonly string[] = [];
