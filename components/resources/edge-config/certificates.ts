import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../../config/config-error.ts";
import type { EdgeMode } from "../../config/edge-modes.ts";

/** Names of the files in the folder of given certificates. */
const needed: Readonly<Partial<Record<EdgeMode, readonly string[]>>> = {
  certificate: ["cert.pem", "key.pem"],
  acme: ["acme-root.pem"],
};

/**
 * What tells one set of given certificates from another, so that renewed ones are loaded: a hash of what is public in
 * them. Empty where the folder is another machine's, or where there is none.
 *
 * @throws ConfigError when a file is missing or cannot be read
 */
export function certificatesVersion(edge: EdgeMode, folder: string, isRemote: boolean): string {
  const files = needed[edge];
  if (folder === "" || isRemote || files === undefined) return "";
  const problems: string[] = [];
  const hash = createHash("sha256");
  for (const name of files) {
    try {
      const content = readFileSync(join(folder, name));
      if (name !== "key.pem") hash.update(content);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      problems.push(
        `edgeCertificates is ${JSON.stringify(folder)}, but its ${name} ${code === "ENOENT" ? "is missing" : `cannot be read (${String(code)})`}; edge ${edge} needs ${files.join(" and ")} there`,
      );
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return hash.digest("hex").slice(0, 16);
}
