import * as z from "zod";
import { ApiError, type ErrorCode } from "../../errors.ts";
import { exactLiteral, isJsonObject } from "../../lib/json/exact-numbers.ts";
import { type JsonPath, writePath } from "../../lib/json/path.ts";
import { type ValidationMode, unsupportedParams, withMode, withoutIgnored } from "./parameters.ts";
import { PrunedSchemaCache } from "./schema-cache.ts";

/** A known parameter that is unsupported: rejected by name if it would change the response. */
export function unsupported(reason: string, harmless: (value: unknown) => boolean = () => false): z.ZodType {
  return z
    .unknown()
    .optional()
    .refine((value) => value === undefined || value === null || harmless(value), {
      message: reason,
      params: unsupportedParams,
    })
    .register(z.globalRegistry, { description: `Not supported: ${reason}.` });
}

/** Known but unsupported enum values. */
function unsupportedValues(values: readonly [string, ...string[]], reason: string): z.ZodType<never> {
  return z
    .enum(values)
    .refine(() => false, { message: reason, params: unsupportedParams })
    .describe(`Not supported: ${reason}.`) as unknown as z.ZodType<never>;
}

type UnsupportedVariants = z.ZodType<
  never,
  unknown,
  z.core.$ZodTypeInternals<never> & { propValues: z.core.util.PropValues }
>;

/** Known but unsupported variants of a union, by the value of `key`. */
export function unsupportedVariants(
  key: string,
  names: readonly [string, ...string[]],
  reason: string,
): UnsupportedVariants {
  return z
    .looseObject({ [key]: unsupportedValues(names, reason) })
    .describe(`Not supported: ${reason}.`) as unknown as UnsupportedVariants;
}

/** An unsupported null, where it does not mean absent. */
export function unsupportedNull(reason: string): z.ZodType<never> {
  return z
    .null()
    .refine(() => false, { message: reason, params: unsupportedParams }) as unknown as z.ZodType<never>;
}

/**
 * Validates a body, leniently by default: unknown parameters are ignored, and null means absent.
 *
 * @throws ApiError naming the first invalid parameter in `param`
 */
export function parseBody<Output>(schema: z.ZodType<Output>, body: unknown, mode?: ValidationMode): Output {
  return withMode(mode, () => {
    const known = isJsonObject(body) && schema instanceof z.ZodObject ? keptOf(schema, body) : body;
    const result = prunedSchemasOf(schema).for(known).safeParse(known, FIRST_ISSUE);
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    throw issue === undefined ? new ApiError("invalid_request") : toBodyError(issue, []);
  });
}

/**
 * Returns a body without ignored parameters.
 *
 * @throws ApiError for those that must not be ignored
 */
function keptOf(schema: z.ZodObject, body: Readonly<Record<string, unknown>>) {
  // Open objects are forwarded unchanged.
  if (!(schema.def.catchall instanceof z.ZodNever)) return body;
  const issues: z.core.$ZodIssue[] = [];
  const kept = withoutIgnored(schema, body, issues as z.core.$ZodRawIssue[]);
  const [issue] = issues;
  if (issue !== undefined) throw toBodyError(issue, []);
  return kept;
}

// Only one issue is reported; collecting those of 100,000 invalid elements takes minutes.
const FIRST_ISSUE = { abortEarly: true, reportInput: true } as const;

const prunedSchemas = new WeakMap<z.ZodType, PrunedSchemaCache<unknown>>();

function prunedSchemasOf<Output>(schema: z.ZodType<Output>): PrunedSchemaCache<Output> {
  let variants = prunedSchemas.get(schema) as PrunedSchemaCache<Output> | undefined;
  if (variants === undefined) {
    variants = new PrunedSchemaCache(schema);
    prunedSchemas.set(schema, variants);
  }
  return variants;
}

function toBodyError(issue: z.core.$ZodIssue, above: JsonPath): ApiError {
  const path = [...above, ...issue.path];
  const param = writePath(path);
  const inside = param === "" ? "the request body" : `'${param}'`;
  const error = (code: ErrorCode, message: string): ApiError =>
    new ApiError(code, { message: `${message}.`, ...(param === "" ? {} : { param }) });
  switch (issue.code) {
    case "unrecognized_keys": {
      const unknown = writePath([...path, issue.keys[0] ?? ""]);
      return new ApiError("unknown_parameter", {
        message: `Unknown parameter: '${unknown}'.`,
        param: unknown,
      });
    }
    case "invalid_union": {
      if (issue.discriminator !== undefined) {
        const input = issue.input as Readonly<Record<string, unknown>> | undefined;
        return input?.[issue.discriminator] === undefined
          ? error("missing_required_parameter", `Missing required parameter: ${inside}`)
          : error("invalid_value", `Invalid value for ${inside}: expected one of ${variantsOf(issue)}`);
      }
      const nearest = nearestVariant(issue.errors);
      return nearest === undefined
        ? error("invalid_value", `Invalid value for ${inside}: ${issue.message}`)
        : toBodyError(nearest, path);
    }
    case "invalid_type": {
      if (issue.input === undefined && path.length > 0)
        return error("missing_required_parameter", `Missing required parameter: ${inside}`);
      // An integer beyond JavaScript's precision.
      const literal = exactLiteral(issue.input);
      return literal === undefined
        ? error("invalid_type", `Invalid type for ${inside}: ${issue.message}`)
        : error("invalid_value", `Invalid value for ${inside}: ${literal} is out of range`);
    }
    case "custom": {
      const isUnsupported = issue.params?.["code"] === unsupportedParams.code;
      return error(
        isUnsupported ? unsupportedParams.code : "invalid_value",
        `Unsupported value for ${inside}: ${issue.message}`,
      );
    }
    case "invalid_element":
    case "invalid_format":
    case "invalid_key":
    case "invalid_value":
    case "not_multiple_of":
    case "too_big":
    case "too_small":
      return error("invalid_value", `Invalid value for ${inside}: ${issue.message}`);
  }
}

/** The values of the key that selects a variant of a union. */
function variantsOf(issue: z.core.$ZodIssueInvalidUnion): string {
  const variants = "options" in issue ? (issue.options ?? []) : [];
  return variants.map((variant) => JSON.stringify(variant)).join("|");
}

/** If no variant of a union matches, the closest one gives the best error. */
function nearestVariant(variants: readonly (readonly z.core.$ZodIssue[])[]): z.core.$ZodIssue | undefined {
  // An issue with the type at the root suggests that another variant was meant.
  const distant = (issue: z.core.$ZodIssue): number =>
    issue.path.length === 0 && (issue.code === "invalid_type" || isObjectForEnum(issue)) ? 1 : 0;
  return variants
    .flatMap((issues) => issues[0] ?? [])
    .toSorted((left, right) => distant(left) - distant(right))[0];
}

/** An enum value was expected. */
function isObjectForEnum(issue: z.core.$ZodIssue): boolean {
  return issue.code === "invalid_value" && typeof issue.input === "object" && issue.input !== null;
}
