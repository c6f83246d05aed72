import { expect, test } from "vitest";
import { errorOf, hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const imageRequest = {
  ...hello,
  messages: [
    { role: "user", content: [{ type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } }] },
  ],
};

test("rejects images for a model without vision, where Ollama would drop them silently", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const response = await gateway.post("/v1/chat/completions", imageRequest);
  expect(response.status).toBe(400);
  expect(await errorOf(response)).toMatchObject({ code: "unsupported_parameter", param: "messages" });
  expect(fake.received).toHaveLength(0);
});

test.each([[["completion", "vision"]], [undefined]])(
  "sends images to a model with the capabilities %j",
  async (capabilities) => {
    const fake = await startFake();
    fake.capabilities = capabilities;
    const gateway = await startGateway(fake);
    expect((await gateway.post("/v1/chat/completions", imageRequest)).status).toBe(200);
    expect((await fake.conversation()).body.messages[0]?.images).toEqual(["AAAA"]);
  },
);

test("names the client's parameter that contains rejected images", async () => {
  const gateway = await startGateway(await startFake());
  const image = { type: "input_image", image_url: "data:image/png;base64,AAAA" };
  const input = [{ role: "user", content: [image] }];
  const error = await errorOf(await gateway.post("/v1/responses", { model: "m", input }));
  expect(error).toMatchObject({ param: "input", message: expect.stringContaining("'input'") as string });
});

test("names the parameter 'images' in an error of the native API", async () => {
  const gateway = await startGateway(await startFake());
  const response = await gateway.post("/api/generate", { model: "m", prompt: "Hi", images: ["AAAA"] });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: expect.stringContaining("'images'") as string });
});
