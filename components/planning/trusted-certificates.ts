import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { readInContainer } from "../../engine/container-view.ts";
import { EngineError, engineHost, isRemote } from "../../engine/docker-cli.ts";
import { ConfigError } from "../config/config-error.ts";
import type { StackConfig } from "../config/keys.ts";

/** Certificates that a stack's containers trust in addition to those of their images. */
export interface TrustedCertificates {
  /** A file on the engine's host, mounted into the containers. */
  readonly source: string;
  /** A hash that changes with the file. */
  readonly version: string;
}

type CertificateSettings = Pick<
  StackConfig,
  "trustedCertificates" | "gatewayBaseImage" | "dockerHost" | "dockerCertPath"
>;

/**
 * Reads the configured file on this machine, and on a remote engine's host if that has the gateway's base image; undefined if
 * none is configured.
 *
 * @throws ConfigError as below, or if the containers could not read the file on the engine's host
 */
export async function findTrustedCertificates(
  config: CertificateSettings,
): Promise<TrustedCertificates | undefined> {
  const local = readTrustedCertificates(config.trustedCertificates);
  if (local === undefined || !isRemote(engineHost(config))) return local;
  const { trustedCertificates: source, gatewayBaseImage: image } = config;
  const rejected = (problem: string) =>
    new ConfigError([`trustedCertificates is ${JSON.stringify(source)}, but ${problem}`]);
  const fileName = "certificates.pem";
  const mounted = { type: "bind", source, fileName, user: serviceUser, image, engine: config } as const;
  const views = await readInContainer(mounted, [fileName]).catch((error: unknown) => {
    if (!(error instanceof EngineError)) throw error;
    throw rejected(`the engine cannot mount that file: ${error.message}`);
  });
  const { sha256, error } = views?.[0] ?? {};
  if (error === "ENOENT" || error === "EISDIR")
    throw rejected("there is no such file on the engine's host: copy it to the same path there");
  if (error !== undefined)
    throw rejected(
      `the containers' users cannot read that file on the engine's host (${error}): chmod o+r ${source}`,
    );
  return sha256 === undefined ? local : { source, version: shortened(sha256) };
}

/** The unprivileged user of the gateway's container. */
const serviceUser = "65532:65532";

/**
 * Reads the configured file on this machine; undefined if there is none.
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
  return { source: path, version: shortened(createHash("sha256").update(content).digest("hex")) };
}

function shortened(hash: string): string {
  return hash.slice(0, 16);
}
