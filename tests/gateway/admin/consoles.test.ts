import { once } from "node:events";
import { createServer, request as sendRequest } from "node:http";
import type { AddressInfo } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import { expect, onTestFinished, test } from "vitest";
import { Consoles } from "../../../gateway/src/admin/consoles.ts";
import type { Overview } from "../../../gateway/src/admin/contract/overview.ts";
import type { FinishedRequests } from "../../../gateway/src/admin/finished-requests.ts";
import type { Viewer } from "../../../gateway/src/admin/viewer.ts";
import { controlIntervals } from "../../../test-support/gateway/repeating-timers.ts";

// More than the socket buffers of both sides hold.
const LARGE = "x".repeat(24 * 1024 * 1024);

test("disconnects a console of a revoked key that does not read", async () => {
  const intervals = controlIntervals();
  let isCurrent = true;
  const consoles = new Consoles({
    overviewFor: () => ({ at: LARGE, backends: [], requests: [] }) as unknown as Overview,
    finished: { written: 0 } as unknown as FinishedRequests,
    keys: { isEmpty: false, isCurrent: () => isCurrent },
    slowReaderTimeoutMs: 3_600_000,
  });
  const server = createServer((_request, raw) => {
    const reply = { raw, hijack: () => undefined, getHeaders: () => ({}) } as unknown as FastifyReply;
    const request = { record: {}, keyId: "ada" } as unknown as FastifyRequest;
    consoles.open(request, reply, { admin: true } as unknown as Viewer);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  const client = sendRequest({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" }).end();
  onTestFinished(() => void client.destroy());
  client.on("response", (response) => response.on("error", () => undefined).pause());
  client.on("error", () => undefined);
  await expect.poll(() => consoles.count).toBe(1);
  isCurrent = false;
  intervals.pass(1000);
  await expect.poll(() => consoles.count).toBe(0);
});
