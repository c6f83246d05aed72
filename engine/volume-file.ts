import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runHelper } from "./helper-container.ts";

/** A file in a volume of the engine, which may be remote. */
export interface VolumeFile {
  readonly volume: string;
  readonly name: string;
  /** An image with Node.js that the engine already has. */
  readonly image: string;
}

const program = readFileSync(join(import.meta.dirname, "volume-file.mjs"), "utf8");

/** Writes a file atomically. */
export async function writeVolumeFile(file: VolumeFile, content: string): Promise<void> {
  await runHelper(helperFor(file, ""), ["write", file.name, sha256(content)], { input: content });
}

/** SHA-256 of files' content in hexadecimal; undefined for files that do not exist. */
export async function hashVolumeFiles(
  volume: Omit<VolumeFile, "name">,
  names: readonly string[],
): Promise<(string | undefined)[]> {
  const output = await runHelper(helperFor(volume, ",readonly"), ["hash", ...names]);
  const hashes = output.split("\n");
  return names.map((_name, i) => (hashes[i] === "" ? undefined : hashes[i]));
}

export function sha256(content: string): string {
  return createHash("sha256").update(content).digest("hex");
}

function helperFor({ volume, image }: Omit<VolumeFile, "name">, access: "" | ",readonly") {
  const mount = `type=volume,source=${volume},target=/volume${access}`;
  // A new volume belongs to root, so no capability is needed.
  return { program, image, user: "0:0", options: ["--interactive", "--mount", mount] };
}
