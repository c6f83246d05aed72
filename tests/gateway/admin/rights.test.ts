import { expect, test } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { admin, adminContract, bearer, cancel, threeKeys } from "../../../test-support/gateway/admin-api.ts";
import { errorOf, hello, startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";
import { postChat } from "../../../test-support/gateway/key-requests.ts";

const routes = Object.keys(adminContract) as (keyof typeof adminContract)[];

test.each(routes)("%s matches its contract and requires no key if none is configured", async (name) => {
  const gateway = await startGateway(await startFake());
  await (await gateway.post("/v1/chat/completions", hello)).text();
  await admin(gateway, name);
});

test.each([...routes, "events" as const])("%s requires a key if keys are configured", async (name) => {
  const gateway = await startGateway(await startFake(), { API_KEYS: threeKeys().API_KEYS });
  for (const key of [undefined, "sk-wrong"]) {
    const response = await fetch(`${gateway.url}/admin/${name}`, { headers: bearer(key) });
    expect(response.status).toBe(401);
    expect(await errorOf(response)).toMatchObject({ code: "invalid_api_key" });
  }
});

test("session returns the key's name and rights", async () => {
  const open = await startGateway(await startFake());
  expect(await admin(open, "session")).toMatchObject({
    keys_configured: false,
    key: null,
    rights: { admin: true },
    log_text: false,
  });
  const { ada, root, API_KEYS } = threeKeys();
  const closed = await startGateway(await startFake(), { API_KEYS, LOG_TEXT: "on" });
  expect(await admin(closed, "session", { key: ada })).toMatchObject({
    keys_configured: true,
    key: "ada",
    rights: { admin: false },
    log_text: true,
  });
  expect(await admin(closed, "session", { key: root })).toMatchObject({
    key: "root",
    rights: { admin: true },
  });
});

test("an ordinary key sees its own finished requests and usage, an admin key those of all keys", async () => {
  const { ada, bob, root, API_KEYS } = threeKeys();
  const gateway = await startGateway(await startFake(), { API_KEYS });
  for (const key of [ada, ada, bob]) await (await postChat(gateway, key)).text();
  const keysOf = async (key: string, query?: string) =>
    (await admin(gateway, "requests", query === undefined ? { key } : { key, query })).requests.map(
      (each) => each.key,
    );
  await expect.poll(() => keysOf(root)).toEqual(["bob", "ada", "ada"]);
  expect(await keysOf(ada)).toEqual(["ada", "ada"]);
  expect(await keysOf(bob)).toEqual(["bob"]);
  expect(await keysOf(bob, "?key=ada")).toEqual([]);
  expect((await admin(gateway, "requests", { key: bob })).kept).toBe(1);
  const usageOf = async (key: string) =>
    (await admin(gateway, "usage", { key })).keys.map((each) => each.key);
  expect(await usageOf(ada)).toEqual(["ada"]);
  expect(await usageOf(root)).toEqual(["ada", "bob", "root"]);
});

test("shows server names to admins only, totals to all keys", async () => {
  const { ada, root, API_KEYS } = threeKeys();
  const gateway = await startGateway(await startFake(), { API_KEYS });
  await expect
    .poll(async () => (await admin(gateway, "overview", { key: root })).models.installed)
    .toHaveLength(1);
  expect((await admin(gateway, "overview", { key: root })).backends).toMatchObject([{ state: "available" }]);
  await (await postChat(gateway, ada)).text();
  await expect.poll(async () => (await admin(gateway, "requests", { key: ada })).kept).toBe(1);
  for (const name of routes) {
    const shown = JSON.stringify(await admin(gateway, name, { key: ada }));
    expect([name, shown.includes("127.0.0.1")]).toEqual([name, false]);
  }
  expect((await admin(gateway, "health", { key: ada })).findings).toMatchObject([
    { check: "backend", level: "ok", subject: null, message: "1 of 1 Ollama servers respond." },
  ]);
});

test("a key sees only the models that it may use", async () => {
  const { key, line } = newKey("ada", ["models=m"]);
  const fake = await startFake();
  fake.models = ["m:latest", "hidden:latest"];
  const gateway = await startGateway(fake, {
    API_KEYS: line,
    REQUIRED_MODELS: "m,hidden",
    KEEP_LOADED_MODELS: "hidden",
  });
  await expect
    .poll(async () => (await admin(gateway, "overview", { key })).models.installed.map(({ name }) => name))
    .toEqual(["m:latest"]);
  for (const name of routes) {
    const shown = JSON.stringify(await admin(gateway, name, { key }));
    expect([name, shown.includes("hidden")]).toEqual([name, false]);
  }
});

test("a key with restricted routes needs the group `console` for the admin API", async () => {
  const [generate, console] = [
    newKey("generate", ["routes=generate"]),
    newKey("console", ["routes=console"]),
  ];
  const gateway = await startGateway(await startFake(), { API_KEYS: `${generate.line};${console.line}` });
  const status = async (key: string): Promise<number> =>
    (await fetch(`${gateway.url}/admin/session`, { headers: bearer(key) })).status;
  expect([await status(generate.key), await status(console.key)]).toEqual([403, 200]);
});

test("ADMIN_API=off disables the admin API", async () => {
  const gateway = await startGateway(await startFake(), { ADMIN_API: "off" });
  for (const name of [...routes, "events"])
    expect((await fetch(`${gateway.url}/admin/${name}`)).status).toBe(404);
  expect((await cancel(gateway, "1")).status).toBe(404);
});

test("rejects requests from pages of other sites, including allowed origins", async () => {
  const gateway = await startGateway(await startFake(), { ALLOWED_ORIGINS: "https://chat.example.org" });
  const host = `127.0.0.1:${gateway.port}`;
  const status = async (headers: Record<string, string>, path = "session"): Promise<number> =>
    (await fetch(`${gateway.url}/admin/${path}`, { headers })).status;
  expect(await status({ origin: `http://${host}` })).toBe(200);
  expect(await status({ "sec-fetch-site": "same-origin" })).toBe(200);
  expect(await status({ "sec-fetch-site": "none" })).toBe(200);
  for (const origin of [
    "https://chat.example.org",
    "https://evil.example",
    "http://localhost:3000",
    "null",
  ]) {
    expect([origin, await status({ origin })]).toEqual([origin, 403]);
    expect((await cancel(gateway, "1", undefined, { origin })).status).toBe(403);
  }
  for (const site of ["cross-site", "same-site"])
    expect(await status({ "sec-fetch-site": site }, "events")).toBe(403);
});
