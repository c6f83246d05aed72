import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createPlain, type Server } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, it } from "vitest";
import { reachableAddress } from "../../../scripts/connect/gateway-request.ts";
import { requestSampleResponse } from "../../../scripts/connect/sample-prompt.ts";

// An edge with a name that does not resolve and a self-signed certificate.
const folder = mkdtempSync(join(tmpdir(), "ollama-stack-prompt-"));
const name = "llm.nowhere.test";
let edge: Server;
let names: unknown[] = [];
const completion = JSON.stringify({ choices: [{ message: { content: "A joke." } }] });

beforeAll(async () => {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-keyout", "key.pem"];
  execFileSync("openssl", ["req", "-x509", ...key, "-out", "cert.pem", "-subj", `/CN=${name}`], {
    cwd: folder,
    stdio: "pipe",
  });
  const file = (path: string) => readFileSync(join(folder, path));
  edge = createServer({ key: file("key.pem"), cert: file("cert.pem") }, (request, response) => {
    const { servername } = request.socket as Partial<TLSSocket>;
    names.push(servername, request.headers.host);
    response.end(completion);
  });
  edge.listen(0, "127.0.0.1");
  await once(edge, "listening");
});
afterAll(() => {
  edge.close();
  rmSync(folder, { recursive: true });
});
const port = () => String((edge.address() as AddressInfo).port);

it("sends the request to the edge's address if its name does not resolve, and accepts an unknown authority", async () => {
  names = [];
  const gatewayUrl = `https://${name}:${port()}`;
  const { text, untrusted } = await requestSampleResponse(
    { gatewayUrl, address: reachableAddress("0.0.0.0") },
    "m",
  );
  expect(text).toBe("A joke.");
  expect(names).toEqual([name, `${name}:${port()}`]);
  expect(untrusted).toBe("DEPTH_ZERO_SELF_SIGNED_CERT");
});

it("rejects a name that does not resolve, with host, port and reason", async () => {
  await expect(requestSampleResponse({ gatewayUrl: "https://llm.nowhere.invalid" }, "m")).rejects.toThrow(
    /^cannot reach llm\.nowhere\.invalid at port 443: its name does not resolve.* \((ENOTFOUND|EAI_AGAIN)\)$/,
  );
});

it("rejects an address where nothing listens, with host, port and reason", async () => {
  const server = createPlain().listen(0, "127.0.0.1");
  await once(server, "listening");
  const free = String((server.address() as AddressInfo).port);
  server.close();
  await once(server, "close");
  await expect(requestSampleResponse({ gatewayUrl: `http://127.0.0.1:${free}` }, "m")).rejects.toThrow(
    `cannot reach 127.0.0.1 at port ${free}: nothing listens there (ECONNREFUSED)`,
  );
});
