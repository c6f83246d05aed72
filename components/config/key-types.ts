import { z } from "zod";
import { toRemove } from "./config-error.ts";

// Types shared by the keys of all engines. Each message completes "KEY is VALUE, but must be ...".

export const integer = (min: number, max: number) => {
  const allowed = `a whole number from ${String(min)} to ${String(max)}`;
  return z.codec(
    z.string(allowed).regex(/^-?\d+$/, allowed),
    z.int(allowed).min(min, allowed).max(max, allowed),
    {
      decode: Number,
      encode: String,
    },
  );
};

export const boolean = z.codec(z.enum(["true", "false"], "true or false"), z.boolean(), {
  decode: (text) => text === "true",
  encode: (value) => (value ? "true" : "false"),
});

/** A text, number or boolean, as text: `pulumi config set --path` converts what looks like a number or a boolean. */
export const scalar = (allowed: string) =>
  z.union([z.string(), z.number(), z.boolean()], allowed).transform(String);

/**
 * A map of names to texts.
 *
 * @param allowed describes the map
 * @param entry describes an entry, which `isEntry` checks
 */
export const textMap = (allowed: string, entry: string, isEntry: (name: string, value: string) => boolean) =>
  z
    .record(z.string(), z.unknown(), allowed)
    .transform((entries, context): Readonly<Record<string, string>> => {
      const texts = Object.entries(entries).map(
        ([name, value]) => [name, scalar(entry).safeParse(value).data] as const,
      );
      for (const [name, text] of texts)
        if (text === undefined && z.record(z.string(), z.unknown()).safeParse(entries[name]).success)
          context.addIssue({ code: "custom", path: [name], ...nested });
        else if (text === undefined || !isEntry(name, text))
          context.addIssue({ code: "custom", path: [name], message: entry });
      return Object.fromEntries(texts.map(([name, text = ""]) => [name, text]));
    });

/** The CLI reads a dot in a path as the beginning of a nested map. */
const nested = {
  message: `left out, because it is a map: --path needs a name with dots in brackets and quotes, such as '["example.org/name"]'`,
  params: toRemove,
};
