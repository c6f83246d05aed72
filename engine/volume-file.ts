import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { docker } from "./docker-cli.ts";

/** A file in a volume of the engine, which may be remote. */
export interface VolumeFile {
  readonly volume: string;
  readonly name: string;
  /** An image with Node.js that the engine already has. */
  readonly image: string;
}

// Includes creating a container.
const endsWithinMs = 60_000;

const program = readFileSync(join(import.meta.dirname, "volume-file.mjs"), "utf8");

/** Writes a file atomically. */
export async function writeVolumeFile(file: VolumeFile, content: string): Promise<void> {
  await docker([...runArguments(file, ""), "write", file.name, sha256(content)], {
    input: content,
    withinMs: endsWithinMs,
  });
}

/** SHA-256 of a file's content in hexadecimal; undefined if it does not exist. */
export async function hashVolumeFile(file: VolumeFile): Promise<string | undefined> {
  const hash = await docker([...runArguments(file, ",readonly"), "hash", file.name], {
    withinMs: endsWithinMs,
  });
  return hash === "" ? undefined : hash;
}

export function sha256(content: string): string {
  return createHash("sha256").update(content).digest("hex");
}

function runArguments({ volume, image }: VolumeFile, access: "" | ",readonly"): string[] {
  return [
    ...["run", "--rm", "--interactive", "--network", "none", "--entrypoint", "node"],
    // A new volume belongs to root, so no capability is needed.
    ...["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "0:0"],
    ...["--memory", "128m", "--pids-limit", "64", "--log-driver", "none"],
    ...["--mount", `type=volume,source=${volume},target=/volume${access}`],
    ...[image, "--input-type=module", "--eval", program],
  ];
}
