import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type EngineAddress, engineHost } from "../../engine/docker-cli.ts";
import { cacheRoot } from "../../host/cache-dir.mjs";
import { SetupError } from "../../host/exec.ts";
import { findProxies, proxyEnvironment } from "../../host/proxy.ts";
import { trustCertificates } from "../../host/system-trust.ts";
import { settingOf } from "../stack/stack-file.ts";

/**
 * Environment variables with which Pulumi, its plugins and programs reach the internet: the machine's proxy in upper and lower
 * case, except for loopback and the engine's host, and the configured certificates. This process trusts these too from then on.
 */
export function networkEnvironment(engine: EngineAddress, certificates: string): Record<string, string> {
  // Node.js would send requests to the stack's own services through the proxy.
  const quiet = process.env["NODE_USE_ENV_PROXY"] === undefined ? {} : { NODE_USE_ENV_PROXY: "0" };
  const host = hostOf(engineHost(engine));
  return { ...quiet, ...proxyEnvironment(findProxies(), host === "" ? [] : [host]), ...trust(certificates) };
}

function hostOf(address: string): string {
  return address.startsWith("tcp:") && URL.canParse(address) ? new URL(address).hostname : "";
}

/** The path in a stack's trustedCertificates; empty if it is not set. */
export function certificatesOf(stack: string): string {
  const path = settingOf(stack, "trustedCertificates");
  return typeof path === "string" ? path : "";
}

/** Makes this process trust the certificates in a file, and returns them. @throws SetupError if it cannot be read */
export function trustFile(path: string): string {
  const certificates = read(path);
  trustCertificates(certificates);
  return certificates;
}

function trust(path: string): Record<string, string> {
  if (path === "") return {};
  const own = trustFile(path);
  // In a separate folder, because Go programs read all files of a folder.
  const folder = join(cacheRoot(), "trusted");
  const file = join(folder, "certificates.pem");
  const before = process.env["NODE_EXTRA_CA_CERTS"] ?? "";
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, before === "" || before === file ? own : `${read(before)}\n${own}`);
  return { NODE_EXTRA_CA_CERTS: file, ...trustOfGo(folder, process.platform, process.env) };
}

/**
 * Makes Pulumi and its plugins, which are Go programs, also trust the certificates in a folder. On macOS and Windows they use
 * the system's trust store only. Exported for its test.
 */
export function trustOfGo(
  folder: string,
  platform: string,
  environment: NodeJS.ProcessEnv,
): Record<string, string> {
  if (platform === "darwin" || platform === "win32") return {};
  return { SSL_CERT_DIR: `${environment["SSL_CERT_DIR"] ?? "/etc/ssl/certs"}:${folder}` };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw new SetupError(
      `certificates to trust cannot be read from ${path} (${code}): set trustedCertificates (or NODE_EXTRA_CA_CERTS) to an existing PEM file`,
    );
  }
}
