import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createServer } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { readCgroupMemory } from "../../../gateway/src/observability/resource-gauges.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";
import { makeSiteCertificates } from "../../../test-support/released/certificates.ts";

function makeFolder(files: Readonly<Record<string, string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), "gateway-resources-"));
  onTestFinished(() => {
    rmSync(path, { recursive: true });
  });
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return path;
}

test.each([
  [
    "cgroup v2",
    {
      "memory.current": "1000\n",
      "memory.max": "4096\n",
      "memory.stat": "anon 700\ninactive_file 250\nactive_file 50\n",
    },
    { used: 750, limit: 4096 },
  ],
  [
    "cgroup v1",
    {
      "memory/memory.usage_in_bytes": "1000\n",
      "memory/memory.limit_in_bytes": "4096\n",
      "memory/memory.stat": "inactive_file 9\ntotal_inactive_file 250\n",
    },
    { used: 750, limit: 4096 },
  ],
  ["no limit, v2", { "memory.current": "1000", "memory.max": "max\n", "memory.stat": "" }, undefined],
  [
    "no limit, v1",
    {
      "memory/memory.usage_in_bytes": "1000",
      "memory/memory.limit_in_bytes": "9223372036854771712",
      "memory/memory.stat": "",
    },
    undefined,
  ],
  ["no control group", {}, undefined],
])("reads the container's memory from its control group: %s", (_title, files, expected) => {
  expect(readCgroupMemory(makeFolder(files))).toEqual(expected);
});

test("reports the dates of the edge's certificate while the edge is reachable", async () => {
  const { certificate, key } = makeSiteCertificates(join(makeFolder(), "site"), ["llm.example.org"]);
  const serverNames: unknown[] = [];
  const server = createServer({
    cert: readFileSync(certificate),
    key: readFileSync(key),
    SNICallback: (name, done) => {
      serverNames.push(name);
      done(null);
    },
  }).listen(0, "127.0.0.1");
  server.on("tlsClientError", () => undefined);
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const gateway = await startGateway(await startFake(), {
    WATCHED_CERTIFICATE: `127.0.0.1:${port}/llm.example.org`,
  });
  const read = async () => (await fetch(`${gateway.url}/metrics`)).text();
  const [text] = [await read(), await read()];
  const date = (which: string) =>
    Number(new RegExp(`^gateway_certificate_${which}_seconds (\\S+)$`, "m").exec(text)?.[1]);
  // The certificate is valid for two days.
  expect(date("not_after") - date("not_before")).toBe(2 * 86_400);
  expect(Math.abs(date("not_before") - Date.now() / 1000)).toBeLessThan(3600);
  // One connection serves both dates and both scrapes.
  expect(serverNames).toEqual(["llm.example.org"]);

  const other = await startGateway(await startFake(), { WATCHED_CERTIFICATE: "127.0.0.1:9/llm.example.org" });
  const none = await (await fetch(`${other.url}/metrics`)).text();
  expect(none).not.toMatch(/^gateway_certificate_\w+ /m);
});
