import type { Transform } from "node:stream";
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from "node:zlib";

/** Decoder of a content encoding. */
export interface ContentDecoder {
  /** Name in the Content-Encoding header. */
  readonly name: string;
  /** Memory in bytes, apart from the output. */
  readonly stateBytes: number;
  readonly create: () => Transform;
}

// The maximum window that RFC 8878 recommends decoders to support.
const ZSTD_WINDOW_LOG = 23;

const KIB = 1024;

const gzip: ContentDecoder = { name: "gzip", stateBytes: 48 * KIB, create: () => createGunzip() };

/** Supported content encodings by name (RFC 9110). */
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

/** Value of the Accept-Encoding header. */
export const ACCEPTED_ENCODINGS = "gzip, deflate, br, zstd";

/**
 * Returns the decoder for a body.
 *
 * @param header Content-Encoding
 * @returns "identity" for an unencoded body; undefined for an unsupported encoding
 */
export function decoderOf(header: string): ContentDecoder | "identity" | undefined {
  const name = header.trim().toLowerCase();
  return name === "" || name === "identity" ? "identity" : DECODERS.get(name);
}
