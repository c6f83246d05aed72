import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  cliFolder,
  pluginFolder,
  pulumiHome,
  reinstallBuilt,
  uninstallBuilt,
} from "../../toolchain/install.ts";
import { versions } from "../../toolchain/binaries.ts";
import { runTool } from "../../host/exec.ts";
import { step } from "../../host/progress.ts";

const plugins = ["docker", "command"] as const;
const suffix = process.platform === "win32" ? ".exe" : "";

/** The commands that fetch a released plugin, in its documented way. Exported for its test. */
export function pluginInstallArguments(name: (typeof plugins)[number]): string[] {
  return ["plugin", "install", "resource", name, `v${versions[name]}`];
}

/** The npm package `pulumi`: it downloads the CLI on its first use and then runs it. */
function launcher(): string {
  return join(import.meta.dirname, "..", "node_modules", "pulumi", "run.js");
}

/** Whether the released tools are in place. Only looks. */
export function isReleasedInstalled(): boolean {
  const built = join(cliFolder(), ".pulumi.built");
  return (
    !existsSync(built) &&
    existsSync(join(cliFolder(), `pulumi${suffix}`)) &&
    plugins.every((name) => existsSync(join(pluginFolder(name), `pulumi-resource-${name}${suffix}`)))
  );
}

/** Has the released CLI and plugins downloaded unless they are there. */
export async function installReleased(): Promise<void> {
  const run = (args: readonly string[], what: string, seconds: number) =>
    step(what, seconds, (report) =>
      runTool(process.execPath, [launcher(), ...args], { what, report, env: { PULUMI_HOME: pulumiHome() } }),
    );
  uninstallBuilt();
  try {
    if (!existsSync(join(cliFolder(), `pulumi${suffix}`)))
      await run(["version"], `Pulumi CLI ${versions.pulumi}`, 30);
    for (const name of plugins) {
      if (!existsSync(join(pluginFolder(name), `pulumi-resource-${name}${suffix}`))) {
        await run(pluginInstallArguments(name), `Pulumi plugin ${name} ${versions[name]}`, 20);
      }
    }
  } catch (error) {
    // What was built is there again for the next run: nobody is left without tools.
    reinstallBuilt();
    throw error;
  }
}
