import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import type { LookupFunction } from "node:net";
import { z } from "zod";
import { askHttp, type HttpAnswer } from "./http.ts";
import { parseReference, sourceKind } from "../../config/models/model-source.ts";

/** A part of a model that is transferred by itself. */
export interface Layer {
  /** "sha256:..." */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

/** What a source has now. */
export type SourceState =
  /** Its digest (unknown for a URL) and what it consists of (unknown for a server that does not say). */
  | { readonly digest: string | undefined; readonly layers: readonly Layer[] | undefined }
  /** There is no such model or file. */
  | { readonly absent: string }
  /** It could not be reached, and why. */
  | { readonly silent: string };

const layer = z.object({
  mediaType: z.string(),
  digest: z.string(),
  size: z.number(),
  from: z.string().optional(),
  name: z.string().optional(),
});
const manifest = z.object({
  schemaVersion: z.number(),
  mediaType: z.string().default(""),
  config: layer,
  layers: z.array(layer),
});

const answerMs = 3_000;
const manifestType = "application/vnd.docker.distribution.manifest.v2+json";

/** Asks registries over HTTP, as Ollama's container would reach them. */
export class ModelRegistryClient {
  readonly #hosts: ReadonlyMap<string, string>;

  /** @param hosts addresses of host names that only the container has */
  constructor(hosts: ReadonlyMap<string, string>) {
    this.#hosts = hosts;
  }

  async ask(source: string, insecure: boolean): Promise<SourceState> {
    switch (sourceKind(source)) {
      case "registry":
        return await this.#askRegistry(source, insecure);
      case "path":
        return await askFile(source);
      case "url":
        return await this.#askUrl(source);
    }
  }

  async #askRegistry(source: string, insecure: boolean): Promise<SourceState> {
    const { host, namespace, model, tag } = parseReference(source);
    const url = `${insecure ? "http" : "https"}://${host}/v2/${namespace}/${model}/manifests/${tag}`;
    try {
      const { status, text } = await this.#request("GET", url, { accept: manifestType });
      if (status === 404) return { absent: `the registry does not have the model ${source}` };
      if (status !== 200) return { silent: `the registry ${host} answers ${String(status)}` };
      const found = manifest.parse(JSON.parse(text));
      return { digest: digestInOllama(found), layers: [found.config, ...found.layers] };
    } catch (error) {
      return { silent: `the registry ${host} does not answer as one (${reason(error)})` };
    }
  }

  async #askUrl(source: string): Promise<SourceState> {
    try {
      const { status, headers } = await this.#request("HEAD", source, {});
      if (status === 404 || status === 410) return { absent: `there is no file ${source}` };
      const size = Number(headers["content-length"]);
      // Some servers know only GET, or send HEAD elsewhere: the download will show.
      if (status !== 200 || !Number.isSafeInteger(size)) return { digest: undefined, layers: undefined };
      return { digest: undefined, layers: [{ digest: source, size }] };
    } catch (error) {
      return { silent: `${new URL(source).host} does not answer (${reason(error)})` };
    }
  }

  #request(
    method: "GET" | "HEAD",
    url: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<HttpAnswer> {
    const address = this.#hosts.get(new URL(url).hostname);
    const place = address === undefined ? {} : { lookup: lookupAs(address) };
    return askHttp(url, { method, headers, withinMs: answerMs, ...place });
  }
}

/**
 * The SHA-256 that Ollama will list the model with: of the manifest as it writes it down, which is field by field what
 * it knows of it, in its order, with the escapes of Go's encoder.
 */
function digestInOllama({ schemaVersion, mediaType, config, layers }: z.output<typeof manifest>): string {
  const inOrder = ({ mediaType: type, digest, size, from, name }: z.output<typeof layer>) => ({
    mediaType: type,
    digest,
    size,
    ...(from === undefined || from === "" ? {} : { from }),
    ...(name === undefined || name === "" ? {} : { name }),
  });
  const written = JSON.stringify({
    schemaVersion,
    mediaType,
    config: inOrder(config),
    layers: layers.map(inOrder),
  }).replace(/[<>&\u2028\u2029]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return createHash("sha256").update(written).digest("hex");
}

async function askFile(path: string): Promise<SourceState> {
  try {
    const { size } = await stat(path);
    const file = await open(path);
    try {
      const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
      if (buffer.toString("latin1") !== "GGUF") return { absent: `${path} is not a GGUF file` };
    } finally {
      await file.close();
    }
    const hash = createHash("sha256");
    for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>)
      hash.update(piece);
    const digest = hash.digest("hex");
    return { digest, layers: [{ digest: `sha256:${digest}`, size }] };
  } catch (error) {
    return { absent: `there is no file ${path} that can be read (${reason(error)})` };
  }
}

function lookupAs(address: string): LookupFunction {
  const family = address.includes(":") ? 6 : 4;
  return (_name, options, callback) => {
    if (options.all === true) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `nothing for ${String(answerMs / 1000)} s`;
  return "code" in error && typeof error.code === "string"
    ? error.code
    : (error.message.split("\n")[0] ?? "");
}
