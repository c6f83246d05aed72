import { z } from "zod";

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
