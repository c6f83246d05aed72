import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Binary, partBinary, partKey, parts, versions } from "../../toolchain/binaries.ts";
import { artefact, keyOf } from "../../toolchain/cache.ts";

// Part of the cache key. Increment it when the code below creates different archives.
const recipe = "3";

const cliParts = [parts.cli, parts.languageHost];
const plugins = { docker: parts.dockerPlugin, command: parts.commandPlugin } as const;

/** Other programs of a release, which are only looked up and never started. */
const otherPrograms = ["pulumi-language-python", "pulumi-language-go", "pulumi-analyzer-policy"];

/**
 * Returns a folder with Pulumi's release archives for Linux on x64, with their names and layout and the lists of
 * checksums, made from the programs that toolchain/ builds.
 */
export function releaseArchives(): Promise<string> {
  const key = keyOf([recipe, ...[...cliParts, ...Object.values(plugins)].map(partKey)]);
  return artefact("release-archives", key, (folder) => {
    const cli = `pulumi-v${versions.pulumi}-linux-x64.tar.gz`;
    archive(join(folder, cli), "pulumi", cliParts, otherPrograms);
    const list = (name: string, line: string) => {
      writeFileSync(join(folder, name), `${line}\n`);
    };
    list(`pulumi-${versions.pulumi}-checksums.txt`, `${digestOf("sha256", join(folder, cli))}  ${cli}`);
    for (const [name, part] of Object.entries(plugins)) {
      const version = versions[name as keyof typeof plugins];
      const file = `pulumi-resource-${name}-v${version}-linux-amd64.tar.gz`;
      archive(join(folder, file), ".", [part], []);
      // Their release processes differ.
      const line =
        name === "docker"
          ? `${digestOf("sha1", join(folder, file))}  ./${file}`
          : `${digestOf("sha256", join(folder, file))}  ${file}`;
      list(`pulumi-${name}_${version}_checksums.txt`, line);
    }
    return Promise.resolve();
  });
}

function digestOf(algorithm: "sha1" | "sha256", file: string): string {
  return createHash(algorithm).update(readFileSync(file)).digest("hex");
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
