import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Binary, partBinary, partKey, parts, versions } from "../../toolchain/binaries.ts";
import { artefact, keyOf } from "../../toolchain/cache.ts";

// Counts into the key: what is below, in the form in which it makes archives.
const recipe = "2";

const cliParts = [parts.cli, parts.languageHost];
const plugins = { docker: parts.dockerPlugin, command: parts.commandPlugin } as const;

/** What a release has besides the programs that are built here; they are found and never started. */
const otherPrograms = ["pulumi-language-python", "pulumi-language-go", "pulumi-analyzer-policy"];

/**
 * A folder with Pulumi's release archives for Linux on x64 under their names, in their layout, made of what toolchain/
 * builds, with the list of checksums that a release of the CLI has.
 */
export function releaseArchives(): Promise<string> {
  const key = keyOf([recipe, ...[...cliParts, ...Object.values(plugins)].map(partKey)]);
  return artefact("release-archives", key, (folder) => {
    const cli = `pulumi-v${versions.pulumi}-linux-x64.tar.gz`;
    archive(join(folder, cli), "pulumi", cliParts, otherPrograms);
    const digest = createHash("sha256")
      .update(readFileSync(join(folder, cli)))
      .digest("hex");
    writeFileSync(join(folder, `pulumi-${versions.pulumi}-checksums.txt`), `${digest}  ${cli}\n`);
    for (const [name, part] of Object.entries(plugins)) {
      const version = versions[name as keyof typeof plugins];
      archive(join(folder, `pulumi-resource-${name}-v${version}-linux-amd64.tar.gz`), ".", [part], []);
    }
    return Promise.resolve();
  });
}

function archive(
  file: string,
  folder: string,
  programs: readonly Binary[],
  placeholders: readonly string[],
): void {
  const stage = `${file}.stage`;
  const inside = join(stage, folder);
  mkdirSync(inside, { recursive: true });
  for (const part of programs) copyFileSync(partBinary(part), join(inside, part.name));
  for (const name of placeholders) writeFileSync(join(inside, name), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  if (folder === ".") for (const name of ["LICENSE", "README.md"]) writeFileSync(join(inside, name), name);
  execFileSync("tar", ["--use-compress-program=gzip -1", "-cf", file, "-C", stage, folder]);
  rmSync(stage, { recursive: true });
}
