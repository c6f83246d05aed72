import * as z from "zod";
import type { ErrorCode } from "../../errors.ts";

/** Receives the names of ignored parameters. */
export interface IgnoredParameters {
  ignore(name: string): void;
}

/** How to validate a body. */
export interface ValidationMode {
  /** Reject what would otherwise be ignored. */
  readonly strict: boolean;
  readonly ignored: IgnoredParameters;
}

interface Hint {
  readonly reason: string;
  readonly harmless: (value: unknown) => boolean;
}

/** Marks an issue as a value that is valid but unsupported. */
export const unsupportedParams = { code: "unsupported_parameter" } as const satisfies { code: ErrorCode };

const hints = new WeakMap<z.ZodType, Hint>();

/**
 * A parameter without effect on the response, or a preference that Ollama cannot honour. It is removed and listed in a
 * header; in strict mode it is rejected unless harmless.
 *
 * @param harmless selects values without effect, which are always accepted
 */
export function hint(reason: string, harmless: (value: unknown) => boolean = () => false): z.ZodType {
  const schema = z
    .unknown()
    .optional()
    .register(z.globalRegistry, { description: `Ignored: ${reason}.` });
  hints.set(schema, { reason, harmless });
  return schema;
}

/** A parameter that has no effect here. */
export const ignored = hint("it does not change the response", () => true);

/** What is known about an object's field. */
interface Field {
  /** Whether it may be absent, or null. */
  readonly isOptional: boolean;
  readonly hint: Hint | undefined;
}

type Fields = ReadonlyMap<string, Field>;

function fieldsOf(shape: z.ZodRawShape): Fields {
  const entries = Object.entries(shape) as [string, z.ZodType][];
  return new Map(
    entries.map(([name, schema]) => [
      name,
      { isOptional: accepts(schema, undefined), hint: hints.get(schema) },
    ]),
  );
}

/** Whether a schema accepts a value. Unlike `safeParse`, builds no error, which takes milliseconds for all fields. */
function accepts(schema: z.ZodType, value: unknown): boolean {
  const result = schema._zod.run({ value, issues: [] }, { async: false });
  return "issues" in result && result.issues.length === 0;
}

const LENIENT: ValidationMode = { strict: false, ignored: { ignore: () => undefined } };

/** Parsing is synchronous, so a global is safe. */
let current = LENIENT;

/** Runs `work` with the given way to validate; lenient by default. */
export function withMode<Result>(mode: ValidationMode | undefined, work: () => Result): Result {
  const before = current;
  current = mode ?? LENIENT;
  try {
    return work();
  } finally {
    current = before;
  }
}

/**
 * An object whose unknown fields are dropped, or rejected in strict mode. Null in an optional field means absent.
 *
 * @param shape called on first use: creating the schemas of all APIs would delay the start
 * @param prefix of its fields in the header that lists ignored parameters. Without it they are not listed, as for
 *   content from earlier responses, which often has unknown fields
 */
export function object<Shape extends z.ZodRawShape>(
  shape: () => Shape,
  prefix?: string,
): z.ZodObject<Shape, z.core.$strict> {
  let created: { readonly fields: Fields; readonly nullable: z.ZodRawShape } | undefined;
  const create = () => (created ??= withNullables(shape()));
  const loose = new z.ZodObject({
    type: "object",
    catchall: anything,
    get shape() {
      return create().nullable;
    },
  });
  return loose.check(({ value, issues }) => {
    const names = ignoredFields(value, create().fields, issues, prefix);
    for (const name of names) Reflect.deleteProperty(value, name);
  }) as unknown as z.ZodObject<Shape, z.core.$strict>;
}

const anything = z.unknown();

function withNullables(shape: z.ZodRawShape): { readonly fields: Fields; readonly nullable: z.ZodRawShape } {
  const fields = fieldsOf(shape);
  const entries = Object.entries(shape) as [string, z.ZodType][];
  const nullable = Object.fromEntries(
    entries.map(([name, schema]) => [
      name,
      fields.get(name)?.isOptional === true && !accepts(schema, null) ? z.nullable(schema) : schema,
    ]),
  );
  return { fields, nullable };
}

const tables = new WeakMap<z.ZodObject, Fields>();

/** Returns a copy of the body without ignored fields. */
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
  const names = ignoredFields(body, fields, issues, "");
  if (names.length === 0) return body;
  const used: Record<string, unknown> = { ...body };
  for (const name of names) Reflect.deleteProperty(used, name);
  return used;
}

/** Ignored fields of a value, or the reasons for rejecting them. */
function ignoredFields(
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
      issues.push({
        code: "custom",
        message: found.reason,
        params: unsupportedParams,
        input: field,
        path: [name],
      });
      return NONE;
    }
    (names ??= []).push(name);
    if (prefix !== undefined) current.ignored.ignore(prefix === "" ? name : `${prefix}.${name}`);
  }
  return names ?? NONE;
}

const NONE: readonly string[] = [];
