import { readFileSync } from "node:fs";
import { fastify } from "fastify";
import { expect, test } from "vitest";
import { buildApp } from "../../../gateway/src/app.ts";
import { readConfig } from "../../../gateway/src/config/config.ts";
import { createLog } from "../../../gateway/src/observability/log.ts";
import { plugin } from "../../../gateway/src/plugins/plugin.ts";

test("gateway/README.md lists the plugins in registration order", async () => {
  const app = buildApp(readConfig({}), createLog("silent", process.stdout));
  await app.ready();
  // The tree also contains Fastify's own plugins.
  const registered = [...app.printPlugins().matchAll(/^[├└]\S* ([a-z-]+) \d+ ms$/gm)].map(([, name]) => name);
  await app.close();
  const readme = readFileSync("gateway/README.md", "utf8").split("## The order of hooks")[1] ?? "";
  const documented = [...readme.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name);
  expect(registered).toEqual(documented);
  expect(documented).toContain("authentication");
});

test("the gateway does not start with a plugin registered before its dependency", async () => {
  const app = fastify();
  void app.register(plugin("authentication", ["request-record"], () => undefined));
  void app.register(plugin("request-record", [], () => undefined));
  await expect(async () => app.ready()).rejects.toThrow(/request-record.*authentication/);
});
