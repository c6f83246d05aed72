import { expect, test } from "vitest";
import { startFake, startGateway } from "../../../test-support/gateway-harness.ts";

const system = (content: string) => ({ role: "system", content });
const user = (content: string) => ({ role: "user", content });
const reply = { role: "assistant", content: "Hello." };

/** A conversation with instructions before the first reply and after it. */
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

test.each(routes)("%s shows the model every system message, wherever it is", async (route, body) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const response = await gateway.post(route, { model: "m", ...body });
  expect(response.status).toBe(200);
  await response.text();
  expect((await fake.conversation()).body.messages).toEqual([
    // Many templates of Ollama's know one only.
    system("Be brief.\n\nBe kind."),
    user("Hi"),
    reply,
    user("And?"),
    user("<system-reminder>\nIt is late.\n</system-reminder>"),
  ]);
});

test("/api/chat hands them to Ollama as they are", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  await (await gateway.post("/api/chat", { model: "m", messages, stream: false })).text();
  expect((await fake.conversation()).body.messages).toEqual(messages);
});

test("an instruction that has an image keeps it", async () => {
  const fake = await startFake();
  fake.capabilities = ["completion", "vision"];
  const gateway = await startGateway(fake);
  const look = [{ type: "input_image", image_url: "data:image/png;base64,AAAA" }];
  const input = [system("Look."), { role: "developer", content: look }, user("Hi")];
  await (await gateway.post("/v1/responses", { model: "m", input })).text();
  expect((await fake.conversation()).body.messages).toEqual([
    { ...system("Look."), images: ["AAAA"] },
    user("Hi"),
  ]);
});
