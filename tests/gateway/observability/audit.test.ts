import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { keyId, keyLabel, newKey, parseKeys } from "../../../gateway/src/auth/api-keys.ts";
import { controlled } from "../../../test-support/gateway/controlled-gateway.ts";
import {
  eventually,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";
import { fileOf } from "../../../test-support/gateway/key-requests.ts";

// Audit lines are logged at every level.
const silent = { LOG_LEVEL: "silent" };

function auditLines({ log }: Pick<TestGateway, "log">): Record<string, unknown>[] {
  return log.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ msg }) => msg === "audit");
}

const definitionOf = (line: string) => parseKeys(line)[0] ?? expect.fail("no key");
const labelOf = (line: string) => keyLabel(definitionOf(line));

test("audits each change to the server with the key, the act and its target", async () => {
  const [root, user] = [newKey("root", ["admin"]), newKey("user", [])];
  const fake = await startFake();
  const gateway = await startGateway(fake, { ...silent, API_KEYS: `${root.line};${user.line}` });
  const send = async (key: string, method: string, path: string, body: string | undefined): Promise<void> => {
    const type = path.startsWith("/api/blobs/") ? "application/octet-stream" : "application/json";
    const headers = {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { "content-type": type }),
    };
    await (
      await fetch(gateway.url + path, { method, headers, ...(body === undefined ? {} : { body }) })
    ).text();
  };
  const digest = `sha256:${"a".repeat(64)}`;
  const acts: [string, string, string, object][] = [
    ["POST", "/api/pull", '{"model":"tiny:1b"}', { act: "pull-model", target: "tiny:1b" }],
    ["DELETE", "/api/delete", '{"name":"old:1b"}', { act: "delete-model", target: "old:1b" }],
    [
      "POST",
      "/api/copy",
      '{"source":"tiny:1b","destination":"copy"}',
      { act: "copy-model", target: "copy", source: "tiny:1b" },
    ],
    ["POST", "/api/create", '{"model":"made","from":"tiny:1b"}', { act: "create-model", target: "made" }],
    ["POST", `/api/blobs/${digest}`, "GGUF", { act: "upload-file", target: digest }],
  ];
  for (const [method, path, body] of acts) await send(root.key, method, path, body);
  // Not audited: an existence check, a read and a request without permission.
  await send(root.key, "HEAD", `/api/blobs/${digest}`, undefined);
  await send(root.key, "GET", "/api/tags", undefined);
  await send(user.key, "POST", "/api/pull", '{"model":"tiny:1b"}');
  const lines = await eventually(() => {
    const found = auditLines(gateway);
    return found.length >= acts.length ? found : undefined;
  });
  expect(lines).toMatchObject(
    acts.map(([, , , expected]) => ({
      level: "info",
      key: "root",
      key_id: keyId(definitionOf(root.line)),
      client: "127.0.0.1",
      status: expect.any(Number) as number,
      ended: "complete",
      ...expected,
    })),
  );
  expect(gateway.log.join("")).not.toContain(root.key);
});

test("an audit line has only the beginning of a long name", async () => {
  const root = newKey("root", ["admin"]);
  const gateway = await startGateway(await startFake(), { ...silent, API_KEYS: root.line });
  const headers = { authorization: `Bearer ${root.key}`, "content-type": "application/json" };
  const name = "x".repeat(1_000_000);
  await (await gateway.post("/api/copy", { source: name, destination: name }, { headers })).text();
  const line = await eventually(() => auditLines(gateway)[0]);
  const shown = "x".repeat(1024);
  expect(line).toMatchObject({ act: "copy-model", target: shown, source: shown });
});

test("survives an upload that takes its connection along, and logs it", async () => {
  const { key, line } = newKey("root", ["admin"]);
  const gateway = await startGateway(await startFake(), { API_KEYS: line });
  const path = `/api/blobs/sha256:${"b".repeat(64)}`;
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/octet-stream" };
  const sent = await fetch(gateway.url + path, { method: "POST", headers, body: "GGUF" });
  expect(sent.status).toBe(201);
  expect(await gateway.requestLine("/api/blobs/:digest")).toMatchObject({
    client_ip: "127.0.0.1",
    status: 201,
  });
  expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
});

test("audits a drain through the control socket", async () => {
  const gateway = await controlled([await startFake()], silent);
  const { port } = new URL(gateway.url);
  await gateway.control("return", `127.0.0.1:${port}`, "3");
  await gateway.control("drain", "0");
  await gateway.control("explode");
  expect(auditLines(gateway)).toMatchObject([
    { act: "return", target: `127.0.0.1:${port}` },
    { act: "drain", target: "this gateway", timeout_ms: 0 },
  ]);
});

test("keys reloaded through the control socket apply at once, and each change is named", async () => {
  const [ada, bob, old] = [newKey("ada", ["requests=5"]), newKey("bob", []), newKey("old", [])];
  const file = fileOf(`${ada.line}\n${old.line}`);
  const gateway = await controlled([await startFake()], { ...silent, API_KEYS_FILE: file });
  const statusOf = async (key: string): Promise<number> =>
    (await fetch(`${gateway.url}/v1/models`, { headers: { "x-api-key": key } })).status;
  const later = `${ada.line} expires=2199-01-01`;
  writeFileSync(file, `${later}\n${bob.line}`);
  expect(await gateway.control("reload-keys")).toEqual({
    code: 0,
    output: `${labelOf(ada.line)}\n${labelOf(bob.line)}\n`,
  });
  expect([await statusOf(ada.key), await statusOf(bob.key), await statusOf(old.key)]).toEqual([
    200, 200, 401,
  ]);
  // Nothing has changed since, so this adds no audit line.
  expect((await gateway.control("reload-keys")).code).toBe(0);
  expect(auditLines(gateway)).toMatchObject([
    {
      act: "change-keys",
      target: file,
      added: [labelOf(bob.line)],
      removed: [labelOf(old.line)],
      changed: [labelOf(ada.line)],
    },
  ]);
  writeFileSync(file, "# nobody");
  expect(await gateway.control("reload-keys")).toEqual({ code: 1, output: "it contains no keys\n" });
  expect(await statusOf(bob.key)).toBe(200);
});

test("reload-keys fails on a gateway without a key file", async () => {
  const gateway = await controlled([await startFake()]);
  const { code, output } = await gateway.control("reload-keys");
  expect([code, output]).toEqual([1, expect.stringContaining("no file of keys")]);
});
