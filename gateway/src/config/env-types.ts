import * as z from "zod";
import { keepAliveMs } from "../ollama/keep-alive.ts";

// The kinds of variables that the gateway reads, each with what is allowed of it.

/** What the documentation and the error messages say about one variable. */
export interface Variable {
  /** What the number counts ("ms", "bytes", ...); absent when it is not a number. */
  readonly unit?: string;
  /** The value taken when the variable is unset or empty, as one would write it in the environment. */
  readonly default: string;
  /** What is allowed, to be read after "must be". */
  readonly allowed: string;
  readonly description: string;
}

export interface Definition<Value> extends Variable {
  /** What is wrong with it is said without its value. */
  readonly hidden?: true;
  /** White space is a value, and so refused where it is none: elsewhere it means unset, as an empty value does. */
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
  const schema = z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(min).max(max));
  const allowed = `a whole number from ${min} to ${max}`;
  return { schema, allowed, ...(unit === undefined ? {} : { unit }), ...about };
}

export function port(about: Documented): Definition<number> {
  return integer(1, 65_535, undefined, about);
}

/** A deadline. None can be switched off: a wait without an end is a connection that never comes back. */
export function deadline(about: Documented): Definition<number> {
  return integer(1, DAY, "ms", about);
}

/** How long a model stays loaded, as Ollama has it in its own variable: a text that is a number counts seconds. */
export function keepAlive(about: Documented): Definition<number> {
  const schema = parsed((text) => {
    const milliseconds = keepAliveMs(/^-?\d+$/.test(text) ? Number(text) : text);
    if (milliseconds === undefined) throw new Error("it is no duration");
    return milliseconds;
  });
  const allowed = "a duration such as 30s, 5m or 24h, or a number of seconds; less than 0 means for good";
  return { schema, allowed, ...about };
}

export function hostName(about: Documented): Definition<string> {
  const schema = z.string().regex(/^[A-Za-z0-9._-]+$|^[0-9A-Fa-f:.]+$/);
  return { schema, allowed: "a host name or an IP address, without scheme or port", ...about };
}

/** Takes what a parser makes of the text, and its reason when it throws. */
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

// Ollama's form: an optional host and name space, a name, an optional tag.
export const modelName =
  /^[A-Za-z0-9][A-Za-z0-9._-]*(:\d+(?=\/))?(\/[A-Za-z0-9][A-Za-z0-9._-]*){0,2}(:[A-Za-z0-9_][A-Za-z0-9._-]*)?$/;

export function modelList(description: string): Definition<string[]> {
  const schema = z
    .string()
    .transform(listed)
    .pipe(z.array(z.string().regex(modelName)));
  return { schema, allowed: "names of Ollama models, separated by commas", default: "", description };
}

/** Whether a text that is refused may hold a password or a token, as a URL does before its host or behind its path. */
export function mayHoldSecret(text: string): boolean {
  return /:\/\/([^/]*@|[^\s]*\?)/.test(text);
}
