import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { KeyUsage } from "../../../gateway/src/auth/key-usage.ts";
import { RateLimits } from "../../../gateway/src/auth/rate-limits.ts";
import { UsageLedger } from "../../../gateway/src/auth/usage-ledger.ts";
import { last } from "../../../test-support/fakes/ollama/steps.ts";
import {
  errorOf,
  eventually,
  startFake,
  startGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { postChat } from "../../../test-support/gateway/key-requests.ts";

const chat = "/v1/chat/completions";

/** A file that does not exist yet. */
function usageFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "gateway-usage-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  return join(folder, "usage.json");
}

const silent = {
  warn: () => undefined,
  error: () => undefined,
};

test("keeps a key's debt across a restart", async () => {
  const { key, line } = newKey("ada", ["tokens=100", "tokens_per_day=1000"]);
  const environment = { API_KEYS: line, USAGE_FILE: usageFile() };
  const fake = await startFake();
  fake.respondWith(last({ prompt_eval_count: 1, eval_count: 5000 }));
  const before = await startGateway(fake, environment);
  expect((await postChat(before, key)).status).toBe(200);
  await before.requestLine(chat);
  // The first gateway keeps running, so it writes nothing more, like a killed one.
  await eventually(() => (existsSync(environment.USAGE_FILE) ? true : undefined));
  const after = await startGateway(fake, environment);
  const rejected = await postChat(after, key);
  expect(rejected.status).toBe(429);
  expect(fake.received).toHaveLength(1);
  expect(readFileSync(environment.USAGE_FILE, "utf8")).not.toContain(key);
});

test("the ledger writes pending usage when it is closed", async () => {
  const path = usageFile();
  const ledger = new UsageLedger(path, silent);
  const limits = new RateLimits({ tokensPerMonth: 10 }, ledger.of("ada"), ledger.scheduleWrite);
  expect(limits.enter()).toBeUndefined();
  limits.leave(12, undefined, undefined);
  await ledger.close();
  const again = new UsageLedger(path, silent);
  expect(new RateLimits({ tokensPerMonth: 10 }, again.of("ada")).enter()).toMatchObject({
    code: "rate_limit_exceeded",
  });
  expect(new RateLimits({ tokensPerMonth: 10 }, again.of("bob")).enter()).toBeUndefined();
});

test.each([
  ["truncated JSON", '{"keys":{"ada":{"tokens":[9'],
  ["nothing", ""],
  ["an array", "[]"],
  ["invalid values", '{"keys":{"ada":{"tokens":["many",-1],"day":7,"month":[1,2]},"bob":null}}'],
])("starts with a usage file that contains %s", async (_what, text) => {
  const { key, line } = newKey("ada", ["tokens=100"]);
  const path = usageFile();
  writeFileSync(path, text);
  const gateway = await startGateway(await startFake(), { API_KEYS: line, USAGE_FILE: path });
  expect((await postChat(gateway, key)).status).toBe(200);
  // A valid file replaces it at shutdown at the latest.
  await gateway.close();
  expect(readFileSync(path, "utf8")).toContain('"ada":{"tokens":[');
  expect(readFileSync(path, "utf8")).not.toBe(text);
  if (!text.includes("many")) expect(gateway.log.join("")).toContain("usage of API keys is corrupt");
});

test("logs that the folder cannot be written to and keeps accepting keys", async () => {
  const { key, line } = newKey("ada", ["requests=100"]);
  const gateway = await startGateway(await startFake(), {
    API_KEYS: line,
    USAGE_FILE: "/proc/no/usage.json",
  });
  expect((await postChat(gateway, key)).status).toBe(200);
  await eventually(() =>
    gateway.log.join("").includes("cannot write the usage of API keys") ? true : undefined,
  );
  expect((await postChat(gateway, key)).status).toBe(200);
});

test("reduces a debt by the time that the gateway was down", () => {
  const usage = new KeyUsage();
  usage.restore({ tokens: [1000, Date.now() - 30_000] });
  expect(Math.round(usage.tokens.used(1000) / 100)).toBe(5);
  // A clock that was set back does not increase the debt.
  usage.restore({ tokens: [1000, Date.now() + 3_600_000] });
  expect(usage.tokens.used(1000)).toBeLessThanOrEqual(1000);
});

test.each([
  ["day", "tokens_per_day=10", "2026-11-28T23:00:00Z", "2026-11-29T00:00:00Z"],
  ["month", "tokens_per_month=10", "2026-11-30T23:00:00Z", "2026-12-01T00:00:00Z"],
])(
  "rejects requests beyond the budget per %s until the next one begins, in UTC",
  async (unit, field, now, reset) => {
    vi.useFakeTimers({ toFake: ["Date"], now: new Date(now) });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const { key, line } = newKey("ada", [field]);
    const gateway = await startGateway(await startFake(), { API_KEYS: line });
    const first = await postChat(gateway, key);
    expect(first.status).toBe(200);
    expect(first.headers.has("x-ratelimit-limit-tokens")).toBe(false);
    await first.text();
    await gateway.requestLine(chat);
    const rejected = await postChat(gateway, key);
    expect(rejected.status).toBe(429);
    expect(rejected.headers.get("retry-after")).toBe("3600");
    expect(await errorOf(rejected)).toMatchObject({
      code: "rate_limit_exceeded",
      type: "tokens",
      message: `Budget used up: 10 tokens per ${unit}. It resets at ${reset}. Retry in 3600 s.`,
    });
    vi.setSystemTime(new Date(reset));
    expect((await postChat(gateway, key)).status).toBe(200);
  },
);

test("keeps the used budget of a key whose limits change", () => {
  const ledger = new UsageLedger("", silent);
  const before = new RateLimits({ tokensPerDay: 10 }, ledger.of("ada"));
  expect(before.enter()).toBeUndefined();
  before.leave(15, undefined, undefined);
  expect(new RateLimits({ tokensPerDay: 12 }, ledger.of("ada")).enter()).toMatchObject({
    code: "rate_limit_exceeded",
  });
  expect(new RateLimits({ tokensPerDay: 20 }, ledger.of("ada")).enter()).toBeUndefined();
});
