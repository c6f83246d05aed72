import { describe, expect, test } from "vitest";
import type { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const thinkingRequests = [
  ["/v1/chat/completions", { ...hello, reasoning_effort: "high" }, "reasoning_effort"],
  ["/v1/responses", { model: "m", input: "Hi", reasoning: { effort: "high" } }, "reasoning.effort"],
  [
    "/v1/messages",
    { ...hello, max_tokens: 9, thinking: { type: "adaptive" }, output_config: { effort: "high" } },
    "thinking",
  ],
] as const;

/** Rejects other values of `think`, like Ollama 0.17. */
function allowThink(fake: FakeOllama, allowed: readonly unknown[], error: string): void {
  fake.respondTo(({ think }) =>
    allowed.includes(think) ? undefined : [{ status: 400, body: JSON.stringify({ error }) }],
  );
}

const noLevels = 'think value "high" is not supported for this model';
const noThinking = '"m" does not support thinking';

describe.each(thinkingRequests)("%s", (path, body, thinking) => {
  test("leaves out the level if the model thinks without levels", async () => {
    const fake = await startFake();
    allowThink(fake, [true, false, undefined], noLevels);
    const gateway = await startGateway(fake);
    const response = await gateway.post(path, body);
    expect(response.status).toBe(200);
    expect(response.headers.get("x-ignored-parameters")).toContain(thinking);
    expect(fake.received.map((each) => each.body.think)).toEqual(["high", true]);
  });

  test("leaves out thinking if the model cannot think and does not try it again, also for streams", async () => {
    const fake = await startFake();
    allowThink(fake, [false, undefined], noThinking);
    const gateway = await startGateway(fake);
    for (const stream of [false, true]) {
      const response = await gateway.post(path, { ...body, stream });
      expect(response.status).toBe(200);
      expect(response.headers.get("x-ignored-parameters")).toContain(thinking);
      await response.text();
    }
    expect(fake.received.map((each) => each.body.think)).toEqual(["high", true, undefined, undefined]);
  });

  test("rejects the parameter by name with STRICT_PARAMETERS=on", async () => {
    const fake = await startFake();
    allowThink(fake, [false, undefined], noThinking);
    const gateway = await startGateway(fake, { STRICT_PARAMETERS: "on" });
    const response = await gateway.post(path, body);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(thinking);
  });
});

test("the native API passes on Ollama's rejection", async () => {
  const fake = await startFake();
  allowThink(fake, [false, undefined], noThinking);
  const gateway = await startGateway(fake);
  const response = await gateway.post("/api/chat", { ...hello, think: true });
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({
    error: expect.stringContaining("does not support thinking") as string,
  });
});

test("sends the level to a model that thinks with levels", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const response = await gateway.post("/v1/chat/completions", { ...hello, reasoning_effort: "low" });
  expect(response.headers.get("x-ignored-parameters")).toBeNull();
  expect((await fake.conversation()).body.think).toBe("low");
});

test("tries thinking again after the model was replaced by another with the same name", async () => {
  const fake = await startFake();
  allowThink(fake, [false, undefined], noThinking);
  const gateway = await startGateway(fake, { POLL_INTERVAL_MS: "100" });
  const send = () => gateway.post("/v1/chat/completions", { ...hello, reasoning_effort: "low" });
  await send();
  fake.respondTo(() => undefined);
  fake.digest = "other";
  await expect
    .poll(
      async () => {
        await send();
        return fake.received.at(-1)?.body.think;
      },
      { timeout: 15_000 },
    )
    .toBe("low");
});
