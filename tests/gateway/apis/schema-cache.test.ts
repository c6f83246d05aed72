import { describe, expect, test, vi } from "vitest";
import * as z from "zod";
import { PrunedSchemaCache } from "../../../gateway/src/apis/common/schema-cache.ts";
import { chatSchema } from "../../../gateway/src/apis/openai-chat/schema.ts";
import { completionsSchema } from "../../../gateway/src/apis/openai-completions/adapter.ts";
import { embeddingsSchema } from "../../../gateway/src/apis/openai-embeddings/adapter.ts";
import { messagesSchema } from "../../../gateway/src/apis/anthropic-messages/schema.ts";
import { namedModelSchema, nativeSchema } from "../../../gateway/src/apis/ollama-native/adapter.ts";
import { opeaSchema } from "../../../gateway/src/apis/opea/adapter.ts";
import { responsesSchema } from "../../../gateway/src/apis/openai-responses/schema.ts";
import { parseBody } from "../../../gateway/src/apis/common/validation.ts";
import { type Chance, randomly } from "../../../test-support/random-values.ts";

type Body = Record<string, unknown>;

// Something of every kind that a parameter may be given, right for some and wrong for most.
const user = { role: "user", content: "Hi" };
const called = { name: "f", parameters: { type: "object" } };
const VALUES: readonly unknown[] = [
  ...[null, true, false, 0, 1, 5, 0.5, -1, 1e9, "", "m", "10m", "auto", "none", "low", "float", "text"],
  ...[[], ["a", "b"], [1, 2], [[1]], [user], [{ ...user, more: 1 }], [{ role: "nobody", content: "" }]],
  ...[{}, { a: "b" }, { include_usage: true }, { type: "json_object" }, { type: "auto" }, { top_k: 3 }],
  ...[{ num_gpu: 1 }, { effort: "low" }, { format: { type: "text" } }, { type: "enabled", budget_tokens: 9 }],
  [{ type: "function", function: called }],
  [{ type: "function", ...called }],
  [{ name: "f", input_schema: { type: "object" } }],
];
const NAMES = ["unheard_of", "constructor", "toString", "__proto__", "Model", "0"];

/** What makes bodies for a schema, of which some are right and the others nearly. */
function bodiesFor(shape: Record<string, z.ZodType>, chance: Chance): () => unknown {
  const names = Object.keys(shape);
  const required = names.filter((name) => !shape[name]?.safeParse(undefined).success);
  const right = names.map((name) => [
    name,
    VALUES.filter((value) => shape[name]?.safeParse(value).success === true),
  ]);
  return () => bodyOf(names, required, Object.fromEntries(right) as Record<string, unknown[]>, chance);
}

function bodyOf(
  names: readonly string[],
  required: readonly string[],
  right: Readonly<Record<string, readonly unknown[]>>,
  chance: Chance,
): unknown {
  if (chance.often(0.03)) return chance.pick(VALUES);
  const body = new Map<string, unknown>();
  const wanted = chance.often(0.95) ? required : [];
  const some = names.filter(() => chance.often(4 / names.length));
  for (const name of [...wanted, ...some].toSorted(() => chance.number() - 0.5)) {
    const fitting = right[name] ?? [];
    body.set(name, fitting.length === 0 || chance.often(0.04) ? chance.pick(VALUES) : chance.pick(fitting));
  }
  if (chance.often(0.05)) body.set(chance.pick(NAMES), chance.pick(VALUES));
  // As a client's would be made: `__proto__` is a name like any other.
  return JSON.parse(
    `{${[...body].map((entry) => entry.map((each) => JSON.stringify(each)).join(":")).join()}}`,
  );
}

const schemas: [string, z.ZodObject][] = [
  ["chat", chatSchema],
  ["completions", completionsSchema],
  ["embeddings", embeddingsSchema],
  ["responses", responsesSchema],
  ["messages", messagesSchema],
  ["OPEA's", opeaSchema],
];

describe.each(schemas)("the short forms of the %s schema", (_name, schema) => {
  const shape = schema.shape as Record<string, z.ZodType>;

  test("take nothing that the whole schema refuses, and make the same of what they take", () => {
    const nextBody = bodiesFor(shape, randomly(7));
    const forms = new PrunedSchemaCache<unknown>(schema);
    let [taken, refused, cut] = [0, 0, 0];
    for (let n = 0; n < 600; n += 1) {
      const body = nextBody();
      const form = forms.for(body);
      if (form !== schema) cut += 1;
      const [short, whole] = [form.safeParse(body), schema.safeParse(body)];
      // A short form has every parameter that is there and every one that has to be: it judges alike.
      expect([body, short.success]).toEqual([body, whole.success]);
      expect(short.data).toStrictEqual(whole.data);
      expect(Object.keys((short.data ?? {}) as Body)).toEqual(Object.keys((whole.data ?? {}) as Body));
      if (whole.success) taken += 1;
      else refused += 1;
    }
    // Or the bodies would prove nothing.
    expect(Math.min(taken, refused, cut)).toBeGreaterThan(40);
  });
});

describe("the whole schema is used", () => {
  const simple = z.strictObject({ a: z.string(), b: z.number().nullish(), c: z.number().default(3) });

  test.each([
    ["a parameter is unknown", { a: "x", z: 1 }],
    ["a parameter is called like something all objects have", JSON.parse('{"a":"x","__proto__":1}')],
    ["the body is no object", "text"],
    ["the body is null", null],
    ["there is no body", undefined],
  ])("when %s", (_when, body) => {
    expect(new PrunedSchemaCache<unknown>(simple).for(body)).toBe(simple);
  });

  test("when it checks more than its parameters", () => {
    const checked = simple.refine(({ a, b }) => a !== "x" || b == null, { message: "not both" });
    const forms = new PrunedSchemaCache<unknown>(checked);
    expect(forms.for({ a: "x" })).toBe(checked);
    expect(forms.for({ a: "x", b: 1 }).safeParse({ a: "x", b: 1 }).success).toBe(false);
    // Ollama's own form checks how its names are spelled.
    expect(new PrunedSchemaCache<unknown>(nativeSchema).for({ model: "m" })).toBe(nativeSchema);
  });

  test("when it is no object, such as a choice among several", () => {
    expect(new PrunedSchemaCache<unknown>(namedModelSchema).for({ model: "m" })).toBe(namedModelSchema);
    expect(parseBody(namedModelSchema, { name: "m" })).toMatchObject({ model: "m" });
  });

  test("for kinds of bodies beyond the 64 first, so that no client fills the memory", () => {
    const names = Array.from({ length: 10 }, (_, n) => `p${n}`);
    const wide = z.strictObject(Object.fromEntries(names.map((name) => [name, z.number().nullish()])));
    const pick = vi.spyOn(wide, "pick");
    const forms = new PrunedSchemaCache<unknown>(wide);
    for (let n = 0; n < 1024; n += 1) {
      const body = Object.fromEntries(names.filter((_, bit) => n & (1 << bit)).map((name) => [name, n]));
      expect(forms.for(body).parse(body)).toEqual(body);
    }
    expect(pick).toHaveBeenCalledTimes(64);
    // Those that are known already stay short.
    expect(forms.for({ p0: 1 })).not.toBe(wide);
  });
});

test("a short form is made once for a kind of body, and keeps what has a default", () => {
  const simple = z.strictObject({ a: z.string(), b: z.number().nullish(), c: z.number().default(3) });
  const forms = new PrunedSchemaCache<unknown>(simple);
  const form = forms.for({ a: "x" });
  expect(form).not.toBe(simple);
  expect(forms.for({ a: "y" })).toBe(form);
  expect(forms.for({ a: "y", b: 1 })).not.toBe(form);
  expect(form.parse({ a: "x" })).toEqual({ a: "x", c: 3 });
});
