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

it("probes unreachable sites again after a day, but never reachable ones", () => {
  vi.useFakeTimers({ now: 0, toFake: ["Date"] });
  const built = { toolSource: "built", reason: "no response", lasting: false } as const;
  remember(built);
  vi.setSystemTime(23 * 3_600_000);
  expect(remembered()).toBe("built");
  vi.setSystemTime(25 * 3_600_000);
  expect(remembered()).toBeUndefined();

  const released = { toolSource: "released", reason: "reached", lasting: true } as const;
  remember(released);
  vi.setSystemTime(9_000 * 3_600_000);
  expect(remembered()).toBe("released");
});

it("ignores a decision of an older version without a date", () => {
  writeFileSync(join(cache, "world.json"), JSON.stringify({ world: "built", reason: "" }));
  expect(remembered()).toBeUndefined();
});

it.each(["HTTPS_PROXY", "https_proxy", "npm_config_https_proxy"])(
  "probes the download sites through the proxy in %s, and reports its rejection",
  async (variable) => {
    const targets: string[] = [];
    const proxy = createServer().on("connect", ({ url }, socket) => {
      targets.push(url ?? "");
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    vi.stubEnv(variable, `http://127.0.0.1:${String((proxy.address() as AddressInfo).port)}`);
    expect(await probes(undefined).siteFailure()).toMatch(/^get\.pulumi\.com: .*403.*; github\.com: .*403/);
    expect(targets.toSorted()).toEqual(["get.pulumi.com:443", "github.com:443"]);
    proxy.close();
  },
);
