import { existsSync } from "node:fs";
import { step } from "../../host/progress.ts";
import { installPackages } from "../../toolchain/apt.ts";

const PROGRAMS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Returns the path of Chromium or Chrome. Installs Debian's Chromium if there is neither. */
export async function fetchBrowser(): Promise<string> {
  if (!PROGRAMS.some(existsSync))
    await step("Chromium for the tests", 60, (report) =>
      installPackages(["chromium", "fonts-dejavu-core"], report),
    );
  const program = PROGRAMS.find(existsSync);
  if (program === undefined) throw new Error(`no browser at ${PROGRAMS.join(", ")}`);
  return program;
}
