import type { Transform } from "node:stream";
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from "node:zlib";

/** How a content encoding is decoded. */
export interface ContentDecoder {
  /** Its name in the header. */
  readonly name: string;
  /** What it takes beside what it has decoded, bytes. */
  readonly stateBytes: number;
  readonly create: () => Transform;
}

// What RFC 8878 recommends as the most that a decoder has to have.
const ZSTD_WINDOW_LOG = 23;

const KIB = 1024;

const gzip: ContentDecoder = { name: "gzip", stateBytes: 48 * KIB, create: () => createGunzip() };

/** The content encodings of requests that are decoded, by their names (RFC 9110). */
const DECODERS: ReadonlyMap<string, ContentDecoder> = new Map([
  ["gzip", gzip],
  ["x-gzip", gzip],
  ["deflate", { name: "deflate", stateBytes: 48 * KIB, create: () => createInflate() }],
  ["br", { name: "br", stateBytes: 256 * KIB, create: () => createBrotliDecompress() }],
  [
    "zstd",
    {
      name: "zstd",
      stateBytes: 256 * KIB,
      create: () => createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG } }),
    },
  ],
]);

/** What a client may encode a body with: the value of `Accept-Encoding`. */
export const ACCEPTED_ENCODINGS = "gzip, deflate, br, zstd";

/**
 * Finds what decodes a body.
 *
 * @param header Content-Encoding
 * @returns `identity`: the body is not encoded; undefined: nothing here decodes it
 */
export function decoderOf(header: string): ContentDecoder | "identity" | undefined {
  const name = header.trim().toLowerCase();
  return name === "" || name === "identity" ? "identity" : DECODERS.get(name);
}
