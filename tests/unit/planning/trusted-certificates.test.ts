import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, it } from "vitest";
import {
  findTrustedCertificates,
  readTrustedCertificates,
} from "../../../components/planning/trusted-certificates.ts";
import { type FakeResponse, FakeDocker } from "../../../test-support/fakes/fake-docker.ts";

const folder = mkdtempSync(join(tmpdir(), "ollama-stack-trust-"));
const file = join(folder, "company.pem");
const pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

const docker = new FakeDocker();

beforeEach(() => {
  writeFileSync(file, pem);
  chmodSync(file, 0o644);
});
afterAll(() => {
  docker.remove();
  rmSync(folder, { recursive: true });
});

/** Finds the file on an engine whose probing container has this output. */
async function findOnEngine(dockerHost: string, response: FakeResponse) {
  docker.mock({ "run --rm --pull never": response });
  const engine = { gatewayBaseImage: "node:24", dockerHost, dockerCertPath: "" };
  return await findTrustedCertificates({ trustedCertificates: file, ...engine });
}
const far = "ssh://ops@far";
const view = (values: object) => JSON.stringify([{ name: "certificates.pem", ...values }]);

it("the version changes with the content of the file", () => {
  const [first, same] = [readTrustedCertificates(file), readTrustedCertificates(file)];
  writeFileSync(file, `${pem}${pem}`);
  expect(first).toEqual(same);
  expect(readTrustedCertificates(file)?.version).not.toBe(first?.version);
  expect(readTrustedCertificates("")).toBeUndefined();
});

it("rejects a file that is missing, unreadable for containers or without a certificate, with the fix", () => {
  expect(() => readTrustedCertificates(join(folder, "no.pem"))).toThrow(
    /^trustedCertificates is ".*no\.pem", but that file cannot be read \(ENOENT\): set it to a PEM file/,
  );
  chmodSync(file, 0o640);
  expect(() => readTrustedCertificates(file)).toThrow(/containers' users cannot read that file: chmod o\+r/);
  writeFileSync(file, "nothing");
  expect(() => readTrustedCertificates(file)).toThrow(/contains no PEM certificate/);
});

it("takes the version from the host of a remote engine, as that of the same file here", async () => {
  const local = readTrustedCertificates(file);
  const sha256 = createHash("sha256").update(pem).digest("hex");
  expect(await findOnEngine(far, view({ sha256 }))).toEqual(local);
  expect(docker.calls[0]).toContain(`type=bind,source=${file},target=/mounted/certificates.pem,readonly`);
  expect(await findOnEngine(far, view({ sha256: "b".repeat(64) }))).toEqual({
    source: file,
    version: "b".repeat(16),
  });
  expect(await findOnEngine(far, { fails: "docker: No such image: node:24." })).toEqual(local);
  expect(await findOnEngine("", { fails: "not a remote engine" })).toEqual(local);
});

it("rejects a file that the host of a remote engine lacks or that its containers cannot read", async () => {
  const missing = { fails: `docker: invalid mount config: bind source path does not exist: ${file}` };
  await expect(findOnEngine(far, missing)).rejects.toThrow(
    /company\.pem", but there is no such file on the engine's host: copy it to the same path there$/,
  );
  await expect(findOnEngine(far, view({ error: "EACCES" }))).rejects.toThrow(
    /cannot read that file on the engine's host \(EACCES\): chmod o\+r /,
  );
  await expect(findOnEngine(far, { fails: "docker: mounts denied" })).rejects.toThrow(
    /the engine cannot mount that file: docker run failed: docker: mounts denied$/,
  );
});
