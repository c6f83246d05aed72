import { versions } from "../../toolchain/binaries.ts";

/** Something that a release offers for download. */
export interface ReleaseAsset {
  readonly file: string;
  /** Tried in this order. */
  readonly urls: readonly string[];
}

const github = "https://github.com/pulumi/pulumi/releases/download";
const site = "https://get.pulumi.com/releases/sdk";

const systems: Readonly<Record<string, string>> = { linux: "linux", darwin: "darwin", win32: "windows" };

/** The archive of the released CLI for a platform as Node.js names it; undefined where there is none. */
export function cliArchive(platform: string, arch: string): ReleaseAsset | undefined {
  const system = systems[platform];
  if (system === undefined || !["x64", "arm64"].includes(arch)) return undefined;
  const extension = platform === "win32" ? "zip" : "tar.gz";
  return asset(`pulumi-v${versions.pulumi}-${system}-${arch}.${extension}`);
}

/** SHA-256 of each archive of the release, as sha256sum prints them. */
export function cliChecksums(): ReleaseAsset {
  return asset(`pulumi-${versions.pulumi}-checksums.txt`);
}

/** The digest that a list of checksums gives for a file; undefined if it is not listed. */
export function checksumOf(file: string, list: string): string | undefined {
  for (const line of list.split("\n")) {
    const [digest = "", name = ""] = line.trim().split(/\s+\*?/);
    if (name === file && /^[0-9a-f]{64}$/i.test(digest)) return digest.toLowerCase();
  }
  return undefined;
}

function asset(file: string): ReleaseAsset {
  return { file, urls: [`${github}/v${versions.pulumi}/${file}`, `${site}/${file}`] };
}
