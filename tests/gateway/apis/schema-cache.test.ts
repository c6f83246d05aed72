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

// Values of every kind, valid for some parameters and invalid for most.
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

/** Returns a generator of random bodies for a schema: some are valid, the others nearly. */
function bodyGenerator(shape: Record<string, z.ZodType>, chance: Chance): () => unknown {
  const names = Object.keys(shape);
  const required = names.filter((name) => !shape[name]?.safeParse(undefined).success);
  const validValues = names.map((name) => [
    name,
    VALUES.filter((value) => shape[name]?.safeParse(value).success === true),
  ]);
  return () =>
    randomBody(names, required, Object.fromEntries(validValues) as Record<string, unknown[]>, chance);
}

function randomBody(
  names: readonly string[],
  required: readonly string[],
  validValues: Readonly<Record<string, readonly unknown[]>>,
  chance: Chance,
): unknown {
  if (chance.often(0.03)) return chance.pick(VALUES);
  const body = new Map<string, unknown>();
  const included = chance.often(0.95) ? required : [];
  const extra = names.filter(() => chance.often(4 / names.length));
  for (const name of [...included, ...extra].toSorted(() => chance.number() - 0.5)) {
    const candidates = validValues[name] ?? [];
    body.set(
      name,
      candidates.length === 0 || chance.often(0.04) ? chance.pick(VALUES) : chance.pick(candidates),
    );
  }
  if (chance.often(0.05)) body.set(chance.pick(NAMES), chance.pick(VALUES));
  // Parsed like a client's body, so that `__proto__` is a name like any other.
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
  ["OPEA", opeaSchema],
];

describe.each(schemas)("the pruned versions of the %s schema", (_name, schema) => {
  const shape = schema.shape as Record<string, z.ZodType>;

  test("accept and reject the same bodies as the full schema, with the same results", () => {
    const nextBody = bodyGenerator(shape, randomly(7));
    const cache = new PrunedSchemaCache<unknown>(schema);
    let [accepted, rejected, prunedCount] = [0, 0, 0];
    for (let n = 0; n < 600; n += 1) {
      const body = nextBody();
      const pruned = cache.for(body);
      if (pruned !== schema) prunedCount += 1;
      const [actual, expected] = [pruned.safeParse(body), schema.safeParse(body)];
      // A pruned schema has every parameter that is present or required, so the results are equal.
      expect([body, actual.success]).toEqual([body, expected.success]);
      expect(actual.data).toStrictEqual(expected.data);
      expect(Object.keys((actual.data ?? {}) as Body)).toEqual(Object.keys((expected.data ?? {}) as Body));
      if (expected.success) accepted += 1;
      else rejected += 1;
    }
    // Otherwise the bodies would prove nothing.
    expect(Math.min(accepted, rejected, prunedCount)).toBeGreaterThan(40);
  });
});

describe("the full schema is used", () => {
  const simple = z.strictObject({ a: z.string(), b: z.number().nullish(), c: z.number().default(3) });

  test.each([
    ["a parameter is unknown", { a: "x", z: 1 }],
    ["a parameter is named like a property that all objects have", JSON.parse('{"a":"x","__proto__":1}')],
    ["the body is not an object", "text"],
    ["the body is null", null],
    ["there is no body", undefined],
  ])("when %s", (_when, body) => {
    expect(new PrunedSchemaCache<unknown>(simple).for(body)).toBe(simple);
  });

  test("when it has checks across parameters", () => {
    const checked = simple.refine(({ a, b }) => a !== "x" || b == null, { message: "not both" });
    const cache = new PrunedSchemaCache<unknown>(checked);
    expect(cache.for({ a: "x" })).toBe(checked);
    expect(cache.for({ a: "x", b: 1 }).safeParse({ a: "x", b: 1 }).success).toBe(false);
    // The schema of Ollama's own API checks the spelling of names.
    expect(new PrunedSchemaCache<unknown>(nativeSchema).for({ model: "m" })).toBe(nativeSchema);
  });

  test("when it is not an object schema, such as a union", () => {
    expect(new PrunedSchemaCache<unknown>(namedModelSchema).for({ model: "m" })).toBe(namedModelSchema);
    expect(parseBody(namedModelSchema, { name: "m" })).toMatchObject({ model: "m" });
  });

  test("for sets of parameters beyond the first 64, so that no client fills the memory", () => {
    const names = Array.from({ length: 10 }, (_, n) => `p${n}`);
    const wide = z.strictObject(Object.fromEntries(names.map((name) => [name, z.number().nullish()])));
    const pick = vi.spyOn(wide, "pick");
    const cache = new PrunedSchemaCache<unknown>(wide);
    for (let n = 0; n < 1024; n += 1) {
      const body = Object.fromEntries(names.filter((_, bit) => n & (1 << bit)).map((name) => [name, n]));
      expect(cache.for(body).parse(body)).toEqual(body);
    }
    expect(pick).toHaveBeenCalledTimes(64);
    // Sets that are cached already still use their pruned schema.
    expect(cache.for({ p0: 1 })).not.toBe(wide);
  });
});

test("a pruned schema is created once per set of parameters, and keeps parameters with a default", () => {
  const simple = z.strictObject({ a: z.string(), b: z.number().nullish(), c: z.number().default(3) });
  const cache = new PrunedSchemaCache<unknown>(simple);
  const pruned = cache.for({ a: "x" });
  expect(pruned).not.toBe(simple);
  expect(cache.for({ a: "y" })).toBe(pruned);
  expect(cache.for({ a: "y", b: 1 })).not.toBe(pruned);
  expect(pruned.parse({ a: "x" })).toEqual({ a: "x", c: 3 });
});
