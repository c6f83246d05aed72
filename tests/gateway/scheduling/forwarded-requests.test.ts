import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { buildApp } from "../../../gateway/src/app.ts";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { readConfig } from "../../../gateway/src/config/config.ts";
import { createLog } from "../../../gateway/src/observability/log.ts";
import { startFake } from "../../../test-support/gateway/gateway-harness.ts";

test("a gateway that shuts down finishes a pull in flight and rejects new ones", async () => {
  const fake = await startFake();
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  fake.respondWith({ line: { status: "pulling" } }, { until: released }, { line: { status: "success" } });
  const { key, line } = newKey("root", ["admin"]);
  const config = readConfig({ LLM_SERVICE_PORT: `${fake.port}`, API_KEYS: line });
  const app = buildApp(config, createLog("error", { write: () => undefined }));
  await app.listen({ host: "127.0.0.1", port: 0 });
  onTestFinished(() => {
    app.server.closeAllConnections();
  });
  const pull = (): Promise<Response> =>
    fetch(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}/api/pull`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": key },
      body: JSON.stringify({ model: "m" }),
    });
  const inFlight = await pull();
  const closed = app.close();
  const rejected = await pull();
  expect([rejected.status, await rejected.text()]).toEqual([503, expect.stringContaining("shutting down")]);
  // Connections are closed two seconds after the last request.
  await sleep(3000);
  release(undefined);
  expect(await inFlight.text()).toContain("success");
  await closed;
});
