import { versions } from "../../toolchain/binaries.ts";

/** A file of a release. */
export interface ReleaseAsset {
  readonly file: string;
  /** URLs, in the order in which they are tried. */
  readonly urls: readonly string[];
}

export type PluginName = "docker" | "command";

const site = "https://get.pulumi.com/releases";

/** Names of platforms in releases of the CLI and of plugins. */
const systems: Readonly<Record<string, string>> = { linux: "linux", darwin: "darwin", win32: "windows" };
const pluginArchitectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** The archive of the released CLI for a platform in Node.js' notation; undefined if there is none. */
export function cliArchive(platform: string, arch: string): ReleaseAsset | undefined {
  const system = systems[platform];
  if (system === undefined || pluginArchitectures[arch] === undefined) return undefined;
  const extension = platform === "win32" ? "zip" : "tar.gz";
  return cliAsset(`pulumi-v${versions.pulumi}-${system}-${arch}.${extension}`);
}

/** SHA-256 of each archive of the release, in the format of sha256sum. */
export function cliChecksums(): ReleaseAsset {
  return cliAsset(`pulumi-${versions.pulumi}-checksums.txt`);
}

/** The archive of a released plugin for a platform; undefined if there is none. */
export function pluginArchive(name: PluginName, platform: string, arch: string): ReleaseAsset | undefined {
  const [system, architecture] = [systems[platform], pluginArchitectures[arch]];
  if (system === undefined || architecture === undefined) return undefined;
  return pluginAsset(name, `pulumi-resource-${name}-v${versions[name]}-${system}-${architecture}.tar.gz`);
}

/** Digests of each archive of a plugin's release: SHA-256, or SHA-1, whichever its release process prints. */
export function pluginChecksums(name: PluginName): ReleaseAsset {
  return pluginAsset(name, `pulumi-${name}_${versions[name]}_checksums.txt`);
}

/** The digest of a file in a list of checksums; undefined if it is not listed. */
export function checksumOf(file: string, list: string): string | undefined {
  for (const line of list.split("\n")) {
    const [digest = "", name = ""] = line.trim().split(/\s+\*?(?:\.\/)?/);
    if (name === file && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(digest)) return digest.toLowerCase();
  }
  return undefined;
}

function cliAsset(file: string): ReleaseAsset {
  const github = `https://github.com/pulumi/pulumi/releases/download/v${versions.pulumi}`;
  return { file, urls: [`${github}/${file}`, `${site}/sdk/${file}`] };
}

function pluginAsset(name: PluginName, file: string): ReleaseAsset {
  const github = `https://github.com/pulumi/pulumi-${name}/releases/download/v${versions[name]}`;
  return { file, urls: [`${github}/${file}`, `${site}/plugins/${file}`] };
}
