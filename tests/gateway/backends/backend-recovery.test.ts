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
// The documented maximum with default settings.
const MAX_RECOVERY_MS = 5000;

/**
 * Starts a server on the port and expects that it gets a request in time. It is the less busy one, so the first request
 * after its recovery goes there.
 */
async function expectRecovery(gateway: TestGateway, port: number): Promise<void> {
  const recovered = await FakeOllama.start(port);
  onTestFinished(() => recovered.stop());
  const since = performance.now();
  while (recovered.received.length === 0 && performance.now() - since < MAX_RECOVERY_MS) {
    // The other server responds, so no request triggers a probe. Each request is a new conversation, because an
    // existing one would stay on the other server.
    const messages = [{ role: "user", content: `Hi at ${performance.now()}` }];
    expect((await gateway.post(chat, { ...hello, messages })).status).toBe(200);
    await sleep(50);
  }
  expect(recovered.received).toHaveLength(1);
}

test(
  "uses a recovered server within 5 s although no request needs it",
  async () => {
    const { gateway, left } = await startTwo(() => undefined, { POLL_INTERVAL_MS: "", PROBE_TIMEOUT_MS: "" });
    await left.stop();
    expect((await gateway.post(chat, hello)).status).toBe(200);
    await expectRecovery(gateway, left.port);
  },
  3 * MAX_RECOVERY_MS,
);

test(
  "uses a recovered server within 5 s while earlier probes are still pending",
  async () => {
    const [away, right] = await Promise.all([startHanging(), startFake()]);
    const gateway = await startGateway(right, {
      LLM_BACKENDS: `127.0.0.1:${away.port}, 127.0.0.1:${right.port}`,
      PROBE_TIMEOUT_MS: "",
    });
    await eventually(() => (away.hung.length === 3 ? true : undefined));
    away.stopListening();
    await expectRecovery(gateway, away.port);
  },
  3 * MAX_RECOVERY_MS,
);
