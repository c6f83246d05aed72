import * as z from "zod";
import { keepAliveMs } from "../ollama/keep-alive.ts";

/** A variable's documentation, also used in error messages. */
export interface Variable {
  /** Unit of a number ("ms", "bytes", ...); absent otherwise. */
  readonly unit?: string;
  /** Used if the variable is unset or empty. */
  readonly default: string;
  /** Completes "must be ...". */
  readonly allowed: string;
  readonly description: string;
}

export interface Definition<Value> extends Variable {
  /** Whether errors must not show the value. */
  readonly hidden?: true;
  /** Whether white space is a value, which is then invalid, instead of meaning unset. */
  readonly blankIsSet?: true;
  readonly schema: z.ZodType<Value, string>;
}

type Documented = Pick<Variable, "default" | "description">;

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;
export const MIB = 1024 * 1024;

export function integer(
  min: number,
  max: number,
  unit: string | undefined,
  about: Documented,
): Definition<number> {
  // One check instead of a chain: each link is a schema of its own, and half of the variables are numbers.
  const schema = z.string().transform((text, { issues }) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    issues.push({ code: "invalid_format", format: "integer", input: text });
    return z.NEVER;
  });
  const allowed = `a whole number from ${min} to ${max}`;
  return { schema, allowed, ...(unit === undefined ? {} : { unit }), ...about };
}

export function port(about: Documented): Definition<number> {
  return integer(1, 65_535, undefined, about);
}

/** A timeout. It cannot be disabled: an unlimited wait would leak its connection. */
export function deadline(about: Documented): Definition<number> {
  return integer(1, DAY, "ms", about);
}

/** A `keep_alive` in Ollama's syntax: a duration, or a number of seconds. */
export function keepAlive(about: Documented): Definition<number> {
  const schema = parsed((text) => {
    const milliseconds = keepAliveMs(/^-?\d+$/.test(text) ? Number(text) : text);
    if (milliseconds === undefined) throw new Error("it is not a duration");
    return milliseconds;
  });
  const allowed = "a duration such as 30s, 5m or 24h, or a number of seconds; a negative value means forever";
  return { schema, allowed, ...about };
}

export function hostName(about: Documented): Definition<string> {
  const schema = z.string().regex(/^[A-Za-z0-9._-]+$|^[0-9A-Fa-f:.]+$/);
  return { schema, allowed: "a host name or an IP address, without scheme or port", ...about };
}

/** A schema that applies a parser, and reports what it throws. */
export function parsed<Value>(parse: (text: string) => Value): z.ZodType<Value, string> {
  return z.string().transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: error instanceof Error ? error.message : String(error) });
      return z.NEVER;
    }
  });
}

export function listed(list: string): string[] {
  return list.split(",").flatMap((each) => each.trim() || []);
}

// Ollama's syntax: an optional host and namespace, a name, an optional tag.
export const modelName =
  /^[A-Za-z0-9][A-Za-z0-9._-]*(:\d+(?=\/))?(\/[A-Za-z0-9][A-Za-z0-9._-]*){0,2}(:[A-Za-z0-9_][A-Za-z0-9._-]*)?$/;

export function modelList(description: string): Definition<string[]> {
  const schema = z
    .string()
    .transform(listed)
    .pipe(z.array(z.string().regex(modelName)));
  return { schema, allowed: "names of Ollama models, separated by commas", default: "", description };
}

/** Whether an invalid value may contain a password or token, as a URL can in its user info or query. */
export function mayHoldSecret(text: string): boolean {
  return /:\/\/([^/]*@|[^\s]*\?)/.test(text);
}
