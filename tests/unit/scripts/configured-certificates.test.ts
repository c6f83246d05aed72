import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { afterAll, beforeAll, expect, it } from "vitest";
import { checkCertificates } from "../../../scripts/doctor/machine.ts";
import { stackFile } from "../../../scripts/stack/stack-file.ts";

// A registry whose certificate is only in trustedCertificates, as behind a proxy that inspects TLS.
const folder = mkdtempSync(join(tmpdir(), "ollama-stack-certificates-"));
const authority = join(folder, "cert.pem");
const stack = `ci-certificates-${String(process.pid)}`;
const trustedBefore = tls.getCACertificates("default");
const requested: (string | undefined)[] = [];
let registry: Server;

beforeAll(async () => {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-keyout", "key.pem"];
  const names = ["-subj", "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync("openssl", ["req", "-x509", ...key, "-out", "cert.pem", ...names], {
    cwd: folder,
    stdio: "pipe",
  });
  const read = (name: string) => readFileSync(join(folder, name));
  registry = createServer({ key: read("key.pem"), cert: read("cert.pem") }, (request, response) => {
    requested.push(request.url);
    response.writeHead(404).end();
  });
  registry.listen(0, "127.0.0.1");
  await once(registry, "listening");
});
afterAll(() => {
  tls.setDefaultCACertificates(trustedBefore);
  registry.close();
  rmSync(stackFile(stack), { force: true });
  rmSync(folder, { recursive: true });
});

function pin(): Promise<string> {
  const args = ["scripts/commands/pin.ts", "--stack", stack];
  const env = { HOME: folder, PATH: process.env["PATH"] };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env }, (_error, stdout, stderr) => {
      resolve(stdout + stderr);
    });
  });
}

it("npm run pin trusts the certificates in the stack's config", async () => {
  const host = `127.0.0.1:${String((registry.address() as AddressInfo).port)}`;
  const values = {
    ...{ ollamaImage: `${host}/a:1`, gatewayBaseImage: `${host}/b:1`, edge: "none" },
    models: JSON.stringify([{ name: "tiny:1b", source: `${host}/library/tiny:1b` }]),
    trustedCertificates: authority,
  };
  const lines = Object.entries(values).map(
    ([key, value]) => `  ollama-stack:${key}: ${JSON.stringify(value)}\n`,
  );
  writeFileSync(stackFile(stack), `config:\n${lines.join("")}`);
  const output = await pin();
  expect(output).toContain("the registry does not have the model");
  expect(requested, output).toContain("/v2/library/tiny/manifests/1b");
});

it("npm run doctor trusts them too, and reports a file that cannot be read", () => {
  const pem = readFileSync(authority, "utf8").trim();
  expect(checkCertificates("")).toEqual([]);
  expect(tls.getCACertificates("default").map((each) => each.trim())).not.toContain(pem);
  expect(checkCertificates(authority)).toEqual([
    { check: "certificates", state: "ok", found: `trustedCertificates is ${authority}` },
  ]);
  expect(tls.getCACertificates("default").map((each) => each.trim())).toContain(pem);
  expect(checkCertificates(join(folder, "none.pem"))).toMatchObject([
    {
      check: "certificates",
      state: "problem",
      found: expect.stringMatching(/cannot be read \(ENOENT\)$/) as string,
    },
  ]);
});
