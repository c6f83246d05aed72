import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { dockerEndpoint, withDockerEndpoint } from "../../../scripts/connect/docker-endpoint.ts";
import type { StackOutputs } from "../../../scripts/stack/outputs.ts";

// The far stack's engine is a Docker client that runs the tunnel's agent on this machine.
const folder = mkdtempSync(join(tmpdir(), "ollama-stack-endpoint-"));
const path = process.env["PATH"] ?? "";
const runsAgent = 'while [ $# -gt 3 ]; do shift; done; shift; exec node "$@"';
const key = "secret";

/** A gateway that records the requests' keys. */
function createGateway(contextLength: number) {
  const keys: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    keys.push(request.headers.authorization);
    response.end(JSON.stringify({ data: [{ id: "tiny:1b", context_length: contextLength }] }));
  });
  const host = () => `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  return { keys, server, host };
}

const [far, local] = [createGateway(4096), createGateway(1)];

function mockDocker(script: string): void {
  writeFileSync(join(folder, "docker"), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, "docker"), 0o755);
}

/** The outputs of a stack whose URL has the port of a stack on this machine. */
function outputsOf(isRemote: boolean): StackOutputs {
  const target = { network: "somewhere", image: "node", platform: "", ollama: far.host() };
  return {
    gatewayUrl: `http://${local.host()}`,
    ollamaUrl: "http://127.0.0.1:1",
    keysRequired: true,
    installedModels: [{ model: "tiny:1b", digest: "", sizeBytes: 1 }],
    tunnel: isRemote ? { ...target, gateway: far.host() } : target,
  } as unknown as StackOutputs;
}

beforeAll(async () => {
  process.env["PATH"] = `${folder}${delimiter}${path}`;
  for (const { server } of [far, local]) await once(server.listen(0, "127.0.0.1"), "listening");
});
beforeEach(() => {
  mockDocker(runsAgent);
  for (const { keys } of [far, local]) keys.length = 0;
});
afterAll(() => {
  process.env["PATH"] = path;
  for (const { server } of [far, local]) server.close();
  rmSync(folder, { recursive: true });
});

describe("a stack whose engine is on another machine", () => {
  it("is reached through a tunnel by npm run client", async () => {
    const found = await withDockerEndpoint(outputsOf(true), async (endpoint) => {
      expect(endpoint).toMatchObject({ model: "tiny:1b", needsKey: true });
      return await (await fetch(`${endpoint.url}/v1/models`)).text();
    });
    expect(found).toContain("4096");
    expect(local.keys).toEqual([]);
  });

  it("keeps its URL in npm run clients, and sends the key to no gateway of this machine", async () => {
    const outputs = outputsOf(true);
    expect(await dockerEndpoint(outputs, key)).toMatchObject({
      url: outputs.gatewayUrl,
      contextLength: 4096,
    });
    expect(far.keys).toEqual([`Bearer ${key}`]);
    expect(local.keys).toEqual([]);
  });

  it("has no known context length in npm run clients if its engine cannot be reached", async () => {
    mockDocker("echo docker: connection refused >&2; exit 1");
    const outputs = outputsOf(true);
    const endpoint = { url: outputs.gatewayUrl, model: "tiny:1b", needsKey: true };
    expect(await dockerEndpoint(outputs, key)).toEqual(endpoint);
    expect(local.keys).toEqual([]);
  });
});

it("a gateway that is published on this machine is reached directly", async () => {
  mockDocker("exit 1");
  const outputs = outputsOf(false);
  const endpoint = { url: outputs.gatewayUrl, contextLength: 1 };
  expect(await dockerEndpoint(outputs, key)).toMatchObject(endpoint);
  expect(await withDockerEndpoint(outputs, ({ url }) => Promise.resolve(url))).toBe(outputs.gatewayUrl);
});
