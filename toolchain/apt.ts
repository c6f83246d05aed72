import { existsSync } from "node:fs";
import type { Report } from "../host/progress.ts";
import { tryRun, runTool, SetupError } from "../host/exec.ts";

/** Installs missing Debian packages. */
export async function installPackages(names: readonly string[], report?: Report): Promise<void> {
  const missing = await missingPackages(names);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    throw new SetupError(
      `these packages are needed: ${missing.join(" ")}; install them (on Debian: apt-get install), then run it again`,
    );
  }
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  // Another apt may be running, so wait for its lock.
  const options = ["-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"];
  await runTool("apt-get", [...options, "update"], {
    what: "apt-get update",
    env,
    report,
  });
  await runTool("apt-get", [...options, "install", "--yes", "--no-install-recommends", ...missing], {
    what: `apt-get install ${missing.join(" ")}`,
    env,
    report,
  });
}

async function missingPackages(names: readonly string[]): Promise<string[]> {
  // dpkg-query fails if a package is unknown, but still prints the others, so the shell ignores its status.
  const format = "${Package} ${db:Status-Status}\n";
  const list = await tryRun("sh", ["-c", 'dpkg-query -W -f "$0" "$@" 2>/dev/null || true', format, ...names]);
  const installed = new Set(
    (list ?? "")
      .split("\n")
      .filter((line) => line.endsWith(" installed"))
      .map((line) => line.split(" ")[0]),
  );
  return names.filter((name) => !installed.has(name));
}
