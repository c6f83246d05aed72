import { readFileSync, statfsSync } from "node:fs";
import { connect } from "node:tls";
import { Gauge, type Registry } from "prom-client";

/** Where a server shows a certificate. */
export interface CertificateAddress {
  readonly host: string;
  readonly port: number;
  /** The name that a client would ask for. */
  readonly servername: string;
}

interface Validity {
  /** Seconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
}

// A certificate lasts hours at least.
const CERTIFICATE_AGE_MS = 60_000;
const CONNECT_MS = 2000;

/** The memory of the gateway's container, the disk that it is on, and the certificate in front of it. */
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
    "Memory of the gateway's container that the kernel cannot take back.",
    () => readCgroupMemory()?.used,
  );
  gauge(
    "stack_container_memory_limit_bytes",
    "Memory limit of the gateway's container.",
    () => readCgroupMemory()?.limit,
  );
  gauge("gateway_disk_size_bytes", "Size of the disk that has the engine's data.", () => readDisk()?.size);
  gauge("gateway_disk_free_bytes", "What of it is free for services.", () => readDisk()?.free);
  if (certificate !== undefined) registerCertificate(registry, certificate);
}

function registerCertificate(registry: Registry, address: CertificateAddress): void {
  let known: Promise<Validity | undefined> | undefined;
  let readAt = 0;
  // One connection a minute, however often the metrics are read.
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
          // It may be there the next time.
          known = undefined;
          this.remove();
        } else this.set(value(validity));
      },
    });
  };
  gauge(
    "gateway_certificate_not_after_seconds",
    "When the edge's certificate expires, in seconds since 1970; nothing while the edge shows none.",
    ({ notAfter }) => notAfter,
  );
  gauge(
    "gateway_certificate_not_before_seconds",
    "When the edge's certificate became valid, in seconds since 1970.",
    ({ notBefore }) => notBefore,
  );
}

/** What a server shows, whether it is trusted or not. */
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

/** Of cgroup v2, or v1; undefined outside a container with a limit. Exported for its test. */
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

// Above what a machine has: the kernel's way to write "none".
const NO_LIMIT = 2 ** 60;

function memoryOf(usageFile: string, limitFile: string, statFile: string, cached: string) {
  try {
    const [usage, limit, stat] = [usageFile, limitFile, statFile].map((path) => readFileSync(path, "utf8"));
    // Files that were read lately, which the kernel drops when it needs their memory.
    const inactive = Number(new RegExp(`^${cached} (\\d+)$`, "m").exec(stat ?? "")?.[1] ?? 0);
    const bytes = Number(limit);
    if (!Number.isFinite(bytes) || bytes >= NO_LIMIT) return undefined;
    return { used: Math.max(0, Number(usage) - inactive), limit: bytes };
  } catch {
    return undefined;
  }
}

/** Of the file system that the container's own is on: the engine's data folder, volumes included as a rule. */
function readDisk(): { size: number; free: number } | undefined {
  try {
    const { blocks, bavail, bsize } = statfsSync("/");
    return { size: blocks * bsize, free: bavail * bsize };
  } catch {
    return undefined;
  }
}
