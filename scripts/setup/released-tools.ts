import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cliFolder, installed, places, reinstallBuilt, uninstallBuilt } from "../../toolchain/install.ts";
import { versions } from "../../toolchain/binaries.ts";
import { tryRun, runTool, SetupError } from "../../host/exec.ts";
import { type Report, printLine, step } from "../../host/progress.ts";
import { isComplete, recordContents, runs } from "./installed-files.ts";
import { cliArchive, cliChecksums } from "./release-assets.ts";
import { ensurePlugin, isPluginInstalled, plugins } from "./released-plugins.ts";
import { downloadVerified } from "./verified-download.ts";

const suffix = process.platform === "win32" ? ".exe" : "";
const cli = () => join(cliFolder(), `pulumi${suffix}`);

/** Whether released tools are installed in any state, by anyone. */
export function hasReleasedTools(): boolean {
  return places().every(({ part, folder }) => installed(part, folder) === "released");
}

/** Whether the released tools are completely installed. */
export function isReleasedInstalled(): boolean {
  return isComplete(cliFolder()) && plugins.every(isPluginInstalled);
}

/** Downloads the released CLI and plugins unless installed; replaces the remains of an interrupted run. */
export async function installReleased(): Promise<void> {
  uninstallBuilt();
  try {
    if (!isComplete(cliFolder()) && !(await adoptCli()))
      await step(`Pulumi CLI ${versions.pulumi}`, 30, installCli);
    for (const name of plugins) await ensurePlugin(name, cli());
  } catch (error) {
    // Restores the built tools for the next run.
    reinstallBuilt();
    throw error;
  }
}

/**
 * Accepts a CLI from elsewhere, such as Pulumi's own installer, if it runs and has this version. A truncated program does not
 * run.
 */
async function adoptCli(): Promise<boolean> {
  if (!existsSync(cli())) return false;
  const host = join(cliFolder(), `pulumi-language-nodejs${suffix}`);
  const version = await tryRun(cli(), ["version"], { env: { PULUMI_SKIP_UPDATE_CHECK: "true" } });
  const isWhole = existsSync(host) && (await runs(host));
  if (version === `v${versions.pulumi}` && isWhole) {
    recordContents(cliFolder());
    return true;
  }
  printLine(`the Pulumi CLI in ${cliFolder()} is incomplete: downloading it again`);
  return false;
}

/** Downloads, verifies and unpacks into a temporary folder, then moves the result into place atomically. */
async function installCli(report: Report): Promise<void> {
  const archive = cliArchive(process.platform, process.arch);
  if (archive === undefined)
    throw new SetupError(
      `Pulumi has no release for ${process.platform} on ${process.arch}: use Linux, macOS or Windows on x64 or arm64`,
    );
  const partial = `${cliFolder()}.partial-${String(process.pid)}`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  try {
    await downloadVerified(archive, cliChecksums(), partial, report);
    // On Windows, tar also reads zip files.
    await runTool("tar", ["-xf", archive.file], { what: `unpack ${archive.file}`, cwd: partial, report });
    const unpacked = join(partial, "pulumi");
    const programs = existsSync(join(unpacked, "bin")) ? join(unpacked, "bin") : unpacked;
    if (!existsSync(join(programs, `pulumi${suffix}`)))
      throw new SetupError(`${archive.file} has no program pulumi${suffix}: remove it and run it again`);
    recordContents(programs);
    rmSync(cliFolder(), { recursive: true, force: true });
    renameSync(programs, cliFolder());
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}
