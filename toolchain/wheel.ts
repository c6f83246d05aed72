import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Report } from "../host/progress.ts";
import { tryRun, runTool } from "../host/exec.ts";
import { installPackages } from "./apt.ts";

/** Installs pip, which Debian's Python lacks. */
export async function ensurePip(report?: Report): Promise<void> {
  if ((await tryRun("python3", ["-m", "pip", "--version"])) === undefined)
    await installPackages(["python3-pip"], report);
}

/** Downloads and unpacks the wheel that a requirements file pins by hash, without running any of its code. */
export async function downloadWheel(requirements: string, target: string, report: Report): Promise<void> {
  await ensurePip(report);
  const pip = ["-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--require-hashes"];
  const quiet = ["--no-cache-dir", "--progress-bar", "off", "--disable-pip-version-check"];
  await runTool("python3", [...pip, ...quiet, "--dest", target, "--requirement", requirements], {
    what: "pip download",
    report,
  });
  for (const wheel of readdirSync(target).filter((name) => name.endsWith(".whl"))) {
    await runTool("python3", ["-m", "zipfile", "--extract", join(target, wheel), target], {
      what: "unpack the wheel",
      report,
    });
    rmSync(join(target, wheel));
  }
}
