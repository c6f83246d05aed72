import { expect, test } from "vitest";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

test.each([
  ["/v1/chat/completions", hello],
  ["/v1/completions", { model: "m", prompt: "Hi" }],
  ["/v1/embeddings", { model: "m", input: "Hi" }],
  ["/v1/responses", { model: "m", input: "Hi" }],
  ["/v1/messages", { ...hello, max_tokens: 9 }],
  ["/v1/example-service", { messages: "Hi" }],
  ["/api/chat", hello],
  ["/api/generate", { model: "m", prompt: "Hi" }],
  ["/api/embed", { model: "m", input: "Hi" }],
])("a request's keep_alive reaches Ollama unchanged: %s", async (path, body) => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  for (const [n, keepAlive] of ["7m", 300, 0, -1].entries()) {
    const response = await gateway.post(path, { ...body, keep_alive: keepAlive });
    expect(response.status).toBe(200);
    await response.text();
    expect((await fake.conversation(n)).body.keep_alive).toBe(keepAlive);
  }
});
