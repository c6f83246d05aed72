import { hash } from "node:crypto";
import { keyLabel, parseKeys, rejectionReason } from "../../gateway/src/auth/api-keys.ts";

const MOST_COMMON = 10_000;

/** The most common passwords. Imported on demand because unpacking them takes 60 ms. */
export async function commonPasswords(): Promise<ReadonlySet<string>> {
  const { dictionary } = await import("@zxcvbn-ts/language-common");
  return new Set(dictionary["passwords-common"].slice(0, MOST_COMMON));
}

/** Warnings about valid but unwise keys. Only their digests are known here. */
export async function keyWarnings(lines: readonly string[]): Promise<string[]> {
  const keys = parseKeys(lines.join("\n"));
  if (keys.length === 0) return [];
  const digests = new Set<string>();
  for (const password of await commonPasswords()) digests.add(hash("sha256", password));
  const warnings = keys
    .filter(({ digest }) => digests.has(digest.toString("hex")))
    .map(
      (key) =>
        `The API key ${keyLabel(key)} is one of the ${MOST_COMMON} most common passwords: anyone can guess it. Replace it: npm run keys -- rotate ${key.name}`,
    );
  if (keys.every((key) => rejectionReason(key) !== undefined))
    warnings.push(
      "Every API key has expired or is disabled, so no client is accepted. Add one: npm run keys -- add NAME",
    );
  return warnings;
}
