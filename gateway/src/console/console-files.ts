import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";

/** The page itself: its name stays, its content does not. */
export const PAGE = "index.html";

type Encoding = "br" | "gzip" | "identity";

/** One file of the console in each of its encodings. */
export interface ConsoleFile {
  readonly contentType: string;
  readonly cacheControl: string;
  /** From the best encoding to the plain file. */
  readonly variants: readonly Variant[];
}

export interface Variant {
  readonly encoding: Encoding;
  readonly etag: string;
  readonly content: Buffer;
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

// By ending, from the best encoding to the plain file. Files are compressed when the console is built.
const ENCODINGS: Readonly<Record<string, Encoding>> = { ".br": "br", ".gz": "gzip", "": "identity" };

/**
 * Reads all files of the console, by name. There is no other way to a file, so that no path leads out of the folder.
 *
 * @throws if the folder cannot be read or has no page
 */
export function readConsole(folder: string): ReadonlyMap<string, ConsoleFile> {
  const files = new Map<string, ConsoleFile>();
  const names = readdirSync(folder);
  for (const name of names) {
    const ending = extname(name);
    if (ending !== "" && ending in ENCODINGS) continue;
    files.set(name, {
      contentType: CONTENT_TYPES[ending] ?? "application/octet-stream",
      // Every name but the page's has a hash of the content.
      cacheControl: name === PAGE ? "no-cache" : "public, max-age=31536000, immutable",
      variants: Object.entries(ENCODINGS)
        .filter(([each]) => names.includes(name + each))
        .map(([each, encoding]) => readVariant(join(folder, name + each), encoding)),
    });
  }
  if (!files.has(PAGE)) throw new Error(`${folder} has no ${PAGE}`);
  return files;
}

function readVariant(path: string, encoding: Encoding): Variant {
  const content = readFileSync(path);
  const digest = createHash("sha256").update(content).digest("base64url").slice(0, 22);
  return { encoding, etag: `"${digest}"`, content };
}

/** The smallest variant that a client accepts; the plain file if it names none. */
export function bestVariant(file: ConsoleFile, acceptEncoding: string | undefined): Variant {
  const accepted = acceptedEncodings(acceptEncoding ?? "");
  const [plain] = file.variants.slice(-1);
  const best = file.variants.find(({ encoding }) => accepted.has(encoding)) ?? plain;
  if (best === undefined) throw new Error("a file has at least one variant");
  return best;
}

function acceptedEncodings(header: string): ReadonlySet<string> {
  const accepted = new Set<string>();
  for (const part of header.split(",")) {
    const [coding = "", ...parameters] = part.split(";").map((each) => each.trim().toLowerCase());
    const isRefused = parameters.some((each) => /^q=0(\.0*)?$/.test(each));
    if (!isRefused) accepted.add(coding);
  }
  return accepted;
}

/** Whether a client has a variant already, by its If-None-Match. */
export function isKnown({ etag }: Variant, ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === "*") return true;
  return ifNoneMatch.split(",").some((each) => each.trim().replace(/^W\//, "") === etag);
}
