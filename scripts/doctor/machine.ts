import { existsSync, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { arch, cpus, platform, release, totalmem } from "node:os";
import { dirname } from "node:path";
import { formatBytes } from "../../engine/format-bytes.ts";
import { cacheRoot } from "../../host/cache-dir.mjs";
import { findProxies } from "../../host/proxy.ts";
import { trustCertificates } from "../../host/system-trust.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";

export function checkMachine(): Finding[] {
  const cores = String(cpus().length);
  return [
    ok(
      "machine",
      `${platform()} ${release()} ${arch()}, ${cores} CPUs, ${formatBytes(totalmem())} of memory`,
    ),
    ok("Node.js", `${process.version} (${process.execPath})`),
  ];
}

const neededForTools = 2_000_000_000;

/** The disk of the cache and of the state. */
export async function checkDisk(): Promise<Finding[]> {
  let folder = cacheRoot();
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const found = `${formatBytes(free)} free at ${folder}`;
  return free > neededForTools
    ? [ok("disk", found)]
    : [warning("disk", found, "Free some space: tools and images take 2 GB, models come on top.")];
}

/** The file in trustedCertificates, which this process trusts from then on, as the set-up does. */
export function checkCertificates(path: unknown): Finding[] {
  if (typeof path !== "string" || path === "") return [];
  const found = `trustedCertificates is ${path}`;
  try {
    trustCertificates(readFileSync(path, "utf8"));
    return [ok("certificates", found)];
  } catch (error) {
    const { code = "not PEM" } = error as NodeJS.ErrnoException;
    return [
      problem(
        "certificates",
        `${found}, which cannot be read (${code})`,
        "Set trustedCertificates to an existing PEM file.",
      ),
    ];
  }
}

/** The proxies that the set-up finds, and certificates that the environment names. */
export function checkProxy(environment: NodeJS.ProcessEnv, dockerConfig?: () => string): Finding[] {
  const proxies = findProxies(environment, dockerConfig);
  const findings: Finding[] = [];
  if (proxies === undefined)
    findings.push(ok("proxy", "none in the environment, in npm's or in Docker's configuration"));
  else {
    const { http, https } = proxies;
    const found = [https !== "" && `https ${https}`, http !== "" && `http ${http}`]
      .filter(Boolean)
      .join(", ");
    const exceptions = environment["no_proxy"] ?? environment["NO_PROXY"] ?? "";
    const missing = ["localhost", "127.0.0.1"].filter((host) => !exceptions.split(/[\s,]+/).includes(host));
    findings.push(
      exceptions === "*" || missing.length === 0
        ? ok("proxy", `${found}, but not for ${exceptions}`)
        : warning(
            "proxy",
            `${found}, also for ${missing.join(" and ")}`,
            `The project's commands leave this machine out, but other programs may ask the proxy for its services: export NO_PROXY=localhost,127.0.0.1,::1`,
          ),
    );
  }
  for (const name of ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"]) {
    const file = environment[name];
    if (file === undefined || file === "") continue;
    findings.push(
      existsSync(file)
        ? ok("certificates", `${name} ${file}`)
        : problem(
            "certificates",
            `${name} is ${file}, which is missing`,
            `Put the file there, or unset ${name}.`,
          ),
    );
  }
  return findings;
}
