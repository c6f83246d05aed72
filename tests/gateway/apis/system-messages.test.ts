import { expect, test } from "vitest";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const system = (content: string) => ({ role: "system", content });
const user = (content: string) => ({ role: "user", content });
const reply = { role: "assistant", content: "Hello." };

/** A conversation with system messages before and after the first reply. */
const messages = [
  system("Be brief."),
  user("Hi"),
  system("Be kind."),
  reply,
  user("And?"),
  system("It is late."),
];

const routes = [
  ["/v1/chat/completions", { messages }],
  ["/v1/responses", { instructions: "Be brief.", input: messages.slice(1) }],
  ["/v1/messages", { system: "Be brief.", messages: messages.slice(1), max_tokens: 9 }],
  ["/v1/example-service", { messages, stream: false }],
] as const;

test.each(routes)("%s passes on every system message, wherever it is", async (route, body) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const response = await gateway.post(route, { model: "m", ...body });
  expect(response.status).toBe(200);
  await response.text();
  expect((await fake.conversation()).body.messages).toEqual([
    // Many of Ollama's templates use only one system message.
    system("Be brief.\n\nBe kind."),
    user("Hi"),
    reply,
    user("And?"),
    user("<system-reminder>\nIt is late.\n</system-reminder>"),
  ]);
});

test("/api/chat passes on system messages unchanged", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  await (await gateway.post("/api/chat", { model: "m", messages, stream: false })).text();
  expect((await fake.conversation()).body.messages).toEqual(messages);
});

test("keeps the image of a system message", async () => {
  const fake = await startFake();
  fake.capabilities = ["completion", "vision"];
  const gateway = await startGateway(fake);
  const imageContent = [{ type: "input_image", image_url: "data:image/png;base64,AAAA" }];
  const input = [system("Look."), { role: "developer", content: imageContent }, user("Hi")];
  await (await gateway.post("/v1/responses", { model: "m", input })).text();
  expect((await fake.conversation()).body.messages).toEqual([
    { ...system("Look."), images: ["AAAA"] },
    user("Hi"),
  ]);
});

test.each([
  ["before the first reply", [user("Hi")], [], [user("Hi")]],
  ["after the first reply", [user("Hi"), reply], [user("Hi"), reply], [user("And?")]],
])(
  "keeps the image of a system message without text, %s",
  async (_where, before, expectedBefore, expectedAfter) => {
    const fake = await startFake();
    fake.capabilities = ["completion", "vision"];
    const gateway = await startGateway(fake);
    const imageContent = [{ type: "input_image", image_url: "data:image/png;base64,AAAA" }];
    const after = expectedBefore.length === 0 ? [] : expectedAfter;
    const input = [...before, { role: "system", content: imageContent }, ...after];
    await (await gateway.post("/v1/responses", { model: "m", input })).text();
    const { messages: sent } = (await fake.conversation()).body;
    expect(sent).toHaveLength(expectedBefore.length + 1 + expectedAfter.length);
    expect(sent[expectedBefore.length]).toMatchObject({ images: ["AAAA"] });
  },
);

test("generates a response for empty system messages alone", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const empty = [system(""), system("")];
  const response = await gateway.post("/v1/chat/completions", { model: "m", messages: empty });
  expect(await response.json()).toMatchObject({ choices: [{ message: { content: "Hello there." } }] });
  expect((await fake.conversation()).body.messages).toEqual(empty);
});

test("generates a response to /v1/messages for an empty system message alone", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const response = await gateway.post("/v1/messages", { model: "m", max_tokens: 9, messages: [system("")] });
  expect(await response.json()).toMatchObject({ content: [{ type: "text", text: "Hello there." }] });
  expect((await fake.conversation()).body.messages).toEqual([system("")]);
});

test("rejects an image in the newest user message even if a system message follows", async () => {
  const fake = await startFake();
  fake.capabilities = ["completion"];
  const gateway = await startGateway(fake);
  const url = "data:image/png;base64,AAAA";
  const chat = [user("Hi"), reply, { role: "user", content: [{ type: "image_url", image_url: { url } }] }];
  const input = [user("Hi"), reply, { role: "user", content: [{ type: "input_image", image_url: url }] }];
  for (const [route, body] of [
    ["/v1/chat/completions", { messages: [...chat, system("Be brief.")] }],
    ["/v1/responses", { input: [...input, system("Be brief.")] }],
  ] as const) {
    const response = await gateway.post(route, { model: "m", ...body });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: "unsupported_parameter" } });
  }
});
