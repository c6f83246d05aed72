import { expect, test } from "vitest";
import { errorOf, hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const looking = {
  ...hello,
  messages: [
    { role: "user", content: [{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }] },
  ],
};

test("images to a model that cannot see are refused, where Ollama would leave them out without a word", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const response = await gateway.post("/v1/chat/completions", looking);
  expect(response.status).toBe(400);
  expect(await errorOf(response)).toMatchObject({ code: "unsupported_parameter", param: "messages" });
  expect(fake.received).toHaveLength(0);
});

test.each([[["completion", "vision"]], [undefined]])(
  "images reach a model whose capabilities are %j",
  async (capabilities) => {
    const fake = await startFake();
    fake.capabilities = capabilities;
    const gateway = await startGateway(fake);
    expect((await gateway.post("/v1/chat/completions", looking)).status).toBe(200);
    expect((await fake.conversation()).body.messages[0]?.images).toEqual(["AAAA"]);
  },
);

test("images that are refused are named as the client called what holds them", async () => {
  const gateway = await startGateway(await startFake());
  const image = { type: "input_image", image_url: "data:image/png;base64,AAAA" };
  const input = [{ role: "user", content: [image] }];
  const error = await errorOf(await gateway.post("/v1/responses", { model: "m", input }));
  expect(error).toMatchObject({ param: "input", message: expect.stringContaining("'input'") as string });
});

test("in Ollama's own form a prompt's images are called images", async () => {
  const gateway = await startGateway(await startFake());
  const response = await gateway.post("/api/generate", { model: "m", prompt: "Hi", images: ["AAAA"] });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: expect.stringContaining("'images'") as string });
});
