import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, it } from "vitest";
import { readTrustedCertificates } from "../../../components/planning/trusted-certificates.ts";

const folder = mkdtempSync(join(tmpdir(), "ollama-stack-trust-"));
const file = join(folder, "company.pem");
const pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

beforeEach(() => {
  writeFileSync(file, pem);
  chmodSync(file, 0o644);
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

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
