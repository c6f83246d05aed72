import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { httpRequest } from "../../../components/planning/models/http.ts";
import { connectionFailure, fetchOutbound } from "../../../host/outbound-fetch.ts";
import { tagDigest } from "../../../scripts/registry/manifests.ts";

const connectTargets: string[] = [];
let proxy: Server;

beforeAll(async () => {
  proxy = createServer((_request, response) => {
    response.end("from here");
  }).on("connect", ({ url }, socket) => {
    connectTargets.push(url ?? "");
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
});
afterAll(() => {
  proxy.close();
});
beforeEach(() => {
  connectTargets.length = 0;
  vi.stubEnv("https_proxy", serverUrl());
});
afterEach(() => {
  vi.unstubAllEnvs();
});

function serverUrl(): string {
  return `http://127.0.0.1:${String((proxy.address() as AddressInfo).port)}`;
}

it.each([
  ["an image of npm run pin", () => tagDigest("images.test", "a/b", "1")],
  ["a model of a preview", () => httpRequest("https://models.test/v2/", { withinMs: 10_000 })],
  ["a GGUF file", () => fetchOutbound("https://files.test/model.gguf")],
])("requests %s through the machine's proxy only", async (_what, request) => {
  await expect(request()).rejects.toThrow();
  expect(connectTargets).toHaveLength(1);
  expect(connectTargets[0]).toMatch(/^(images|models|files)\.test:443$/);
});

it("sends requests to this machine directly, whatever the proxy", async () => {
  vi.stubEnv("http_proxy", "http://proxy.test:3128");
  expect(await (await fetchOutbound(serverUrl())).text()).toBe("from here");
});

it("explains an untrusted certificate with the config key to set", () => {
  const cause = Object.assign(new Error("unable to get local issuer certificate"), {
    code: "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  });
  expect(connectionFailure(new TypeError("fetch failed", { cause }))).toBe(
    "unable to get local issuer certificate: if a proxy inspects TLS here, set trustedCertificates to its authority (docs/proxies.md)",
  );
});
