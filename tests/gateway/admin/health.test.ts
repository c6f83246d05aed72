import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { revokeKey, rotateKey } from "../../../scripts/keys/key-lines.ts";
import { healthOf } from "../../../gateway/src/admin/health.ts";
import { Viewer } from "../../../gateway/src/admin/viewer.ts";
import { Consumer } from "../../../gateway/src/auth/consumer.ts";
import { readConfig } from "../../../gateway/src/config/config.ts";
import { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import { admin, threeKeys } from "../../../test-support/gateway/admin-api.ts";
import { startFake, startGateway, type TestGateway } from "../../../test-support/gateway/gateway-harness.ts";
import { fileOf } from "../../../test-support/gateway/key-requests.ts";
import { controlIntervals } from "../../../test-support/gateway/repeating-timers.ts";

const HOUR_MS = 3_600_000;

async function findings(gateway: TestGateway, check: string, key?: string) {
  const { findings: all } = await admin(gateway, "health", key === undefined ? {} : { key });
  return all.filter((each) => each.check === check);
}

test("reports missing models and models that are not kept loaded until they are available", async () => {
  const fake = await startFake();
  fake.models = [];
  const environment = { REQUIRED_MODELS: "m", KEEP_LOADED_MODELS: "m", POLL_INTERVAL_MS: "20" };
  const gateway = await startGateway(fake, environment);
  await expect
    .poll(() => findings(gateway, "backend"))
    .toMatchObject([{ level: "ok", subject: `127.0.0.1:${fake.port}` }]);
  expect(await findings(gateway, "required_model")).toMatchObject([
    { level: "error", subject: "m", advice: expect.any(String) as string },
  ]);
  expect(await findings(gateway, "kept_loaded_model")).toMatchObject([{ level: "warning", subject: "m" }]);
  expect((await admin(gateway, "health")).level).toBe("error");
  fake.models = ["m:latest"];
  await expect.poll(async () => (await admin(gateway, "health")).level).toBe("ok");
  expect(await findings(gateway, "required_model")).toMatchObject([{ level: "ok" }]);
});

test("reports an unreachable server as an error with its address", async () => {
  const down = await FakeOllama.start();
  const up = await startFake();
  const gateway = await startGateway(up, {
    LLM_BACKENDS: `127.0.0.1:${down.port}, 127.0.0.1:${up.port}`,
    POLL_INTERVAL_MS: "20",
  });
  const levels = async () =>
    (await findings(gateway, "backend")).map(({ level, subject }) => [level, subject]);
  await expect.poll(levels).toEqual([
    ["ok", `127.0.0.1:${down.port}`],
    ["ok", `127.0.0.1:${up.port}`],
  ]);
  await down.stop();
  await expect.poll(levels).toEqual([
    ["error", `127.0.0.1:${down.port}`],
    ["ok", `127.0.0.1:${up.port}`],
  ]);
});

test("warns about a model that is not entirely in GPU memory on a server with a GPU", async () => {
  const fake = await startFake();
  const loaded = (vram: number) => [{ name: "m:latest", size: 1000, size_vram: vram, context_length: 4096 }];
  fake.loaded = loaded(1000);
  const gateway = await startGateway(fake, { POLL_INTERVAL_MS: "20" });
  await expect
    .poll(async () => (await admin(gateway, "overview")).models.loaded)
    .toMatchObject([{ gpu_share: 1 }]);
  expect(await findings(gateway, "gpu")).toEqual([]);
  fake.loaded = loaded(250);
  await expect
    .poll(() => findings(gateway, "gpu"))
    .toMatchObject([
      { level: "warning", subject: "m:latest", message: expect.stringContaining("25 %") as string },
    ]);
  fake.loaded = loaded(0);
  await expect
    .poll(() => findings(gateway, "gpu"))
    .toMatchObject([{ message: expect.stringContaining(" 0 %") as string }]);
});

test("does not warn about a model on a server without a GPU", async () => {
  const fake = await startFake();
  fake.loaded = [{ name: "m:latest", size: 1000, size_vram: 0 }];
  const gateway = await startGateway(fake, { POLL_INTERVAL_MS: "20" });
  await expect
    .poll(async () => (await admin(gateway, "overview")).models.loaded)
    .toMatchObject([{ gpu_share: 0, size_bytes: 1000, vram_bytes: 0, expires_at: null }]);
  expect(await findings(gateway, "gpu")).toEqual([]);
});

test("shows when a model will be unloaded, or null if that is never or unknown", async () => {
  const fake = await startFake();
  const soon = new Date(Date.now() + 300_000).toISOString();
  fake.loaded = [
    { name: "m:latest", expires_at: soon },
    { name: "n:latest", expires_at: "2318-01-01T00:00:00Z" },
    { name: "o:latest", expires_at: "whenever" },
  ];
  const gateway = await startGateway(fake);
  await expect.poll(async () => (await admin(gateway, "overview")).models.loaded).toHaveLength(3);
  const { loaded } = (await admin(gateway, "overview")).models;
  expect(Math.abs(Date.parse(loaded[0]?.expires_at ?? "") - Date.parse(soon))).toBeLessThan(60_000);
  expect(loaded.slice(1).map((each) => each.expires_at)).toEqual([null, null]);
});

test("reports an invalid key file to admins until it is fixed", async () => {
  const { API_KEYS, root, ada } = threeKeys();
  const lines = API_KEYS.replaceAll(";", "\n");
  const path = fileOf(lines);
  const intervals = controlIntervals();
  const findingsLater = () => {
    intervals.pass(500);
    return findings(gateway, "key_file", root);
  };
  const gateway = await startGateway(await startFake(), { API_KEYS_FILE: path });
  expect(await findings(gateway, "key_file", root)).toEqual([]);
  writeFileSync(path, "ada colour=red\n");
  await expect.poll(findingsLater).toMatchObject([{ level: "error", subject: path }]);
  expect(await findings(gateway, "key_file", ada)).toEqual([]);
  writeFileSync(path, `${lines}\n`);
  await expect.poll(findingsLater).toEqual([]);
});

test("warns about keys that expire within two weeks, an ordinary key only about itself", async () => {
  const soon = new Date(Date.now() + 5 * 24 * 3_600_000).toISOString().slice(0, 10);
  const [ada, bob, root] = [
    newKey("ada", [`expires=${soon}`]),
    newKey("bob", ["expires=2199-01-01"]),
    newKey("root", ["admin"]),
  ];
  const gateway = await startGateway(await startFake(), { API_KEYS: `${ada.line};${bob.line};${root.line}` });
  expect(await findings(gateway, "key_expiry", root.key)).toMatchObject([
    { level: "warning", subject: "ada" },
  ]);
  expect(await findings(gateway, "key_expiry", ada.key)).toHaveLength(1);
  expect(await findings(gateway, "key_expiry", bob.key)).toEqual([]);
});

test("warns about no key that is being rotated, and of two that expire only about the later one", async () => {
  const [rotated, expired] = [newKey("ada", []), newKey("bob", ["expires=2020-01-01"])];
  const { lines } = rotateKey([rotated.line], "ada", 24 * HOUR_MS);
  const inFiveDays = `expires=${new Date(Date.now() + 120 * HOUR_MS).toISOString()}`;
  const tomorrow = `expires=${new Date(Date.now() + 24 * HOUR_MS).toISOString()}`;
  const [first, second] = [newKey("cy", [tomorrow]), newKey("cy", [inFiveDays])];
  const root = newKey("root", ["admin"]);
  const all = [...lines, expired.line, newKey("bob", []).line, first.line, second.line, root.line];
  const gateway = await startGateway(await startFake(), { API_KEYS: all.join(";") });
  const [warning, ...others] = await findings(gateway, "key_expiry", root.key);
  expect(others).toEqual([]);
  expect(warning).toMatchObject({
    subject: "cy",
    message: `The key cy expires at ${inFiveDays.slice("expires=".length)}.`,
  });
  // Both commands of the advice succeed, one after the other.
  const [, id] =
    /revoke cy (\w+)\. Then replace it: npm run keys -- rotate cy\.$/.exec(warning?.advice ?? "") ?? [];
  expect(() => rotateKey(revokeKey(all, "cy", id).lines, "cy", 0)).not.toThrow();
});

test.each([
  [80, "ok"],
  [90, "warning"],
])("reports %i %% of the memory limit as %s", (used, level) => {
  const shown = healthOf(
    {
      gateway: { backends: { all: [] } as never, config: readConfig({}), shared: undefined },
      keys: { keys: [], fileProblem: undefined },
      ledger: { hasFailed: false },
      usage: { hasFailed: false },
      memory: () => ({ usedBytes: used, limitBytes: 100 }),
    },
    new Viewer({ consumer: new Consumer({}) }, { isEmpty: true }),
  );
  expect(shown.findings.filter(({ check }) => check === "memory")).toMatchObject([{ level }]);
  expect(shown.gateway).toMatchObject({ memory_bytes: used, memory_limit_bytes: 100 });
  // There is no server.
  expect(shown.findings[0]).toMatchObject({ check: "backend", level: "error" });
});

test.each(["ledger", "usage"])("reports a failed write of the %s as an error", (failing) => {
  const { level, findings: found } = healthOf(
    {
      gateway: {
        backends: { all: [] } as never,
        config: readConfig({ USAGE_FILE: "/usage/gateway.json" }),
        shared: undefined,
      },
      keys: { keys: [], fileProblem: undefined },
      ledger: { hasFailed: failing === "ledger" },
      usage: { hasFailed: failing === "usage" },
    },
    new Viewer({ consumer: new Consumer({}) }, { isEmpty: true }),
  );
  expect(level).toBe("error");
  expect(found).toContainEqual(
    expect.objectContaining({ check: "usage_file", subject: "/usage/gateway.json" }),
  );
});

test.each([
  [true, "ok", "3 gateways share slots and limits."],
  [false, "warning", "The shared state is unreachable: this gateway uses its own share of slots and limits."],
])("reports the shared state to admins only (up: %s, level: %s)", (isUp, level, message) => {
  const shared = { isUp, gateways: 3, failures: 0 };
  const found = (admin: boolean) =>
    healthOf(
      {
        gateway: { backends: { all: [] } as never, config: readConfig({}), shared },
        keys: { keys: [], fileProblem: undefined },
        ledger: { hasFailed: false },
        usage: { hasFailed: false },
      },
      new Viewer({ consumer: new Consumer({ admin }) }, { isEmpty: false }),
    ).findings.filter(({ check }) => check === "shared_state");
  expect(found(true)).toMatchObject([{ level, message }]);
  expect(found(false)).toEqual([]);
});
