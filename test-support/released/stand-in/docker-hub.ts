import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Call, redirect, sendFile, sendJson, sendText } from "./respond.ts";
import { hosts } from "./settings.ts";

const token = "anonymous";

export function hubTokens(call: Call): void {
  const issued = new Date().toISOString();
  sendJson(call, 200, { token, access_token: token, expires_in: 300, issued_at: issued });
}

/** Docker Hub's registry: it requires a token, has blobs on another host and limits anonymous requests for manifests. */
export function hubRegistry(call: Call, hub: string): void {
  const { path, request, faults } = call;
  const [, repository = "", kind = "", reference = ""] =
    /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(path) ?? [];
  if (request.headers.authorization !== `Bearer ${token}`) {
    const scope = repository === "" ? "" : `,scope="repository:${repository}:pull"`;
    const challenge = `Bearer realm="https://${hosts.hubTokens}/token",service="registry.docker.io"${scope}`;
    sendJson(call, 401, errorBody("UNAUTHORIZED", "authentication required"), {
      "www-authenticate": challenge,
      "docker-distribution-api-version": "registry/2.0",
    });
  } else if (path === "/v2/") sendJson(call, 200, {});
  else if (kind === "") sendText(call, 404, "");
  else if (kind === "manifests" && faults.rateLimited === true) {
    const message =
      "You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit";
    sendJson(call, 429, errorBody("TOOMANYREQUESTS", message));
  } else if (kind === "manifests") sendManifest(call, hub, repository, reference);
  else
    redirect(
      call,
      `https://${hosts.hubBlobs}/registry-v2/docker/registry/v2/blobs/${reference}/data?verify=1`,
      307,
    );
}

export function hubBlobs(call: Call, hub: string): void {
  const digest = /\/blobs\/(sha256:[0-9a-f]+)\//.exec(call.path)?.[1] ?? "";
  sendFile(call, blob(hub, digest));
}

/** A company's mirror: the content of Docker Hub, without tokens and redirects. */
export function mirror(call: Call, hub: string): void {
  const [, repository = "", kind = "", reference = ""] =
    /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(call.path) ?? [];
  if (call.path === "/v2/") sendJson(call, 200, {});
  else if (kind === "manifests") sendManifest(call, hub, repository, reference);
  else if (kind === "blobs") sendFile(call, blob(hub, reference));
  else sendText(call, 404, "");
}

function sendManifest(call: Call, hub: string, repository: string, reference: string): void {
  const tags = JSON.parse(readFileSync(join(hub, "tags.json"), "utf8")) as Record<string, string>;
  const digest = reference.startsWith("sha256:") ? reference : tags[`${repository}:${reference}`];
  if (digest === undefined || !existsSync(blob(hub, digest))) {
    sendJson(call, 404, errorBody("MANIFEST_UNKNOWN", "manifest unknown"));
    return;
  }
  const content = readFileSync(blob(hub, digest));
  const { mediaType } = JSON.parse(content.toString("utf8")) as { mediaType: string };
  call.response.writeHead(200, {
    "content-type": mediaType,
    "content-length": content.length,
    "docker-content-digest": digest,
    "docker-distribution-api-version": "registry/2.0",
  });
  call.response.end(call.request.method === "HEAD" ? undefined : content);
}

function errorBody(code: string, message: string): unknown {
  return { errors: [{ code, message }] };
}

function blob(hub: string, digest: string): string {
  return join(hub, digest.replace(":", "-"));
}
