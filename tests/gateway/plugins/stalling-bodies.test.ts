import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import { last } from "../../../test-support/fakes/ollama/steps.ts";
import {
  chainedReferences,
  ignoredUnderLongPaths,
  reversedDefinitions,
} from "../../../test-support/json-schema/expensive-schemas.ts";
import { MeasuredGateway } from "../../../test-support/gateway/measured-gateway.ts";

// The longest that a body may block the event loop, in milliseconds of processor time.
const LIMIT_MS = 50;

// V8 widens such a text to 64 MiB of 16-bit characters in one go when it is first sliced: 40 ms of copying, and as much
// again where the kernel is slow to provide the memory.
const WIDENED = "a text with a single non-Latin character";
const WIDENED_LIMIT_MS = 100;

// The default BODY_LIMIT_BYTES, minus room for what surrounds a value.
const LENGTH = 32 * 1024 * 1024 - 2000;

const model = '"model":"m"';
const messages = '"messages":[{"role":"user","content":"Hi"}]';

function list(length: number, element: string | ((index: number) => string)): string {
  return `[${Array.from({ length }, (_, index) => (typeof element === "string" ? element : element(index))).join()}]`;
}

function object(length: number, member: (index: number) => string): string {
  return `{${list(length, member).slice(1, -1)}}`;
}

function text(content: string): string {
  return `"${content.repeat(Math.floor(LENGTH / Buffer.byteLength(content)))}"`;
}

type Position = readonly [path: string, body: (value: string) => string];

/** Positions of a value in a conversation. */
const inConversation: readonly ((value: string) => string)[] = [
  (value) => `{${model},"messages":[{"role":"user","content":${value}}]}`,
  (value) => `{${model},"messages":${value}}`,
  (value) => `{${model},${messages},"tools":${value},"tool_choice":"required"}`,
  (value) => `{${model},${messages},"options":${value}}`,
  (value) => (value.startsWith("{") ? `{${model},${messages},${value.slice(1)}` : value),
  (value) => `{${model},${messages},"stop":${value}}`,
  (value) => `{${model},${messages},"response_format":${value}}`,
  (value) => `{${model},${messages},"metadata":${value}}`,
  (value) => `{"model":${value},${messages}}`,
];

/** The main position of a value for each route. */
const mainPositions: readonly Position[] = [
  ["/v1/chat/completions", (value) => `{${model},"messages":[{"role":"user","content":${value}}]}`],
  ["/v1/chat/completions", (value) => `{${model},"messages":${value}}`],
  ["/v1/completions", (value) => `{${model},"prompt":${value}}`],
  ["/v1/responses", (value) => `{${model},"input":${value}}`],
  ["/v1/messages", (value) => `{${model},"max_tokens":5,"messages":[{"role":"user","content":${value}}]}`],
  ["/v1/embeddings", (value) => `{${model},"input":${value}}`],
  ["/api/embed", (value) => `{${model},"input":${value}}`],
  ["/api/show", (value) => `{${model},"more":${value}}`],
];

/** Further positions of a value. */
const furtherPositions: readonly Position[] = [
  ...inConversation.map((body) => ["/v1/chat/completions", body] as const),
  ...inConversation.slice(0, 5).map((body) => ["/api/chat", body] as const),
  ...inConversation.slice(0, 2).map((body) => ["/v1/chatqna", body] as const),
  ["/v1/completions", (value) => `{${model},"prompt":"a","logit_bias":${value}}`],
  ["/v1/responses", (value) => `{${model},"input":[{"role":"user","content":${value}}]}`],
  ["/v1/responses", (value) => `{${model},"input":"a","tools":${value}}`],
  ["/v1/responses", (value) => `{${model},"input":"a","include":${value}}`],
  ["/v1/responses", (value) => `{${model},"input":"a","metadata":${value}}`],
  ["/v1/messages", (value) => `{${model},"max_tokens":5,${messages},"tools":${value}}`],
  ["/v1/messages", (value) => `{${model},"max_tokens":5,${messages},"system":${value}}`],
  ["/v1/messages", (value) => `{${model},"max_tokens":5,${messages},"stop_sequences":${value}}`],
  ["/v1/embeddings", (value) => `{${model},"input":"a","options":${value}}`],
  ["/api/generate", (value) => `{${model},"prompt":"a","images":${value}}`],
  ["/api/embeddings", (value) => `{${model},"prompt":${value}}`],
];

/** Values that expand to much more than their text: tried at each main position. */
const structures: Readonly<Record<string, () => string>> = {
  "499,000 numbers": () => list(499_000, "0"),
  "the maximum of numbers in an array": () => list(65_536, "0"),
  "300,000 booleans": () => list(300_000, "true"),
  "the maximum of booleans in an array": () => list(65_536, "true"),
  "empty objects": () => list(65_536, "{}"),
  "empty strings": () => list(65_536, '""'),
  "arrays of arrays": () => list(2, list(49_000, "0")),
  "objects of different shapes": () => list(49_000, (index) => `{"k${index}":0}`),
  "400,000 unknown keys": () => object(400_000, (index) => `"k${index}":0`),
  "the maximum of unknown keys in an object": () => object(16_384, (index) => `"k${index}":0`),
  "objects of many keys": () => list(6, (at) => object(16_000, (index) => `"k${at}_${index}":0`)),
  "the same key repeated": () => object(16_384, () => '"a":0'),
  "1,000,000 levels": () => `${'{"a":'.repeat(1e6)}0${"}".repeat(1e6)}`,
  "the maximum depth, repeated": () => list(900, `${"[".repeat(100)}${"]".repeat(100)}`),
  "integers beyond double precision": () => list(49_000, "9007199254740993"),
  "small parts": () => list(33_000, '{"type":"text","text":"a"}'),
  "small invalid parts": () => list(33_000, '{"type":"text","text":0}'),
  "small parts of another API": () => list(33_000, '{"type":"input_text","text":"a"}'),
  "33,000 messages": () => list(33_000, '{"role":"user","content":"a"}'),
  "the maximum of messages": () => list(2048, '{"role":"user","content":"a"}'),
  tools: () =>
    list(
      8000,
      (index) => `{"type":"function","function":{"name":"f${index}","parameters":{"type":"object"}}}`,
    ),
  "tools of many parameters": () =>
    list(600, (index) => {
      const properties = object(60, (at) => `"p${at}":{"type":"string"}`);
      const parameters = `{"type":"object","properties":${properties}}`;
      return `{"type":"function","function":{"name":"f${index}","parameters":${parameters}}}`;
    }),
  "tools with many definitions each": () =>
    list(400, (index) => {
      const parameters = `{"type":"object","$defs":${object(100, (at) => `"d${index}_${at}":{}`)}}`;
      return `{"type":"function","function":{"name":"f${index}","parameters":${parameters}}}`;
    }),
  "Anthropic's tools": () => list(8000, (index) => `{"name":"f${index}","input_schema":{"type":"object"}}`),
  "a schema of many properties": () => {
    const schema = `{"type":"object","properties":${object(16_000, (at) => `"p${at}":{"type":"string"}`)}}`;
    return `{"type":"json_schema","json_schema":{"name":"a","schema":${schema}}}`;
  },
  "tool calls": () =>
    list(2000, () => {
      const call = '{"id":"a","type":"function","function":{"name":"f","arguments":"{\\"a\\":[1,2,{}]}"}}';
      return `{"role":"assistant","content":null,"tool_calls":${list(9, call)}}`;
    }),
};

/** Values that fill the body limit: each tried at a few positions. */
const texts: Readonly<Record<string, () => string>> = {
  "a text": () => text("A"),
  "a non-Latin text": () => text("漢"),
  [WIDENED]: () => text("A").replace(/"$/, '漢"'),
  "a text of line breaks": () => text("\\n"),
  "a text of escapes": () => text("\\u6f22"),
  "a text of quotes": () => text('\\"'),
  "a text of backslashes": () => text("\\\\"),
  "many texts of line breaks": () => list(500, `"${"\\n".repeat(32_000)}"`),
  "very many texts of line breaks": () => list(8000, `"${"x\\n\\n".repeat(800)}"`),
  "2,048 texts": () => list(2048, `"${"word ".repeat(3200)}"`),
  "long keys": () => object(2000, (index) => `"${"k".repeat(16_000)}${index}":0`),
  "a long number": () => "1".repeat(LENGTH),
  "a long fraction": () => `0.${"1".repeat(LENGTH)}`,
  "a long exponent": () => `1e${"1".repeat(LENGTH)}`,
  "white space": () => `${" ".repeat(LENGTH)}0`,
  "an image": () =>
    `[{"type":"image_url","image_url":{"url":${text("A").replace('"', '"data:image/png;base64,')}}}]`,
  parts: () => list(33_000, `{"type":"text","text":"${"x".repeat(950)}"}`),
  "long messages": () => list(2000, `{"role":"user","content":"${"x\\n".repeat(5000)}"}`),
  "tool calls with many arguments": () => {
    const call = `{"id":"a","type":"function","function":{"name":"f","arguments":"[${"0,".repeat(100_000)}0]"}}`;
    return list(150, `{"role":"assistant","content":null,"tool_calls":[${call}]}`);
  },
  "tool calls with long arguments": () => {
    const call = `{"id":"a","type":"function","function":{"name":"f","arguments":"{\\"a\\":\\"${"\\\\n".repeat(100_000)}\\"}"}}`;
    return list(100, `{"role":"assistant","content":null,"tool_calls":[${call}]}`);
  },
};

/** Schemas whose parts are visited many times. */
const schemas: Readonly<Record<string, () => unknown>> = {
  "a schema of chained references": () => chainedReferences(2000),
  "a schema of references through long names": () => ignoredUnderLongPaths(20, 16_000, 160),
  "a schema of ignored keywords below long names": () => ignoredUnderLongPaths(20, 300, 1500),
  "a schema of definitions in reverse order": () => reversedDefinitions(280, 20),
  "a schema with a pattern of nested repetitions": () => ({
    type: "string",
    pattern: "(a?b?".repeat(32) + ")*".repeat(32),
  }),
};

describe("no body blocks the event loop:", () => {
  let fake: FakeOllama;
  let gateway: MeasuredGateway;

  beforeAll(async () => {
    fake = await FakeOllama.start();
    fake.capabilities = ["completion", "tools", "vision"];
    gateway = await MeasuredGateway.start(fake);
  });

  afterAll(async () => {
    await gateway.stop();
    await fake.stop();
  });

  async function expectShortTurns(path: string, body: string, limitMs = LIMIT_MS): Promise<void> {
    const least = await gateway.leastLongestTurn(path, body, limitMs, ({ status }) => {
      // 502 if tool_choice requires a call that the fake does not make.
      expect([200, 400, 413, 502]).toContain(status);
    });
    expect(least, `${path} ${body.slice(0, 100)}`).toBeLessThan(limitMs);
  }

  const timeout = { timeout: 120_000 };

  test("2,048 references to a long stored item", timeout, async () => {
    fake.respondWith(last({ message: { content: "word\n".repeat(20_000) } }));
    onTestFinished(() => {
      fake.respondTo(() => undefined);
    });
    let id = "";
    await gateway.leastLongestTurn("/v1/responses", `{${model},"input":"Hi"}`, Infinity, ({ text }) => {
      const { output } = JSON.parse(text) as { output: { id: string }[] };
      id = output[0]?.id ?? "";
    });
    const references = list(2048, `{"type":"item_reference","id":"${id}"}`);
    await expectShortTurns("/v1/responses", `{${model},"input":${references}}`);
  });

  test.each(Object.entries(structures).map(([name, value], index) => ({ name, value, index })))(
    "$name",
    timeout,
    async ({ value, index }) => {
      const json = value();
      // Spreads the further positions over the values.
      const further = furtherPositions.filter((_position, at) => at % 5 === index % 5);
      for (const [path, body] of [...mainPositions, ...further]) await expectShortTurns(path, body(json));
    },
  );

  test.each(Object.entries(schemas))("%s", timeout, async (_name, schema) => {
    const format = JSON.stringify(schema());
    const responseFormat = `{"type":"json_schema","json_schema":{"name":"a","schema":${format}}}`;
    await expectShortTurns(
      "/v1/chat/completions",
      `{${model},${messages},"response_format":${responseFormat}}`,
    );
    await expectShortTurns("/api/chat", `{${model},${messages},"format":${format}}`);
  });

  test.each(Object.entries(texts).map(([name, value], index) => ({ name, value, index })))(
    "$name, up to the limit",
    timeout,
    async ({ name, value, index }) => {
      const json = value();
      const limitMs = name === WIDENED ? WIDENED_LIMIT_MS : LIMIT_MS;
      for (const [path, body] of mainPositions.filter((_position, at) => at % 4 === index % 4)) {
        await expectShortTurns(path, body(json), limitMs);
      }
    },
  );
});
