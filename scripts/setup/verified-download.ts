import { join } from "node:path";
import { SetupError } from "../../host/exec.ts";
import { type Report, printLine } from "../../host/progress.ts";
import { type Digests, download, downloadText } from "./download.ts";
import { checksumOf, type ReleaseAsset } from "./release-assets.ts";

/**
 * Downloads an archive into a folder and verifies it against the release's published digest, if available.
 *
 * @throws SetupError if the digest differs
 */
export async function downloadVerified(
  archive: ReleaseAsset,
  checksums: ReleaseAsset,
  folder: string,
  report: Report,
): Promise<string> {
  const path = join(folder, archive.file);
  const [digests, list] = await Promise.all([download(archive, path, report), downloadText(checksums)]);
  verify(archive.file, digests, list);
  return path;
}

function verify(file: string, { sha1, sha256 }: Digests, list: string | undefined): void {
  const published = list === undefined ? undefined : checksumOf(file, list);
  if (published === undefined) {
    printLine(`  ${file}: no checksum available to verify it`);
    return;
  }
  const [name, digest] = published.length === sha1.length ? ["SHA-1", sha1] : ["SHA-256", sha256];
  if (published !== digest)
    throw new SetupError(
      `${file} has the ${name} ${digest}, but its release publishes ${published}: something modifies downloads on the way; use another network or proxy`,
    );
}
