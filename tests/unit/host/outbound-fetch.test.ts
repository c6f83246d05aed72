import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { httpRequest } from "../../../components/planning/models/http.ts";
import { connectionFailure, fetchOutbound } from "../../../host/outbound-fetch.ts";
import { tagDigest } from "../../../scripts/registry/manifests.ts";

const asked: string[] = [];
let proxy: Server;

beforeAll(async () => {
  proxy = createServer((_request, response) => {
    response.end("from here");
  }).on("connect", ({ url }, socket) => {
    asked.push(url ?? "");
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  await once(proxy.listen(0, "127.0.0.1"), "listening");
});
afterAll(() => {
  proxy.close();
});
beforeEach(() => {
  asked.length = 0;
  vi.stubEnv("https_proxy", url());
});
afterEach(() => {
  vi.unstubAllEnvs();
});

function url(): string {
  return `http://127.0.0.1:${String((proxy.address() as AddressInfo).port)}`;
}

it.each([
  ["npm run pin resolves an image", () => tagDigest("images.test", "a/b", "1")],
  ["a preview looks a model up", () => httpRequest("https://models.test/v2/", { withinMs: 10_000 })],
  ["a GGUF file is downloaded", () => fetchOutbound("https://files.test/model.gguf")],
])("%s through the machine's proxy, and through nothing else", async (_what, request) => {
  await expect(request()).rejects.toThrow();
  expect(asked).toHaveLength(1);
  expect(asked[0]).toMatch(/^(images|models|files)\.test:443$/);
});

it("what listens on this machine is asked directly, whatever the proxy", async () => {
  vi.stubEnv("http_proxy", "http://proxy.test:3128");
  expect(await (await fetchOutbound(url())).text()).toBe("from here");
});

it("a certificate that nobody here trusts is told with what to set", () => {
  const cause = Object.assign(new Error("unable to get local issuer certificate"), {
    code: "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  });
  expect(connectionFailure(new TypeError("fetch failed", { cause }))).toBe(
    "unable to get local issuer certificate: if a proxy inspects TLS here, set trustedCertificates to its authority (docs/proxies.md)",
  );
});
