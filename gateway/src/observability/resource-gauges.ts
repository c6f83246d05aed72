import { readFileSync, statfsSync } from "node:fs";
import { connect } from "node:tls";
import { Gauge, type Registry } from "./prom-client.ts";

/** Address of a TLS server. */
export interface CertificateAddress {
  readonly host: string;
  readonly port: number;
  /** Server name to send (SNI). */
  readonly servername: string;
}

interface Validity {
  /** Unix time in seconds. */
  readonly notBefore: number;
  readonly notAfter: number;
}

// Certificates are valid for hours at least.
const CERTIFICATE_AGE_MS = 60_000;
const CONNECT_MS = 2000;

/** Registers gauges for the container's memory, its disk, and the certificate of the edge. */
export function registerResourceGauges(
  registry: Registry,
  certificate: CertificateAddress | undefined,
): void {
  const gauge = (name: string, help: string, value: () => number | undefined): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        const now = value();
        if (now === undefined) this.remove();
        else this.set(now);
      },
    });
  };
  gauge(
    "stack_container_memory_bytes",
    "Memory of the gateway's container, excluding reclaimable page cache.",
    () => readCgroupMemory()?.used,
  );
  gauge(
    "stack_container_memory_limit_bytes",
    "Memory limit of the gateway's container.",
    () => readCgroupMemory()?.limit,
  );
  gauge("gateway_disk_size_bytes", "Size of the disk with the engine's data.", () => readDisk()?.size);
  gauge("gateway_disk_free_bytes", "Free space on that disk for unprivileged users.", () => readDisk()?.free);
  if (certificate !== undefined) registerCertificate(registry, certificate);
}

function registerCertificate(registry: Registry, address: CertificateAddress): void {
  let known: Promise<Validity | undefined> | undefined;
  let readAt = 0;
  // At most one connection per minute, however often the metrics are scraped.
  const current = (): Promise<Validity | undefined> => {
    if (known === undefined || performance.now() - readAt > CERTIFICATE_AGE_MS) {
      readAt = performance.now();
      known = readCertificate(address);
    }
    return known;
  };
  const gauge = (name: string, help: string, value: (validity: Validity) => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const validity = await current();
        if (validity === undefined) {
          // Try again on the next scrape.
          known = undefined;
          this.remove();
        } else this.set(value(validity));
      },
    });
  };
  gauge(
    "gateway_certificate_not_after_seconds",
    "Expiry of the edge's certificate as a Unix timestamp; absent without a certificate.",
    ({ notAfter }) => notAfter,
  );
  gauge(
    "gateway_certificate_not_before_seconds",
    "Start of the validity of the edge's certificate as a Unix timestamp.",
    ({ notBefore }) => notBefore,
  );
}

/** Reads a server's certificate without verifying it. */
function readCertificate({ host, port, servername }: CertificateAddress): Promise<Validity | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, servername, rejectUnauthorized: false, timeout: CONNECT_MS });
    const end = (validity?: Validity): void => {
      resolve(validity);
      socket.destroy();
    };
    socket.once("secureConnect", () => {
      const { valid_from: from, valid_to: to } = socket.getPeerCertificate();
      end({ notBefore: Date.parse(from) / 1000, notAfter: Date.parse(to) / 1000 });
    });
    socket.once("timeout", () => {
      end();
    });
    socket.once("error", () => {
      end();
    });
  });
}

/** From cgroup v2 or v1; undefined outside a container with a limit. Exported for its test. */
export function readCgroupMemory(root = "/sys/fs/cgroup"): { used: number; limit: number } | undefined {
  return (
    memoryOf(`${root}/memory.current`, `${root}/memory.max`, `${root}/memory.stat`, "inactive_file") ??
    memoryOf(
      `${root}/memory/memory.usage_in_bytes`,
      `${root}/memory/memory.limit_in_bytes`,
      `${root}/memory/memory.stat`,
      "total_inactive_file",
    )
  );
}

// Larger than any machine: cgroup v1's value for "no limit".
const NO_LIMIT = 2 ** 60;

function memoryOf(usageFile: string, limitFile: string, statFile: string, cached: string) {
  try {
    const [usage, limit, stat] = [usageFile, limitFile, statFile].map((path) => readFileSync(path, "utf8"));
    // Page cache, which the kernel can reclaim.
    const inactive = Number(new RegExp(`^${cached} (\\d+)$`, "m").exec(stat ?? "")?.[1] ?? 0);
    const bytes = Number(limit);
    if (!Number.isFinite(bytes) || bytes >= NO_LIMIT) return undefined;
    return { used: Math.max(0, Number(usage) - inactive), limit: bytes };
  } catch {
    return undefined;
  }
}

/** Of the container's root file system: the engine's data folder, usually including volumes. */
function readDisk(): { size: number; free: number } | undefined {
  try {
    const { blocks, bavail, bsize } = statfsSync("/");
    return { size: blocks * bsize, free: bavail * bsize };
  } catch {
    return undefined;
  }
}
