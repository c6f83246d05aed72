import { readFileSync } from "node:fs";
import { cpus, release, totalmem, type as system } from "node:os";

/** A description of the machine, for comparing results. */
export function machine(): string[] {
  const [, distribution] = /^PRETTY_NAME="(.*)"$/m.exec(readFileSync("/etc/os-release", "utf8")) ?? [];
  const gib = (totalmem() / 1024 ** 3).toFixed(1);
  return [
    `${cpus()[0]?.model.trim() ?? "unknown processor"}, ${cpus().length} cores, ${gib} GiB of memory`,
    `${distribution ?? system()}, ${system()} ${release()}`,
    `Node.js ${process.versions.node}`,
  ];
}
