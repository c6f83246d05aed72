import { toJSONSchema, z } from "zod";
import type { Random } from "../random.ts";

type Schema = Readonly<Record<string, unknown>>;

/** Value schemas that crash llama.cpp's grammar converter or the grammars that it generates. */
const hostileValues: readonly Schema[] = [
  ...[
    "^(?:a|b)$",
    "^(?=.*\\d)[a-z]+$",
    "^(?!admin)[a-z]+$",
    "^(?<year>\\d{4})$",
    "^\\w+$",
    "^a\\/b$",
    "^(a)\\1$",
    "^a{3000}$",
    "^[a-z]{0,100000}$",
    "^(((((((((((a)))))))))))$",
    "^(a+)+$",
    "^\\p{L}+$",
    "^[^\\s]+$",
    "^\\u{1F600}$",
    "^[",
    "^(",
    "^a{2,1}$",
    "^*$",
    "^[z-a]$",
    "^a|b$",
    "^\\b\\B\\d\\D\\W\\S$",
    "^.*?$",
    "(?i)abc",
    "^\\x41\\cA\\0$",
  ].map((pattern) => ({ type: "string", pattern })),
  { type: "string", maxLength: 2001 },
  { type: "string", minLength: 3000 },
  { type: "string", minLength: 2 ** 31, maxLength: 2 ** 53 },
  { type: "string", minLength: -1 },
  { type: "string", format: "no-such-format" },
  { type: "array", items: { type: "string" }, minItems: 2500 },
  { type: "array", items: { type: "integer" }, minItems: 0, maxItems: 1e9 },
  { type: "array", prefixItems: Array.from({ length: 300 }, () => ({ type: "string", maxLength: 100 })) },
  { type: "integer", minimum: -(10 ** 300), maximum: 10 ** 300 },
  { type: "integer", minimum: 1e18, maximum: -1e18 },
  { type: "number", multipleOf: 1e-300 },
  { enum: Array.from({ length: 3000 }, (_, index) => `value ${index} "quoted" \\ and\nbroken`) },
  { const: "\u0000\ud800 lone" },
  { enum: [] },
  { anyOf: [] },
  { type: [] },
  { type: ["string", "null", "string"] },
  { not: {} },
  { if: { type: "string" }, then: { pattern: "^(?:x)$" }, else: false },
  { patternProperties: { "^(?:a)$": { type: "string" } }, type: "object" },
  { additionalProperties: { type: "string", pattern: "^(?:a)$" }, type: "object" },
  { type: "object", minProperties: 5000, additionalProperties: true },
];

/** String formats as Zod converts them to JSON Schema. */
const formats: readonly Schema[] = Object.values({
  email: z.email(),
  guid: z.guid(),
  uuid: z.uuid(),
  url: z.url(),
  emoji: z.emoji(),
  nanoid: z.nanoid(),
  cuid2: z.cuid2(),
  ulid: z.ulid(),
  base64: z.base64(),
  base64url: z.base64url(),
  ipv4: z.ipv4(),
  ipv6: z.ipv6(),
  cidrv4: z.cidrv4(),
  cidrv6: z.cidrv6(),
  e164: z.e164(),
  date: z.iso.date(),
  time: z.iso.time(),
  datetime: z.iso.datetime(),
  duration: z.iso.duration(),
}).map((type) => toJSONSchema(type) as Schema);

/** Schemas from which no grammar can be generated. */
export const unusableSchemas: Readonly<Record<string, Schema>> = {
  "an unknown type": { type: "object", properties: { a: { type: "objekt" } } },
  "a dangling reference": { type: "object", properties: { a: { $ref: "#/$defs/none" } } },
  "a reference to itself": {
    $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } },
    type: "object",
    properties: { a: { $ref: "#/$defs/a" } },
    required: ["a"],
  },
  "infinite recursion": {
    $defs: { a: { type: "object", properties: { a: { $ref: "#/$defs/a" } }, required: ["a"] } },
    $ref: "#/$defs/a",
  },
};

/** References to the schema's own root, as Pydantic generates them. */
export const rootReferences: Schema = {
  type: "object",
  properties: {
    start: { type: "object", properties: { day: { type: "integer" } }, required: ["day"] },
    end: { $ref: "#/properties/start" },
    children: { type: "array", items: { $ref: "#" }, maxItems: 1 },
  },
  required: ["start", "end"],
};

/** An object schema with hostile value schemas somewhere in it. */
export function hostileSchema(random: Random): Schema {
  const values = random.sample([...hostileValues, ...formats], random.integer(1, 3));
  return wrap(random, values);
}

/** An object schema with the n-th hostile value schema, so that rounds cover all. */
export function hostileSchemaNumber(number: number, random: Random): Schema {
  const all = [...hostileValues, ...formats];
  return wrap(random, [all[number % all.length] ?? {}]);
}

export const hostileSchemaCount = hostileValues.length + formats.length;

function wrap(random: Random, values: readonly Schema[]): Schema {
  const named = Object.fromEntries(values.map((value, index) => [`value${index}`, nest(random, value)]));
  return {
    type: "object",
    properties: named,
    required: Object.keys(named),
    ...(random.chance(0.5) ? { additionalProperties: false } : {}),
  };
}

function nest(random: Random, value: Schema): Schema {
  return random.pick<() => Schema>([
    () => value,
    () => ({ anyOf: [value, { type: "null" }] }),
    () => ({ oneOf: [{ type: "integer" }, value] }),
    () => ({ allOf: [value] }),
    () => ({ type: "array", items: value, minItems: 1, maxItems: 2 }),
    () => ({ type: "object", properties: { inner: value }, required: ["inner"] }),
    () => ({ type: "object", additionalProperties: value }),
    () => ({ $defs: { it: value }, $ref: "#/properties/value0/$defs/it" }),
  ])();
}

const keywords: readonly ((random: Random, depth: number) => Schema)[] = [
  (random) => ({ type: random.pick(["string", "number", "integer", "boolean", "null", "object", "array"]) }),
  (random) => ({ minLength: random.integer(0, 4000) }),
  (random) => ({ maxLength: random.integer(0, 4000) }),
  (random) => ({ minItems: random.integer(0, 3000) }),
  (random) => ({ maxItems: random.integer(0, 3000) }),
  (random) => ({ minimum: random.integer(-1e9, 1e9), maximum: random.integer(-1e9, 1e9) }),
  (random) => ({ exclusiveMinimum: random.integer(-10, 10), multipleOf: random.next() }),
  (random) => ({ pattern: randomPattern(random) }),
  (random) => ({
    format: random.pick(["date", "date-time", "time", "uuid", "email", "ipv4", "idn-email", "regex"]),
  }),
  (random) => ({ enum: random.sample(["a", 1, null, true, { a: 1 }, ["b"], ""], random.integer(0, 5)) }),
  (random) => ({ const: random.pick<unknown>(["x", 0, null, false, {}, []]) }),
  (random, depth) => ({ items: randomSchema(random, depth - 1) }),
  (random, depth) => ({ prefixItems: [randomSchema(random, depth - 1), randomSchema(random, depth - 1)] }),
  (random, depth) => ({ contains: randomSchema(random, depth - 1), minContains: random.integer(0, 5) }),
  (random, depth) => ({
    properties: { a: randomSchema(random, depth - 1), "b c": randomSchema(random, depth - 1) },
    required: random.pick<readonly string[]>([[], ["a"], ["a", "b c"], ["none"]]),
  }),
  (random, depth) => ({
    additionalProperties: random.chance(0.5) ? random.chance(0.5) : randomSchema(random, depth - 1),
  }),
  (random, depth) => ({ patternProperties: { [randomPattern(random)]: randomSchema(random, depth - 1) } }),
  (random, depth) => ({ propertyNames: randomSchema(random, depth - 1) }),
  (random, depth) => ({
    dependentSchemas: { a: randomSchema(random, depth - 1) },
    dependentRequired: { a: ["b c"] },
  }),
  (random, depth) => ({ anyOf: [randomSchema(random, depth - 1), randomSchema(random, depth - 1)] }),
  (random, depth) => ({ oneOf: [randomSchema(random, depth - 1)] }),
  (random, depth) => ({ allOf: [randomSchema(random, depth - 1), randomSchema(random, depth - 1)] }),
  (random, depth) => ({ not: randomSchema(random, depth - 1) }),
  (random, depth) => ({ if: randomSchema(random, depth - 1), then: randomSchema(random, depth - 1) }),
  (random) => ({
    $ref: random.pick(["#", "#/$defs/a", "#/properties/a", "#/none", "other.json", "#/$defs/a/items/0"]),
  }),
  (random) => ({ $dynamicRef: "#meta", $anchor: "here", $comment: randomPattern(random) }),
  () => ({ unevaluatedProperties: false, unevaluatedItems: false, uniqueItems: true }),
];

/** A random combination of keywords of draft 2020-12, sensible or not. */
export function randomSchema(random: Random, depth = 4): Schema | boolean {
  if (depth <= 0)
    return random.pick<Schema | boolean>([true, false, {}, { type: "string" }, { type: "integer" }]);
  const chosen = random.sample(keywords, random.integer(1, 4)).map((keyword) => keyword(random, depth));
  return Object.assign({}, ...chosen) as Schema;
}

/** A random object schema with definitions to refer to. */
export function randomObjectSchema(random: Random): Schema {
  const inner = randomSchema(random);
  return {
    ...(typeof inner === "object" ? inner : {}),
    type: "object",
    $defs: { a: randomSchema(random, 2) },
    properties: { a: randomSchema(random, 3), b: randomSchema(random, 3) },
  };
}

function randomPattern(random: Random): string {
  const atom = (): string =>
    random.pick([
      "a",
      "\\d",
      "\\w",
      "[a-f0-9]",
      "[^x]",
      ".",
      "(?:ab|c)",
      "(?=a)",
      "(x|y)",
      "\\/",
      "\\.",
      "\\1",
      "é",
      '"',
    ]);
  const times = (): string => random.pick(["", "", "*", "+", "?", "{3}", "{2,}", "{0,4000}", "{1000}", "*?"]);
  const atoms = Array.from({ length: random.integer(1, 6) }, () => `${atom()}${times()}`).join("");
  return `${random.chance(0.8) ? "^" : ""}${atoms}${random.chance(0.8) ? "$" : ""}`;
}

/** One request with the schema for each route and field that accepts one. */
export function schemaRequests(
  model: string,
  schema: object,
): readonly { readonly path: string; readonly body: object }[] {
  const messages = [{ role: "user", content: "Fill it in." }];
  const chat = { model, messages, max_tokens: 8 };
  const tool = { type: "function", function: { name: "save", parameters: schema } };
  const named = { type: "function", name: "save", parameters: schema };
  const response_format = { type: "json_schema", json_schema: { name: "it", schema } };
  const anthropic = { ...chat, tools: [{ name: "save", input_schema: schema }] };
  const responses = { model, input: "Fill it in.", max_output_tokens: 16 };
  const options = { num_predict: 8 };
  return [
    { path: "/v1/chat/completions", body: { ...chat, response_format } },
    { path: "/v1/chat/completions", body: { ...chat, tools: [tool], tool_choice: "required" } },
    {
      path: "/v1/chat/completions",
      body: { ...chat, tools: [tool], tool_choice: { type: "function", function: { name: "save" } } },
    },
    {
      path: "/v1/responses",
      body: { ...responses, text: { format: { type: "json_schema", name: "it", schema } } },
    },
    { path: "/v1/responses", body: { ...responses, tools: [named], tool_choice: "required" } },
    { path: "/v1/messages", body: { ...chat, output_config: { format: { type: "json_schema", schema } } } },
    { path: "/v1/messages", body: { ...anthropic, tool_choice: { type: "any" } } },
    { path: "/v1/messages", body: { ...anthropic, tool_choice: { type: "tool", name: "save" } } },
    { path: "/v1/example-service", body: { ...chat, stream: false, response_format } },
    { path: "/v1/chatqna", body: { ...chat, stream: true, response_format } },
    { path: "/api/chat", body: { model, messages, stream: false, options, format: schema } },
    { path: "/api/generate", body: { model, prompt: "Fill it in.", stream: false, options, format: schema } },
  ];
}
