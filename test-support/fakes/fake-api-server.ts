import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

interface StoredObject {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
  readonly [field: string]: unknown;
}

/** An accepted write. */
interface Write {
  readonly atMs: number;
  readonly object: StoredObject;
}

const certificate = { subject: "/CN=api-server-of-tests", days: "2" };

/**
 * The part of Kubernetes' API server that stores objects: over TLS, with a token, and rejecting a write that is not based
 * on the current version.
 */
export class FakeApiServer {
  /** The folder that the kubelet provides in a pod. */
  readonly accountFolder = mkdtempSync(join(tmpdir(), "ollama-stack-account-"));
  readonly writes: Write[] = [];
  /** "gone" breaks connections, "silent" never responds. */
  state: "up" | "gone" | "silent" = "up";
  /** Called with each written object, before its version is compared and after it is stored. */
  beforeWrite: (object: StoredObject) => void = () => undefined;
  afterWrite: (object: StoredObject) => void = () => undefined;
  readonly #objects = new Map<string, StoredObject>();
  readonly #server: Server;
  #token = "first-token";
  #version = 0;

  private constructor() {
    const at = (name: string) => join(this.accountFolder, name);
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", at("key")];
    const names = ["-addext", "subjectAltName=IP:127.0.0.1"];
    const command = [
      "req",
      "-x509",
      ...key,
      "-subj",
      certificate.subject,
      "-days",
      certificate.days,
      ...names,
    ];
    execFileSync("openssl", [...command, "-out", at("ca.crt")], { stdio: "pipe" });
    this.#server = createServer(
      { key: readFileSync(at("key")), cert: readFileSync(at("ca.crt")) },
      (request, response) => void this.#receive(request, response),
    );
    this.setToken(this.#token);
  }

  static async start(): Promise<FakeApiServer> {
    const started = new FakeApiServer();
    await new Promise<void>((resolve) => started.#server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      started.#server.closeAllConnections();
      started.#server.close();
      rmSync(started.accountFolder, { recursive: true });
    });
    return started;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Replaces the token, also in the pods' files. */
  setToken(token: string): void {
    this.#token = token;
    writeFileSync(join(this.accountFolder, "token"), token);
  }

  /** Finds an object by its name. */
  find(name: string): StoredObject | undefined {
    return [...this.#objects.values()].find(({ metadata }) => metadata.name === name);
  }

  /** Changes an object as a user of kubectl does. */
  change(name: string, change: object): void {
    for (const [path, object] of this.#objects)
      if (object.metadata.name === name) this.#store(path, { ...object, ...change });
  }

  remove(name: string): void {
    for (const [path, { metadata }] of this.#objects) if (metadata.name === name) this.#objects.delete(path);
  }

  writesOf(name: string): readonly Write[] {
    return this.writes.filter(({ object }) => object.metadata.name === name);
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const piece of request) text += String(piece);
    if (this.state !== "up") {
      if (this.state === "gone") request.socket.destroy();
      return;
    }
    const send = (status: number, body: object) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    if (request.headers.authorization !== `Bearer ${this.#token}`) {
      send(401, { kind: "Status", message: "Unauthorized" });
      return;
    }
    const { status, body } = this.#respond(request.method ?? "", request.url ?? "", text);
    send(status, body);
  }

  #respond(method: string, url: string, text: string): { status: number; body: object } {
    const found = this.#objects.get(url);
    const problem = (status: number, message: string) => ({ status, body: { kind: "Status", message } });
    if (method === "POST") {
      const sent = JSON.parse(text) as StoredObject;
      const path = `${url}/${sent.metadata.name}`;
      if (this.#objects.has(path)) return problem(409, `${path} already exists`);
      return { status: 201, body: this.#write(path, sent) };
    }
    if (found === undefined) return problem(404, `${url} not found`);
    if (method === "GET") return { status: 200, body: found };
    const sent = JSON.parse(text) as StoredObject;
    this.beforeWrite(sent);
    if (sent.metadata.resourceVersion !== this.#objects.get(url)?.metadata.resourceVersion)
      return problem(409, "the object has been modified");
    return { status: 200, body: this.#write(url, sent) };
  }

  #write(path: string, sent: StoredObject): StoredObject {
    const object = this.#store(path, sent);
    this.writes.push({ atMs: performance.now(), object });
    this.afterWrite(object);
    return object;
  }

  #store(path: string, sent: StoredObject): StoredObject {
    this.#version += 1;
    const object = { ...sent, metadata: { ...sent.metadata, resourceVersion: String(this.#version) } };
    this.#objects.set(path, object);
    return object;
  }
}
