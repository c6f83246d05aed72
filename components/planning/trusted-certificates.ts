import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { ConfigError } from "../config/config-error.ts";

/** Certificates that the containers of a stack trust besides what their images do. */
export interface TrustedCertificates {
  /** A file of the engine's host, mounted into the containers. */
  readonly source: string;
  /** Tells a renewed file from the one before. */
  readonly version: string;
}

/**
 * Reads the file that the config names; undefined if it names none.
 *
 * @throws ConfigError if it cannot be read, holds no certificate, or is closed to the users of the containers
 */
export function readTrustedCertificates(path: string): TrustedCertificates | undefined {
  if (path === "") return undefined;
  const refuse = (problem: string) =>
    new ConfigError([`trustedCertificates is ${JSON.stringify(path)}, but ${problem}`]);
  let content: string;
  try {
    content = readFileSync(path, "utf8");
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw refuse(
      `that file cannot be read (${code}): name a PEM file of this machine and of the engine's host`,
    );
  }
  if (!content.includes("-----BEGIN CERTIFICATE-----"))
    throw refuse("that file holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  if (process.platform !== "win32" && (statSync(path).mode & 0o004) === 0)
    throw refuse(`the containers' users may not read that file: chmod o+r ${path}`);
  return { source: path, version: createHash("sha256").update(content).digest("hex").slice(0, 16) };
}
