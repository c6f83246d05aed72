import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { ConfigError } from "../config/config-error.ts";

/** Certificates that a stack's containers trust in addition to those of their images. */
export interface TrustedCertificates {
  /** A file on the engine's host, mounted into the containers. */
  readonly source: string;
  /** A hash that changes with the file. */
  readonly version: string;
}

/**
 * Reads the configured file; undefined if there is none.
 *
 * @throws ConfigError if it cannot be read, contains no certificate, or is not readable for the containers' users
 */
export function readTrustedCertificates(path: string): TrustedCertificates | undefined {
  if (path === "") return undefined;
  const problem = (problem: string) =>
    new ConfigError([`trustedCertificates is ${JSON.stringify(path)}, but ${problem}`]);
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw problem(
      `that file cannot be read (${code}): set it to a PEM file that exists on this machine and on the engine's host`,
    );
  }
  if (!content.includes("-----BEGIN CERTIFICATE-----"))
    throw problem("that file contains no PEM certificate (-----BEGIN CERTIFICATE-----)");
  if (process.platform !== "win32" && (statSync(path).mode & 0o004) === 0)
    throw problem(`the containers' users cannot read that file: chmod o+r ${path}`);
  return { source: path, version: createHash("sha256").update(content).digest("hex").slice(0, 16) };
}
