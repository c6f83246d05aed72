import { describe, expect, test } from "vitest";
import type { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import { hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";

const thoughtful = [
  ["/v1/chat/completions", { ...hello, reasoning_effort: "high" }, "reasoning_effort"],
  ["/v1/responses", { model: "m", input: "Hi", reasoning: { effort: "high" } }, "reasoning.effort"],
  [
    "/v1/messages",
    { ...hello, max_tokens: 9, thinking: { type: "adaptive" }, output_config: { effort: "high" } },
    "thinking",
  ],
] as const;

/** Refuses as Ollama 0.17 does, in its words. */
function thinksOnly(fake: FakeOllama, allowed: readonly unknown[], error: string): void {
  fake.respondTo(({ think }) =>
    allowed.includes(think) ? undefined : [{ status: 400, body: JSON.stringify({ error }) }],
  );
}

const noLevels = 'think value "high" is not supported for this model';
const noThinking = '"m" does not support thinking';

describe.each(thoughtful)("%s", (path, body, thinking) => {
  test("a model without levels of thinking thinks, and the level is left out", async () => {
    const fake = await startFake();
    thinksOnly(fake, [true, false, undefined], noLevels);
    const gateway = await startGateway(fake);
    const response = await gateway.post(path, body);
    expect(response.status).toBe(200);
    expect(response.headers.get("x-ignored-parameters")).toContain(thinking);
    expect(fake.received.map((each) => each.body.think)).toEqual(["high", true]);
  });

  test("a model that cannot think answers without, streamed too, and is not asked to again", async () => {
    const fake = await startFake();
    thinksOnly(fake, [false, undefined], noThinking);
    const gateway = await startGateway(fake);
    for (const stream of [false, true]) {
      const response = await gateway.post(path, { ...body, stream });
      expect(response.status).toBe(200);
      expect(response.headers.get("x-ignored-parameters")).toContain(thinking);
      await response.text();
    }
    expect(fake.received.map((each) => each.body.think)).toEqual(["high", true, undefined, undefined]);
  });

  test("with strict parameters it is refused by its name", async () => {
    const fake = await startFake();
    thinksOnly(fake, [false, undefined], noThinking);
    const gateway = await startGateway(fake, { STRICT_PARAMETERS: "on" });
    const response = await gateway.post(path, body);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(thinking);
  });
});

test("Ollama's own API refuses what Ollama refuses", async () => {
  const fake = await startFake();
  thinksOnly(fake, [false, undefined], noThinking);
  const gateway = await startGateway(fake);
  const response = await gateway.post("/api/chat", { ...hello, think: true });
  expect(response.status).toBe(400);
  expect(await response.json()).toEqual({
    error: expect.stringContaining("does not support thinking") as string,
  });
});

test("a model that thinks by levels is sent the level", async () => {
  const fake = await startFake();
  const gateway = await startGateway(fake);
  const response = await gateway.post("/v1/chat/completions", { ...hello, reasoning_effort: "low" });
  expect(response.headers.get("x-ignored-parameters")).toBeNull();
  expect((await fake.conversation()).body.think).toBe("low");
});

test("a model that was replaced by another of its name is tried again", async () => {
  const fake = await startFake();
  thinksOnly(fake, [false, undefined], noThinking);
  const gateway = await startGateway(fake, { POLL_INTERVAL_MS: "100" });
  const ask = () => gateway.post("/v1/chat/completions", { ...hello, reasoning_effort: "low" });
  await ask();
  fake.respondTo(() => undefined);
  fake.digest = "other";
  await expect
    .poll(
      async () => {
        await ask();
        return fake.received.at(-1)?.body.think;
      },
      { timeout: 15_000 },
    )
    .toBe("low");
});
