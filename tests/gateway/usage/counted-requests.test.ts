import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { controlled } from "../../../test-support/gateway/controlled-gateway.ts";
import { last } from "../../../test-support/fakes/ollama/steps.ts";
import { hello, startFake } from "../../../test-support/gateway/gateway-harness.ts";
import { postChat } from "../../../test-support/gateway/key-requests.ts";

const month = new Date().toISOString().slice(0, 7);
const chat = "/v1/chat/completions";

interface Usage {
  readonly own: readonly { readonly promptTokens: number; readonly generatedTokens: number }[];
}

test("reports the same usage that counts towards a key's budget", async () => {
  const budgeted = newKey("ada", ["tokens_per_month=70"]);
  const other = newKey("bob", []);
  const fake = await startFake();
  fake.respondWith(last({ prompt_eval_count: 30, eval_count: 5 }));
  const gateway = await controlled([fake], { API_KEYS: `${budgeted.line}\n${other.line}` });
  for (const key of [budgeted.key, other.key, budgeted.key]) {
    const response = await postChat(gateway, key);
    expect(response.status).toBe(200);
    await response.text();
  }
  await gateway.requestLine(chat, 2);
  expect((await postChat(gateway, budgeted.key)).status).toBe(429);
  expect((await postChat(gateway, "wrong")).status).toBe(401);
  const result = await gateway.control("usage", month);
  expect(result.code).toBe(0);
  expect(JSON.parse(result.output)).toMatchObject({
    own: [
      { key: "ada", model: "m:latest", requests: 2, promptTokens: 60, generatedTokens: 10 },
      { key: "bob", model: "m:latest", requests: 1, promptTokens: 30, generatedTokens: 5 },
    ],
    others: [],
  });
});

test("a budget added in mid-month includes the key's earlier usage", async () => {
  const folder = mkdtempSync(join(tmpdir(), "gateway-usage-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
  });
  const { key, line } = newKey("ada", []);
  const fake = await startFake();
  fake.respondWith(last({ prompt_eval_count: 30, eval_count: 5 }));
  const USAGE_FILE = join(folder, "g.json");
  const before = await controlled([fake], { API_KEYS: line, USAGE_FILE });
  expect((await postChat(before, key)).status).toBe(200);
  await before.requestLine(chat);
  await before.close();
  const after = await controlled([fake], { API_KEYS: `${line} tokens_per_month=35`, USAGE_FILE });
  expect((await postChat(after, key)).status).toBe(429);
  const { own } = JSON.parse((await after.control("usage", month)).output) as Usage;
  expect(own).toMatchObject([{ promptTokens: 30, generatedTokens: 5 }]);
});

test("counts requests under an empty name without keys, and embeddings as prompt tokens", async () => {
  const fake = await startFake();
  const gateway = await controlled([fake]);
  expect((await gateway.post("/v1/embeddings", { model: "m", input: "Hi" })).status).toBe(200);
  await gateway.requestLine("/v1/embeddings");
  fake.respondWith(last({ prompt_eval_count: 30, eval_count: 5 }));
  expect((await gateway.post(chat, hello)).status).toBe(200);
  await gateway.requestLine(chat);
  const { own } = JSON.parse((await gateway.control("usage", month)).output) as Usage;
  expect(own).toMatchObject([
    { key: "", model: "m:latest", requests: 2, promptTokens: 32, generatedTokens: 5 },
  ]);
});

test("the usage command rejects an invalid month", async () => {
  const gateway = await controlled([await startFake()]);
  expect(await gateway.control("usage", "november")).toEqual({
    code: 1,
    output: '"november" is not a month; write it as in 2026-11\n',
  });
});
