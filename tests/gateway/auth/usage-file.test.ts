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

test("a key's debt was forgotten with a restart of the gateway", async () => {
  const { key, line } = newKey("ada", ["tokens=100", "tokens_per_day=1000"]);
  const environment = { API_KEYS: line, USAGE_FILE: usageFile() };
  const fake = await startFake();
  fake.respondWith(last({ prompt_eval_count: 1, eval_count: 5000 }));
  const before = await startGateway(fake, environment);
  expect((await postChat(before, key)).status).toBe(200);
  await before.requestLine(chat);
  // The first gateway still runs, as one that is killed writes nothing more.
  await eventually(() => (existsSync(environment.USAGE_FILE) ? true : undefined));
  const after = await startGateway(fake, environment);
  const refused = await postChat(after, key);
  expect(refused.status).toBe(429);
  expect(fake.received).toHaveLength(1);
  expect(readFileSync(environment.USAGE_FILE, "utf8")).not.toContain(key);
});

test("a gateway that stops writes at once what it has not written yet", async () => {
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
  ["half of it", '{"keys":{"ada":{"tokens":[9'],
  ["nothing", ""],
  ["no keys", "[]"],
  ["other values", '{"keys":{"ada":{"tokens":["many",-1],"day":7,"month":[1,2]},"bob":null}}'],
])("a usage file that holds %s does not keep the gateway from starting", async (_what, text) => {
  const { key, line } = newKey("ada", ["tokens=100"]);
  const path = usageFile();
  writeFileSync(path, text);
  const gateway = await startGateway(await startFake(), { API_KEYS: line, USAGE_FILE: path });
  expect((await postChat(gateway, key)).status).toBe(200);
  // It is replaced by one that is right, at the end at the latest.
  await gateway.close();
  expect(readFileSync(path, "utf8")).toContain('"ada":{"tokens":[');
  expect(readFileSync(path, "utf8")).not.toBe(text);
  if (!text.includes("many")) expect(gateway.log.join("")).toContain("usage of API keys is corrupt");
});

test("a folder that cannot be written to is logged once, and keys work on", async () => {
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

test("what drained away while the gateway was down is not owed any more", () => {
  const usage = new KeyUsage();
  usage.restore({ tokens: [1000, Date.now() - 30_000] });
  expect(Math.round(usage.tokens.used(1000) / 100)).toBe(5);
  // A clock that was set back does not add to it.
  usage.restore({ tokens: [1000, Date.now() + 3_600_000] });
  expect(usage.tokens.used(1000)).toBeLessThanOrEqual(1000);
});

test.each([
  ["day", "tokens_per_day=10", "2026-11-28T23:00:00Z", "2026-11-29T00:00:00Z"],
  ["month", "tokens_per_month=10", "2026-11-30T23:00:00Z", "2026-12-01T00:00:00Z"],
])("a budget per %s is used up, and resets with the next one, UTC", async (unit, field, now, reset) => {
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
  const refused = await postChat(gateway, key);
  expect(refused.status).toBe(429);
  expect(refused.headers.get("retry-after")).toBe("3600");
  expect(await errorOf(refused)).toMatchObject({
    code: "rate_limit_exceeded",
    type: "tokens",
    message: `Budget used up: 10 tokens per ${unit}. It resets at ${reset}. Retry in 3600 s.`,
  });
  vi.setSystemTime(new Date(reset));
  expect((await postChat(gateway, key)).status).toBe(200);
});

test("a key whose limits are changed keeps what it has used of its budget", () => {
  const ledger = new UsageLedger("", silent);
  const before = new RateLimits({ tokensPerDay: 10 }, ledger.of("ada"));
  expect(before.enter()).toBeUndefined();
  before.leave(15, undefined, undefined);
  expect(new RateLimits({ tokensPerDay: 12 }, ledger.of("ada")).enter()).toMatchObject({
    code: "rate_limit_exceeded",
  });
  expect(new RateLimits({ tokensPerDay: 20 }, ledger.of("ada")).enter()).toBeUndefined();
});
