import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import {
  eventually,
  hello,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { startHanging, startTwo } from "../../../test-support/gateway/two-backends.ts";

const chat = "/v1/chat/completions";
// What is promised, with the gateway's own settings.
const SOON_MS = 5000;

/** A server takes its place on a port; it is the less busy one, so each request goes there as soon as it is used. */
async function usedSoon(gateway: TestGateway, port: number): Promise<void> {
  const back = await FakeOllama.start(port);
  onTestFinished(() => back.stop());
  const since = performance.now();
  while (back.received.length === 0 && performance.now() - since < SOON_MS) {
    // Whoever is there answers, and nobody has to look for the one that is away. A conversation that began elsewhere
    // would go on there.
    const messages = [{ role: "user", content: `Hi at ${performance.now()}` }];
    expect((await gateway.post(chat, { ...hello, messages })).status).toBe(200);
    await sleep(50);
  }
  expect(back.received).toHaveLength(1);
}

test(
  "a server that comes back is used within 5 s, though nobody misses it",
  async () => {
    const { gateway, left } = await startTwo(() => undefined, { POLL_INTERVAL_MS: "", PROBE_TIMEOUT_MS: "" });
    await left.stop();
    expect((await gateway.post(chat, hello)).status).toBe(200);
    await usedSoon(gateway, left.port);
  },
  3 * SOON_MS,
);

test(
  "nor does it take longer when the gateway still waits for what it asked before",
  async () => {
    const [away, right] = await Promise.all([startHanging(), startFake()]);
    const gateway = await startGateway(right, {
      LLM_BACKENDS: `127.0.0.1:${away.port}, 127.0.0.1:${right.port}`,
      PROBE_TIMEOUT_MS: "",
    });
    await eventually(() => (away.hung.length === 3 ? true : undefined));
    away.stopListening();
    await usedSoon(gateway, away.port);
  },
  3 * SOON_MS,
);
