import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { versions } from "../../toolchain/binaries.ts";
import { pluginFolder, pulumiHome } from "../../toolchain/install.ts";
import { runTool, SetupError } from "../../host/exec.ts";
import { type Report, printLine, step } from "../../host/progress.ts";
import { isComplete, recordContents, runs } from "./installed-files.ts";
import { pluginArchive, pluginChecksums, type PluginName } from "./release-assets.ts";
import { downloadVerified } from "./verified-download.ts";

export const plugins: readonly PluginName[] = ["docker", "command"];
const suffix = process.platform === "win32" ? ".exe" : "";

/** Whether a plugin is completely installed; the CLI keeps a marker file beside a plugin's folder while it installs. */
export function isPluginInstalled(name: PluginName): boolean {
  return !existsSync(`${pluginFolder(name)}.partial`) && isComplete(pluginFolder(name));
}

/** Installs a released plugin; replaces an existing one unless it works. */
export async function ensurePlugin(name: PluginName, cli: string): Promise<void> {
  if (isPluginInstalled(name) || (await adoptPlugin(name))) return;
  const what = `Pulumi plugin ${name} ${versions[name]}`;
  await step(what, 20, (report) => installPlugin(name, cli, what, report));
}

/** Accepts a plugin that the CLI installed itself, if it runs. */
async function adoptPlugin(name: PluginName): Promise<boolean> {
  const folder = pluginFolder(name);
  const program = join(folder, `pulumi-resource-${name}${suffix}`);
  if (!existsSync(program)) return false;
  const isChanged = existsSync(join(folder, ".contents.json"));
  if (!isChanged && !existsSync(`${folder}.partial`) && (await runs(program))) {
    recordContents(folder);
    return true;
  }
  printLine(`the Pulumi plugin in ${folder} is incomplete: downloading it again`);
  return false;
}

/** Downloads and verifies a plugin, because the CLI would not verify it. */
async function installPlugin(name: PluginName, cli: string, what: string, report: Report): Promise<void> {
  const archive = pluginArchive(name, process.platform, process.arch);
  if (archive === undefined)
    throw new SetupError(
      `Pulumi has no plugin ${name} for ${process.platform} on ${process.arch}: use Linux, macOS or Windows on x64 or arm64`,
    );
  const partial = `${pluginFolder(name)}.download-${String(process.pid)}`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  try {
    const file = await downloadVerified(archive, pluginChecksums(name), partial, report);
    const env = { PULUMI_HOME: pulumiHome(), PULUMI_SKIP_UPDATE_CHECK: "true" };
    await runTool(cli, pluginInstallArguments(name, file), { what, report, env });
    recordContents(pluginFolder(name));
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/** The arguments with which the CLI installs the archive of a plugin. Exported for its test. */
export function pluginInstallArguments(name: PluginName, file: string): string[] {
  return ["plugin", "install", "resource", name, `v${versions[name]}`, "--reinstall", "--file", file];
}
