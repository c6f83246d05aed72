import { once } from "node:events";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { ConfigError, readConfig } from "../../../gateway/src/config/config.ts";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { KeyFileWatcher, readKeyFile } from "../../../gateway/src/auth/key-file.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";
import { postChat, fileOf } from "../../../test-support/gateway/key-requests.ts";
import { controlIntervals } from "../../../test-support/gateway/repeating-timers.ts";

/** Makes the gateway check the file whenever the test polls, instead of every half second. */
function reloadOnPoll(): <Result>(check: () => Result) => () => Result {
  const intervals = controlIntervals();
  return (check) => () => {
    intervals.pass(500);
    return check();
  };
}

test("reads keys from a file", async () => {
  const { key, line } = newKey("ada", []);
  const gateway = await startGateway(await startFake(), { API_KEYS_FILE: fileOf(`# keys\n\n${line}\n`) });
  expect((await postChat(gateway, key)).status).toBe(200);
  expect((await postChat(gateway, "other")).status).toBe(401);
});

test("reloads the file: accepts an added key, rejects a removed one and keeps the usage of the others", async () => {
  const [ada, bob] = [newKey("ada", ["requests=1"]), newKey("bob", [])];
  const file = fileOf(ada.line);
  const afterReload = reloadOnPoll();
  const gateway = await startGateway(await startFake(), { API_KEYS_FILE: file });
  const status = async (key: string): Promise<number> => (await postChat(gateway, key)).status;
  expect(await status(ada.key)).toBe(200);
  expect(await status(bob.key)).toBe(401);

  writeFileSync(file, `${ada.line}\n${bob.line}\n`);
  await expect.poll(afterReload(() => status(bob.key))).toBe(200);
  expect(await status(ada.key)).toBe(429);

  // Editors and mounted secrets replace the file.
  writeFileSync(`${file}.new`, ada.line);
  renameSync(`${file}.new`, file);
  await expect.poll(afterReload(() => status(bob.key))).toBe(401);
  expect(await status(ada.key)).toBe(429);
  const audited = gateway.log
    .map((each) => JSON.parse(each) as Record<string, unknown>)
    .filter(({ msg }) => msg === "audit");
  const labels = [ada, bob].map(({ line }) => line.replace(/^(\w+) sha256=(.{8}).*/s, "$1:$2"));
  expect(audited).toMatchObject([
    { act: "change-keys", target: file, added: [labels[1]], removed: [], changed: [] },
    { act: "change-keys", target: file, added: [], removed: [labels[1]], changed: [] },
  ]);
});

test("authenticates each request of a connection by its own key and rejects a removed key", async () => {
  const [ada, bob] = [newKey("ada", []), newKey("bob", [])];
  const file = fileOf(`${ada.line}\n${bob.line}`);
  const afterReload = reloadOnPoll();
  const gateway = await startGateway(await startFake(), { API_KEYS_FILE: file });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number | undefined>();
  const status = async (key: string): Promise<number | undefined> => {
    const headers = { authorization: `Bearer ${key}` };
    const sent = request(`${gateway.url}/v1/models`, { agent, headers }).end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    ports.add(response.socket.localPort);
    await once(response.resume(), "end");
    return response.statusCode;
  };
  for (const key of [ada.key, bob.key, ada.key, ada.key]) expect(await status(key)).toBe(200);
  expect(await status(`${ada.key}x`)).toBe(401);
  expect(await status(ada.key)).toBe(200);
  writeFileSync(file, bob.line);
  await expect.poll(afterReload(() => status(ada.key))).toBe(401);
  expect(await status(bob.key)).toBe(200);
  expect(ports.size).toBe(1);
  agent.destroy();
});

test("denies /metrics to the last remaining key, as it includes the usage of removed keys", async () => {
  const [ada, bob] = [newKey("ada", []), newKey("bob", [])];
  const file = fileOf(`${ada.line}\n${bob.line}`);
  const afterReload = reloadOnPoll();
  const gateway = await startGateway(await startFake(), { API_KEYS_FILE: file });
  await (await postChat(gateway, bob.key)).text();
  writeFileSync(file, ada.line);
  await expect.poll(afterReload(async () => (await postChat(gateway, bob.key)).status)).toBe(401);
  const headers = { authorization: `Bearer ${ada.key}` };
  expect((await fetch(`${gateway.url}/metrics`, { headers })).status).toBe(403);
});

test("keeps the keys if the file becomes invalid and logs each problem once", async () => {
  const { key, line } = newKey("ada", []);
  const file = fileOf(line);
  const afterReload = reloadOnPoll();
  const gateway = await startGateway(await startFake(), { API_KEYS_FILE: file });
  const problems = (): string[] => gateway.log.filter((each) => each.includes("cannot read the API keys"));
  const faults: [() => void, string][] = [
    [
      () => {
        writeFileSync(file, "bob sha256=sk-secret\n");
      },
      "key 1: its sha256 must be",
    ],
    [
      () => {
        writeFileSync(file, "");
      },
      "it contains no keys",
    ],
    [
      () => {
        rmSync(file);
      },
      "ENOENT",
    ],
  ];
  for (const [n, [inject, problem]] of faults.entries()) {
    inject();
    await expect.poll(afterReload(problems)).toHaveLength(n + 1);
    expect(JSON.parse(problems()[n] ?? "")).toMatchObject({
      path: file,
      error: expect.stringContaining(problem) as string,
    });
    expect((await postChat(gateway, key)).status).toBe(200);
    expect((await postChat(gateway, "other")).status).toBe(401);
  }
  expect(gateway.log.join("")).not.toContain("secret");

  const next = newKey("bob", []);
  writeFileSync(file, next.line);
  await expect.poll(afterReload(async () => (await postChat(gateway, next.key)).status)).toBe(200);
  expect(problems()).toHaveLength(faults.length);
});

test("reloading a file that has been rejected fails again, until it is valid", async () => {
  const [ada, bob] = [newKey("ada", []), newKey("bob", [])];
  const path = fileOf(ada.line);
  const intervals = controlIntervals();
  const taken = "the key is also in API_KEYS";
  const problems: string[] = [];
  const watcher = new KeyFileWatcher(readKeyFile(path), {
    changed: (keys) => {
      if (keys.some(({ name }) => name === "bob")) throw new Error(taken);
    },
    failed: (problem) => problems.push(problem),
  });
  onTestFinished(() => {
    watcher.stop();
  });
  writeFileSync(path, bob.line);
  await expect
    .poll(() => {
      intervals.pass(500);
      return problems;
    })
    .toEqual([taken]);
  for (let n = 0; n < 2; n += 1) await expect(watcher.reload()).rejects.toThrow(taken);
  expect(watcher.problem).toBe(taken);
  writeFileSync(path, ada.line);
  await watcher.reload();
  expect(watcher.problem).toBeUndefined();
});

test.each(["", "# nothing yet\n"])("rejects a file without a key (%j)", (text) => {
  expect(() => readConfig({ API_KEYS_FILE: fileOf(text) })).toThrow(/API_KEYS_FILE=.*at least one key/);
});

test("rejects a file that does not exist", () => {
  expect(() => readConfig({ API_KEYS_FILE: "/nowhere/keys" })).toThrow(ConfigError);
});
