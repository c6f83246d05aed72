import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import {
  cliFolder,
  pluginFolder,
  pulumiHome,
  reinstallBuilt,
  uninstallBuilt,
} from "../../toolchain/install.ts";
import { versions } from "../../toolchain/binaries.ts";
import { ask, runTool, SetupError } from "../../host/exec.ts";
import { type Report, say, step } from "../../host/progress.ts";
import { download, downloadText } from "./download.ts";
import { checksumOf, cliArchive, cliChecksums } from "./release-assets.ts";

const plugins = ["docker", "command"] as const;
const suffix = process.platform === "win32" ? ".exe" : "";
const cli = () => join(cliFolder(), `pulumi${suffix}`);

/** The arguments with which the CLI fetches a released plugin. Exported for its test. */
export function pluginInstallArguments(name: (typeof plugins)[number]): string[] {
  return ["plugin", "install", "resource", name, `v${versions[name]}`];
}

/** Whether the released tools are in place, all of their files. Only looks. */
export function isReleasedInstalled(): boolean {
  return isCliComplete() && plugins.every(isPluginInstalled);
}

/** Has the released CLI and plugins downloaded unless they are there; what an interrupted run left is replaced. */
export async function installReleased(): Promise<void> {
  uninstallBuilt();
  try {
    if (!isCliComplete() && !(await adoptCli())) await step(`Pulumi CLI ${versions.pulumi}`, 30, installCli);
    for (const name of plugins) {
      if (isPluginInstalled(name)) continue;
      const what = `Pulumi plugin ${name} ${versions[name]}`;
      const env = { PULUMI_HOME: pulumiHome(), PULUMI_SKIP_UPDATE_CHECK: "true" };
      await step(what, 20, (report) => runTool(cli(), pluginInstallArguments(name), { what, report, env }));
    }
  } catch (error) {
    // What was built is there again for the next run: nobody is left without tools.
    reinstallBuilt();
    throw error;
  }
}

/** The CLI leaves a file beside a plugin's folder for as long as it fills it. */
function isPluginInstalled(name: (typeof plugins)[number]): boolean {
  const folder = pluginFolder(name);
  return existsSync(join(folder, `pulumi-resource-${name}${suffix}`)) && !existsSync(`${folder}.partial`);
}

/** Names and sizes of the CLI's files, written when all of them are there. */
const contentsFile = () => join(cliFolder(), ".contents.json");

function isCliComplete(): boolean {
  try {
    const contents = JSON.parse(readFileSync(contentsFile(), "utf8")) as Record<string, number>;
    return Object.entries(contents).every(([name, size]) => statSync(join(cliFolder(), name)).size === size);
  } catch {
    return false;
  }
}

function recordContents(folder: string): void {
  const files = readdirSync(folder, { withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.name.startsWith("."),
  );
  const sizes = files.map(({ name }) => [name, statSync(join(folder, name)).size] as const);
  writeFileSync(join(folder, basename(contentsFile())), JSON.stringify(Object.fromEntries(sizes)));
}

/**
 * Takes a CLI that something else put there, such as Pulumi's own installer, if it runs and is of this version. A
 * program that was cut off while it was copied is not started by the system, or is killed at once.
 */
async function adoptCli(): Promise<boolean> {
  if (!existsSync(cli())) return false;
  const host = join(cliFolder(), `pulumi-language-nodejs${suffix}`);
  const version = await ask(cli(), ["version"], { env: { PULUMI_SKIP_UPDATE_CHECK: "true" } });
  // Without the address of an engine it says so and ends.
  const isWhole = existsSync(host) && (await startsAndEnds(host));
  if (version === `v${versions.pulumi}` && isWhole) {
    recordContents(cliFolder());
    return true;
  }
  say(`the Pulumi CLI in ${cliFolder()} is incomplete: it is downloaded again`);
  return false;
}

async function startsAndEnds(program: string): Promise<boolean> {
  const { runProcess } = await import("../../host/run-process.ts");
  const end = await runProcess(program, [], { env: process.env, timeoutMs: 10_000 }).catch(() => undefined);
  return end !== undefined && !end.timedOut && end.signal === null;
}

/** Downloads, verifies and unpacks beside the place, and moves the result there in one step. */
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
    const file = join(partial, archive.file);
    const [digest, checksums] = await Promise.all([
      download(archive, file, report),
      downloadText(cliChecksums()),
    ]);
    verify(archive.file, digest, checksums);
    // On Windows it reads zip files, too.
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

function verify(file: string, digest: string, checksums: string | undefined): void {
  const published = checksums === undefined ? undefined : checksumOf(file, checksums);
  if (published === undefined) say(`  ${file}: no checksum could be had to verify it with`);
  else if (published !== digest)
    throw new SetupError(
      `${file} has the SHA-256 ${digest}, but its release says ${published}: something on the way changes downloads; use another network or proxy`,
    );
}
