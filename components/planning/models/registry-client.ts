import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import type { LookupFunction } from "node:net";
import { z } from "zod";
import { httpRequest, type HttpResponse } from "./http.ts";
import { parseReference, sourceKind } from "../../config/models/model-source.ts";

/** A layer of a model. */
export interface Layer {
  /** "sha256:..." */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

/** The current state of a source. */
export type SourceState =
  /** Its digest (unknown for a URL) and its layers (unknown if the server does not report the size). */
  | { readonly digest: string | undefined; readonly layers: readonly Layer[] | undefined }
  /** The model or file does not exist. */
  | { readonly notFound: string }
  /** Why it could not be reached. */
  | { readonly unreachable: string };

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

const timeoutMs = 3_000;
const manifestType = "application/vnd.docker.distribution.manifest.v2+json";

/** Looks models up in registries over HTTP, resolving host names as Ollama's container does. */
export class ModelRegistryClient {
  readonly #hosts: ReadonlyMap<string, string>;

  /** @param hosts addresses of host names that only the container knows */
  constructor(hosts: ReadonlyMap<string, string>) {
    this.#hosts = hosts;
  }

  async resolve(source: string, insecure: boolean): Promise<SourceState> {
    switch (sourceKind(source)) {
      case "registry":
        return await this.#resolveRegistry(source, insecure);
      case "path":
        return await resolveFile(source);
      case "url":
        return await this.#resolveUrl(source);
    }
  }

  async #resolveRegistry(source: string, insecure: boolean): Promise<SourceState> {
    const { host, namespace, model, tag } = parseReference(source);
    const url = `${insecure ? "http" : "https"}://${host}/v2/${namespace}/${model}/manifests/${tag}`;
    try {
      const { status, text } = await this.#request("GET", url, { accept: manifestType });
      if (status === 404) return { notFound: `the registry does not have the model ${source}` };
      if (status !== 200) return { unreachable: `the registry ${host} responded with ${String(status)}` };
      const found = manifest.parse(JSON.parse(text));
      return { digest: digestInOllama(found), layers: [found.config, ...found.layers] };
    } catch (error) {
      return { unreachable: `no registry responds at ${host} (${reason(error)})` };
    }
  }

  async #resolveUrl(source: string): Promise<SourceState> {
    try {
      const { status, headers } = await this.#request("HEAD", source, {});
      if (status === 404 || status === 410) return { notFound: `there is no file ${source}` };
      const size = Number(headers["content-length"]);
      // Some servers do not support HEAD or redirect it; the download will show.
      if (status !== 200 || !Number.isSafeInteger(size)) return { digest: undefined, layers: undefined };
      return { digest: undefined, layers: [{ digest: source, size }] };
    } catch (error) {
      return { unreachable: `${new URL(source).host} does not respond (${reason(error)})` };
    }
  }

  #request(
    method: "GET" | "HEAD",
    url: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<HttpResponse> {
    const address = this.#hosts.get(new URL(url).hostname);
    const override = address === undefined ? {} : { lookup: lookupAs(address) };
    return httpRequest(url, { method, headers, withinMs: timeoutMs, ...override });
  }
}

/**
 * The SHA-256 under which Ollama lists the model: of the manifest as Ollama rewrites it, with the fields that it knows, in
 * its order, and with the escapes of Go's JSON encoder.
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

async function resolveFile(path: string): Promise<SourceState> {
  try {
    const { size } = await stat(path);
    const file = await open(path);
    try {
      const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
      if (buffer.toString("latin1") !== "GGUF") return { notFound: `${path} is not a GGUF file` };
    } finally {
      await file.close();
    }
    const hash = createHash("sha256");
    for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>)
      hash.update(piece);
    const digest = hash.digest("hex");
    return { digest, layers: [{ digest: `sha256:${digest}`, size }] };
  } catch (error) {
    return { notFound: `the file ${path} cannot be read (${reason(error)})` };
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
  if (error.name === "TimeoutError") return `no response within ${String(timeoutMs / 1000)} s`;
  return "code" in error && typeof error.code === "string"
    ? error.code
    : (error.message.split("\n")[0] ?? "");
}
