import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { type Binary, partBinary, partKey, parts, versions } from "./binaries.ts";

/** The state of an installed binary: missing, built from these or from other sources, or a released one, which is kept. */
type Installed = "missing" | "current" | "outdated" | "released";

export function pulumiHome(): string {
  return process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi");
}

/** The folder in which the npm package `pulumi` looks for the CLI before it downloads one. */
export function cliFolder(): string {
  return join(pulumiHome(), "versions", versions.pulumi, "bin");
}

export function pluginFolder(name: "docker" | "command"): string {
  return join(pulumiHome(), "plugins", `resource-${name}-v${versions[name]}`);
}

/** The binaries that Pulumi finds by their path. */
export function places(): readonly { readonly part: Binary; readonly folder: string }[] {
  return [
    { part: parts.cli, folder: cliFolder() },
    { part: parts.languageHost, folder: cliFolder() },
    { part: parts.dockerPlugin, folder: pluginFolder("docker") },
    { part: parts.commandPlugin, folder: pluginFolder("command") },
  ];
}

/** The mark next to a built binary, which a released one lacks. */
function markOf(file: string): string {
  return join(dirname(file), `.${basename(file)}.built`);
}

export function installed(part: Binary, folder: string): Installed {
  const file = join(folder, part.name);
  if (!existsSync(file)) return "missing";
  if (!existsSync(markOf(file))) return "released";
  return readFileSync(markOf(file), "utf8") === partKey(part) ? "current" : "outdated";
}

/** Whether a binary needs no build: it is current, or a released one. */
export function isUsable(part: Binary, folder: string): boolean {
  return ["current", "released"].includes(installed(part, folder));
}

/** Installs a built binary. The mark is first, so that the next run completes an interrupted installation. */
export function install(part: Binary, folder: string): void {
  if (isUsable(part, folder)) return;
  const file = join(folder, part.name);
  mkdirSync(folder, { recursive: true });
  const partial = `${file}.partial-${process.pid}`;
  copyFileSync(partBinary(part), partial);
  writeFileSync(markOf(file), "incomplete");
  // Atomically, because a CLI or plugin may be running.
  renameSync(partial, file);
  writeFileSync(markOf(file), partKey(part));
}

/** Removes the built binaries, so that the released tools are downloaded instead. */
export function uninstallBuilt(): void {
  for (const { part, folder } of places()) uninstall(part, folder);
}

/** Removes a binary unless it is a released one. */
export function uninstall(part: Binary, folder: string): void {
  const file = join(folder, part.name);
  if (!existsSync(markOf(file))) return;
  rmSync(file, { force: true });
  rmSync(markOf(file));
}

/** Installs built binaries from the cache where nothing is installed. */
export function reinstallBuilt(): void {
  for (const { part, folder } of places()) {
    if (installed(part, folder) === "missing" && existsSync(partBinary(part))) install(part, folder);
  }
}
