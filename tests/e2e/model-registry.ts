import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  copyFileSync,
  createReadStream,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { dockerClientApi } from "../../engine/docker-api.ts";

interface Layer {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

interface Manifest {
  readonly config: Layer;
  readonly layers: readonly Layer[];
}

/** How a model in the registry differs from the base model. */
interface Variant {
  /** Bytes appended to the weights, which change only the digest, so that they are downloaded again. */
  readonly tail?: string;
  /** Its system prompt. */
  readonly system?: string;
  /** Size of the weights according to the manifest, in bytes. */
  readonly claimedSize?: number;
}

interface Outage {
  /** Bytes of layers to send before the registry goes down in the middle of a layer. */
  readonly afterBytes: number;
  /** Duration in milliseconds. */
  readonly forMs: number;
}

const weights = "application/vnd.ollama.image.model";

/**
 * A model registry on this host that can simulate outages. Like Ollama's own it redirects requests for layers to another
 * host name. Containers and the Pulumi program reach it under both names, at the host's address on the default bridge.
 */
export class ModelRegistry {
  /** Lines for the config key ollamaHosts. */
  readonly hosts = ["models.test:host-gateway", "blobs.test:host-gateway"];
  /** Bytes per second that each download of a layer gets. */
  bytesPerSecond = Number.POSITIVE_INFINITY;
  /** Bytes of layers sent so far. */
  sent = 0;
  readonly #folder = mkdtempSync(join(tmpdir(), "ollama-stack-models-"));
  readonly #manifests = new Map<string, string>();
  #outage: Outage | undefined;
  #server: Server;
  #address = "";
  #port = 0;
  #base: Manifest | undefined;

  private constructor() {
    this.#server = this.#newServer();
  }

  static async start(): Promise<ModelRegistry> {
    const registry = new ModelRegistry();
    const address = await dockerClientApi().bridgeGateway();
    if (address === undefined) throw new Error("the engine has no default bridge");
    registry.#address = address;
    await registry.#listen();
    return registry;
  }

  /** Copies the only model of an Ollama container, the base of all models in this registry. */
  copyModelOf(container: string): void {
    execFileSync("docker", ["cp", `${container}:/root/.ollama/models`, this.#folder]);
    const files = globSync(join(this.#folder, "models", "manifests", "*", "*", "*", "*"));
    const [file] = files;
    if (file === undefined || files.length > 1) throw new Error(`found ${String(files.length)} models`);
    this.#base = JSON.parse(readFileSync(file, "utf8")) as Manifest;
  }

  /** The base model's weights, a GGUF file, and their size in bytes. */
  get weights(): { readonly path: string; readonly size: number } {
    const { digest, size } = this.#layer(weights);
    return { path: this.#path(digest), size };
  }

  /** Adds or replaces the model with the name "name:tag". */
  put(name: string, { tail, system, claimedSize }: Variant): void {
    if (this.#base === undefined) throw new Error("there is no base model: call copyModelOf first");
    // Only the weights of the base model's layers: Ollama takes a second for each layer, however small it is.
    let layers: readonly Layer[] = this.#base.layers.filter(({ mediaType }) => mediaType === weights);
    if (tail !== undefined) layers = this.#replaceWeights(layers, this.#withTail(tail));
    if (claimedSize !== undefined)
      layers = this.#replaceWeights(layers, { digest: digestOf(name), size: claimedSize });
    if (system !== undefined) {
      const digest = digestOf(system);
      writeFileSync(this.#path(digest), system);
      const size = Buffer.byteLength(system);
      layers = [...layers, { mediaType: "application/vnd.ollama.image.system", digest, size }];
    }
    this.#manifests.set(name, JSON.stringify({ ...this.#base, layers }));
  }

  /** The config's entry for a model of this registry, with keys of its own. */
  entry(name: string, { from = name, ...own }: { readonly from?: string } & Record<string, unknown> = {}) {
    return { name, source: `models.test:${String(this.#port)}/library/${from}`, insecure: true, ...own };
  }

  /** A GGUF file for download by HTTP: the base model's weights with bytes appended. */
  file(tail: string): { readonly url: string; readonly digest: string } {
    const { digest } = this.#withTail(tail);
    return { url: `http://${this.#address}:${String(this.#port)}/blobs/${digest}`, digest };
  }

  /** Schedules one outage, in which the server drops all connections and stops listening. */
  scheduleOutage(outage: Outage): void {
    this.#outage = { ...outage, afterBytes: this.sent + outage.afterBytes };
  }

  async stop(): Promise<void> {
    await this.#close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #newServer(): Server {
    return createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  async #listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#port, this.#address, resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async #close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url = "", method, headers } = request;
    const [, tagged] = /^\/v2\/library\/(.+)\/manifests\/.+$/.exec(url) ?? [];
    const [, digest] = /\/blobs\/(sha256:[0-9a-f]{64})$/.exec(url) ?? [];
    const manifest = this.#manifests.get(`${tagged ?? ""}:${url.split("/").at(-1) ?? ""}`);
    if (manifest !== undefined) response.writeHead(200).end(manifest);
    else if (digest === undefined) response.writeHead(404).end();
    else if (method === "HEAD")
      response.writeHead(200, { "content-length": statSync(this.#path(digest)).size }).end();
    else if (headers.host?.startsWith("models.test") === true)
      response.writeHead(307, { location: `http://blobs.test:${String(this.#port)}/blobs/${digest}` }).end();
    else await this.#send(digest, headers.range, response);
  }

  async #send(digest: string, range: string | undefined, response: ServerResponse): Promise<void> {
    const path = this.#path(digest);
    const [, first = "0", last = String(statSync(path).size - 1)] =
      /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
    const [start, end] = [Number(first), Number(last)];
    response.writeHead(range === undefined ? 200 : 206, { "content-length": end - start + 1 });
    const chunks = createReadStream(path, { start, end }) as AsyncIterable<Buffer>;
    for await (const chunk of chunks) {
      if (!response.write(chunk)) await new Promise((resolve) => response.once("drain", resolve));
      this.sent += chunk.length;
      if (this.#outage !== undefined && this.sent > this.#outage.afterBytes) {
        const { forMs } = this.#outage;
        this.#outage = undefined;
        await this.#close();
        await sleep(forMs);
        this.#server = this.#newServer();
        await this.#listen();
        return;
      }
      await sleep((chunk.length / this.bytesPerSecond) * 1000);
    }
    response.end();
  }

  #layer(type: string): Layer {
    const found = this.#base?.layers.find(({ mediaType }) => mediaType === type);
    if (found === undefined) throw new Error(`the model has no ${type}`);
    return found;
  }

  #replaceWeights(layers: readonly Layer[], other: Omit<Layer, "mediaType">): readonly Layer[] {
    return layers.map((layer) => (layer.mediaType === weights ? { ...layer, ...other } : layer));
  }

  #withTail(tail: string): Omit<Layer, "mediaType"> {
    const { path, size } = this.weights;
    const copy = join(this.#folder, "weights");
    copyFileSync(path, copy);
    appendFileSync(copy, tail);
    const content = createHash("sha256").update(readFileSync(copy)).digest("hex");
    const digest = `sha256:${content}`;
    copyFileSync(copy, this.#path(digest));
    return { digest, size: size + Buffer.byteLength(tail) };
  }

  #path(digest: string): string {
    return join(this.#folder, "models", "blobs", digest.replace(":", "-"));
  }
}

function digestOf(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}
