import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { probes, remember, remembered } from "../../../scripts/setup/probes.ts";

let cache: string;

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "ollama-stack-world-"));
  vi.stubEnv("OLLAMA_STACK_CACHE", cache);
});

afterEach(() => {
  vi.unstubAllEnvs();
  vi.useRealTimers();
  rmSync(cache, { recursive: true, force: true });
});

it("a site that once did not answer is asked again a day later; one that did is not", () => {
  vi.useFakeTimers({ now: 0, toFake: ["Date"] });
  const built = { world: "built", reason: "no answer" } as const;
  remember(built);
  vi.setSystemTime(23 * 3_600_000);
  expect(remembered()).toEqual(built);
  vi.setSystemTime(25 * 3_600_000);
  expect(remembered()).toBeUndefined();

  const released = { world: "released", reason: "reached" } as const;
  remember(released);
  vi.setSystemTime(9_000 * 3_600_000);
  expect(remembered()).toEqual(released);
});

it("what an older version remembered, without a date, is asked again", () => {
  writeFileSync(join(cache, "world.json"), JSON.stringify({ world: "built", reason: "" }));
  expect(remembered()).toBeUndefined();
});

it("the download site is looked for by way of the environment's proxy", async () => {
  const asked: string[] = [];
  const proxy = createServer().on("connect", ({ url }, socket) => {
    asked.push(url ?? "");
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  vi.stubEnv("HTTPS_PROXY", `http://127.0.0.1:${String((proxy.address() as AddressInfo).port)}`);
  vi.stubEnv("NO_PROXY", "");
  expect(await probes(undefined).siteReachable()).toBe(false);
  expect(asked).toEqual(["get.pulumi.com:443"]);
  proxy.close();
});
