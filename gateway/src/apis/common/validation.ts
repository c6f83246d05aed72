import * as z from "zod";
import { ApiError } from "../../errors.ts";
import { exactLiteral, isJsonObject } from "../../lib/json/exact-numbers.ts";
import { type JsonPath, writePath } from "../../lib/json/path.ts";
import { type Reading, readingAs, refused, withoutIgnored } from "./parameters.ts";
import { PrunedSchemaCache } from "./schema-cache.ts";

/** Marks a parameter that is known but cannot be honoured: refused with its name where it would change the answer. */
export function unsupported(why: string, harmless: (value: unknown) => boolean = () => false): z.ZodType {
  return z
    .unknown()
    .optional()
    .refine((value) => value === undefined || value === null || harmless(value), {
      message: why,
      params: refused,
    })
    .describe(`Not supported: ${why}.`);
}

/** Words that are known but cannot be honoured. */
export function unsupportedWords(words: readonly [string, ...string[]], why: string): z.ZodType<never> {
  return z
    .enum(words)
    .refine(() => false, { message: why, params: refused })
    .describe(`Not supported: ${why}.`) as unknown as z.ZodType<never>;
}

type UnsupportedForms = z.ZodType<
  never,
  unknown,
  z.core.$ZodTypeInternals<never> & { propValues: z.core.util.PropValues }
>;

/** The forms of a union that are known but cannot be honoured, by what `key` is in them: refused with its name. */
export function unsupportedForms(
  key: string,
  names: readonly [string, ...string[]],
  why: string,
): UnsupportedForms {
  return z
    .looseObject({ [key]: unsupportedWords(names, why) })
    .describe(`Not supported: ${why}.`) as unknown as UnsupportedForms;
}

/** A null that is not the same as leaving the parameter out. */
export function unsupportedNull(why: string): z.ZodType<never> {
  return z.null().refine(() => false, { message: why, params: refused }) as unknown as z.ZodType<never>;
}

/** A flag that is known but cannot be honoured where it is set. */
export function unsupportedFlag(why: string): z.ZodType {
  return unsupported(why, (value) => value === false);
}

/**
 * Reads a body by its schema, leniently by default: an unknown parameter is left out, and null is absent.
 *
 * @throws ApiError that names the first wrong parameter in `param`
 */
export function parseBody<Output>(schema: z.ZodType<Output>, body: unknown, reading?: Reading): Output {
  return readingAs(reading, () => {
    const known = isJsonObject(body) && schema instanceof z.ZodObject ? keptOf(schema, body) : body;
    const result = prunedSchemasOf(schema).for(known).safeParse(known, FIRST_ISSUE);
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    throw issue === undefined ? new ApiError("invalid_request") : toBodyError(issue, []);
  });
}

/** What is left of a body without what is left out. @throws ApiError for what may not be */
function keptOf(schema: z.ZodObject, body: Readonly<Record<string, unknown>>) {
  // An open object is passed on.
  if (!(schema.def.catchall instanceof z.ZodNever)) return body;
  const issues: z.core.$ZodIssue[] = [];
  const kept = withoutIgnored(schema, body, issues as z.core.$ZodRawIssue[]);
  const [issue] = issues;
  if (issue !== undefined) throw toBodyError(issue, []);
  return kept;
}

// One issue is reported; to collect one for each of a hundred thousand wrong elements takes minutes.
const FIRST_ISSUE = { abortEarly: true, reportInput: true } as const;

const prunedSchemas = new WeakMap<z.ZodType, PrunedSchemaCache<unknown>>();

function prunedSchemasOf<Output>(schema: z.ZodType<Output>): PrunedSchemaCache<Output> {
  let forms = prunedSchemas.get(schema) as PrunedSchemaCache<Output> | undefined;
  if (forms === undefined) {
    forms = new PrunedSchemaCache(schema);
    prunedSchemas.set(schema, forms);
  }
  return forms;
}

function toBodyError(issue: z.core.$ZodIssue, above: JsonPath): ApiError {
  const path = [...above, ...issue.path];
  const param = writePath(path);
  const inside = param === "" ? "the request body" : `'${param}'`;
  const named = param === "" ? {} : { param };
  switch (issue.code) {
    case "unrecognized_keys": {
      const unknown = writePath([...path, issue.keys[0] ?? ""]);
      return new ApiError("unknown_parameter", {
        message: `Unknown parameter: '${unknown}'.`,
        param: unknown,
      });
    }
    case "invalid_union": {
      if (issue.discriminator !== undefined) return toFormError(issue, issue.discriminator, inside, named);
      const nearest = nearestForm(issue.errors);
      return nearest === undefined
        ? new ApiError("invalid_value", {
            message: `Invalid value for ${inside}: ${issue.message}.`,
            ...named,
          })
        : toBodyError(nearest, path);
    }
    case "invalid_type":
      if (issue.input === undefined && path.length > 0) {
        return new ApiError("missing_required_parameter", {
          message: `Missing required parameter: ${inside}.`,
          ...named,
        });
      }
      if (exactLiteral(issue.input) !== undefined)
        return outOfRange(exactLiteral(issue.input), inside, named);
      return new ApiError("invalid_type", {
        message: `Invalid type for ${inside}: ${issue.message}.`,
        ...named,
      });
    case "custom": {
      const code =
        issue.params?.["code"] === "unsupported_parameter" ? "unsupported_parameter" : "invalid_value";
      return new ApiError(code, { message: `Unsupported value for ${inside}: ${issue.message}.`, ...named });
    }
    case "invalid_element":
    case "invalid_format":
    case "invalid_key":
    case "invalid_value":
    case "not_multiple_of":
    case "too_big":
    case "too_small":
      return new ApiError("invalid_value", {
        message: `Invalid value for ${inside}: ${issue.message}.`,
        ...named,
      });
  }
}

/** An integer that JavaScript has no number for. */
function outOfRange(literal = "", inside: string, named: { readonly param?: string }): ApiError {
  return new ApiError("invalid_value", {
    message: `Invalid value for ${inside}: ${literal} is out of range.`,
    ...named,
  });
}

/** The key that says which form an object has is missing, or names none. */
function toFormError(
  issue: z.core.$ZodIssueInvalidUnion,
  key: string,
  inside: string,
  named: { readonly param?: string },
): ApiError {
  if ((issue.input as Readonly<Record<string, unknown>> | undefined)?.[key] === undefined) {
    return new ApiError("missing_required_parameter", {
      message: `Missing required parameter: ${inside}.`,
      ...named,
    });
  }
  const forms = "options" in issue ? (issue.options ?? []) : [];
  const known = forms.map((form) => JSON.stringify(form)).join("|");
  return new ApiError("invalid_value", {
    message: `Invalid value for ${inside}: expected one of ${known}.`,
    ...named,
  });
}

/** Of the forms that a value fits none of, the one it came closest to says best what is wrong with it. */
function nearestForm(forms: readonly (readonly z.core.$ZodIssue[])[]): z.core.$ZodIssue | undefined {
  // Not even the type is right: another form was meant.
  const distant = (issue: z.core.$ZodIssue): number =>
    issue.path.length === 0 && (issue.code === "invalid_type" || isObjectForWord(issue)) ? 1 : 0;
  return forms
    .flatMap((issues) => issues[0] ?? [])
    .toSorted((left, right) => distant(left) - distant(right))[0];
}

/** One of several words was expected. */
function isObjectForWord(issue: z.core.$ZodIssue): boolean {
  return issue.code === "invalid_value" && typeof issue.input === "object" && issue.input !== null;
}
