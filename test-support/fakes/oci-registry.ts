import { createHash, randomBytes } from "node:crypto";
import {
  createReadStream,
  createWriteStream,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { runProcess } from "../../host/run-process.ts";

/** An image registry on this host, which requires a token and issues one to anyone. */
export interface OciRegistry {
  /** "127.0.0.1:port", the prefix of references. */
  readonly host: string;
  /** Number of requests for manifests with and without a token. */
  readonly manifestRequests: { withToken: number; withoutToken: number };
  close(): Promise<void>;
}

/** Starts a registry that supports what `docker push`, `docker pull` and a look-up of a tag need. */
export async function startOciRegistry(): Promise<OciRegistry> {
  const folder = mkdtempSync(join(tmpdir(), "ollama-stack-oci-"));
  const token = randomBytes(16).toString("hex");
  const manifests = new Map<string, { readonly type: string; readonly body: Buffer }>();
  const manifestRequests = { withToken: 0, withoutToken: 0 };
  const blob = (digest: string) => join(folder, digest.replace(":", "-"));

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", `http://${host}`);
    if (url.pathname === "/token") {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ token }));
      return;
    }
    const authorized = request.headers.authorization === `Bearer ${token}`;
    const [, name = "", kind = "", rest = ""] =
      /^\/v2\/(.+)\/(manifests|blobs)\/(.*)$/.exec(url.pathname) ?? [];
    if (kind === "manifests" && request.method !== "PUT")
      manifestRequests[authorized ? "withToken" : "withoutToken"] += 1;
    if (!authorized) {
      const scope = name === "" ? "" : `,scope="repository:${name}:pull,push"`;
      const challenge = `Bearer realm="http://${host}/token",service="${host}"${scope}`;
      response.writeHead(401, { "www-authenticate": challenge }).end();
      return;
    }
    if (kind === "manifests") await manifest(request, response, name, rest);
    else if (kind === "blobs") await blobs(request, response, url, rest);
    else response.writeHead(url.pathname === "/v2/" ? 200 : 404).end();
  }

  async function manifest(
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    reference: string,
  ): Promise<void> {
    if (request.method === "PUT") {
      const body = Buffer.concat((await request.toArray()) as Buffer[]);
      const digest = `sha256:${createHash("sha256").update(body).digest("hex")}`;
      const type = request.headers["content-type"] ?? "";
      for (const key of [reference, digest]) manifests.set(`${name}/${key}`, { type, body });
      response.writeHead(201, { "docker-content-digest": digest }).end();
      return;
    }
    const found = manifests.get(`${name}/${reference}`);
    if (found === undefined) {
      response.writeHead(404).end();
      return;
    }
    const digest = `sha256:${createHash("sha256").update(found.body).digest("hex")}`;
    response.writeHead(200, {
      "content-type": found.type,
      "content-length": found.body.length,
      "docker-content-digest": digest,
    });
    response.end(request.method === "HEAD" ? undefined : found.body);
  }

  async function blobs(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    rest: string,
  ): Promise<void> {
    if (request.method === "POST") {
      const upload = `upload-${randomBytes(8).toString("hex")}`;
      writeFileSync(join(folder, upload), "");
      response.writeHead(202, { location: `${url.pathname}${upload}`, range: "0-0" }).end();
      return;
    }
    const [, upload] = /^uploads\/(upload-[0-9a-f]+)$/.exec(rest) ?? [];
    if (upload !== undefined) {
      const path = join(folder, upload);
      await pipeline(request, createWriteStream(path, { flags: "a" }));
      const size = statSync(path).size;
      const digest = url.searchParams.get("digest");
      if (digest === null) {
        response
          .writeHead(202, { location: url.pathname, range: `0-${String(Math.max(0, size - 1))}` })
          .end();
        return;
      }
      const content = `sha256:${createHash("sha256").update(readFileSync(path)).digest("hex")}`;
      if (content === digest) renameSync(path, blob(digest));
      response.writeHead(content === digest ? 201 : 400, { "docker-content-digest": digest }).end();
      return;
    }
    const size = statSync(blob(rest), { throwIfNoEntry: false })?.size;
    if (size === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-length": size, "docker-content-digest": rest });
    if (request.method === "HEAD") response.end();
    else await pipeline(createReadStream(blob(rest)), response);
  }

  return {
    host,
    manifestRequests,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Starts a registry with an empty image, whose complete name is `image`. */
export async function registryWithImage(): Promise<OciRegistry & { readonly image: string }> {
  const registry = await startOciRegistry();
  const image = `${registry.host}/empty:1`;
  const docker = async (args: readonly string[], input?: string) => {
    const { code, stderr } = await runProcess("docker", args, { input });
    if (code !== 0) throw new Error(`docker ${args.join(" ")} failed: ${stderr}`);
  };
  // Two blocks of zeros end an archive.
  await docker(["import", "-", image], "\0".repeat(1024));
  await docker(["push", image]);
  await docker(["image", "rm", image]);
  return { ...registry, image };
}
